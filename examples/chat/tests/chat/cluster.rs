//! Several processes, joined by Redis.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tidewire::ClientRequest;
use tidewire::tokio::Connector;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::process::Command;
use tokio::time::timeout;

use crate::client::{Client, Login, room};
use crate::process::{Chat, DEADLINE, Folder};
use crate::services::{Nginx, Redis, free_port};
use crate::text;

/// A folder for the key of the logins, and what all processes are started with.
pub(crate) fn shared(redis: &str) -> (Folder, Vec<String>) {
    let folder = Folder::new();
    let key = folder.path().join("key").display().to_string();
    let arguments = ["--redis", redis, "--key", &key, "--rate", "1000", "--behind-proxy"];
    (folder, arguments.map(str::to_owned).into())
}

/// Redis, and two processes.
pub(crate) struct Two {
    pub(crate) redis: Redis,
    pub(crate) p: Chat,
    pub(crate) q: Chat,
    _key: Folder,
}

impl Two {
    pub(crate) async fn start() -> Self {
        let redis = Redis::start().await;
        let (key, arguments) = shared(&redis.url());
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        // Both at once, so that one makes the key and the other takes it.
        let (p, q) = tokio::join!(Chat::start(&arguments), Chat::start(&arguments));
        Self { redis, p, q, _key: key }
    }

    /// Ann in the lobby of one process and Bob in that of the other one, who see each other.
    async fn guests(&self) -> (Client, Client) {
        let mut ann = Client::member(&self.p, "ann", "lobby").await;
        let mut bob = Client::hello(&self.q, &Login::new(&self.q, "bob").await, '1', Value::Null).await;
        let joined = bob.join("lobby", Value::Null).await;
        if !joined["people"].as_array().expect("people").contains(&json!(ann.user)) {
            assert_eq!(text(&bob.until("came").await, "/user"), ann.user);
        }
        assert_eq!(text(&ann.until("came").await, "/user"), bob.user);
        (ann, bob)
    }
}

impl Client {
    /// Says texts, each of which is acknowledged.
    async fn say_all(&mut self, texts: &[String]) {
        for text in texts {
            let ack = self.say(room("lobby"), text).await;
            assert_eq!(ack["type"], "ack", "{ack}");
        }
    }

    /// Has heard these texts since the last call, in this order, and nothing in between.
    async fn hear_all(&mut self, texts: &[String]) {
        while self.heard.len() < texts.len() {
            self.next().await;
        }
        assert_eq!(std::mem::take(&mut self.heard), texts);
    }
}

fn texts(of: &str, numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers.map(|number| format!("{of} {number}")).collect()
}

#[tokio::test]
async fn rooms_presence_and_private_messages_go_through_redis() {
    let two = Two::start().await;
    let (mut ann, mut bob) = two.guests().await;
    let ack = ann.say_as(100, room("lobby"), "hello").await;
    assert_eq!(bob.hear().await, "hello");
    assert_eq!(bob.say(json!({ "user": ann.user }), "psst").await["type"], "ack");
    assert_eq!(ann.hear().await, "psst");

    // Her login holds in the other process, which knows what the first one has accepted.
    let login = Login::new(&two.p, "eve").await;
    let mut eve = Client::hello(&two.p, &login, 'e', Value::Null).await;
    eve.join("lobby", Value::Null).await;
    let said = eve.say_as(7, room("lobby"), "once").await;
    assert_eq!((ann.hear().await, bob.hear().await), ("once".into(), "once".into()));
    drop(eve);
    let mut eve = Client::hello(&two.q, &login, 'e', Value::Null).await;
    let joined = eve.join("lobby", json!({ text(&ack, "/origin"): ack["seq"] })).await;
    assert_eq!(joined["gap"], false);
    assert_eq!(eve.hear().await, "once");
    let again = eve.say_as(7, room("lobby"), "once").await;
    assert_eq!(
        (&again["origin"], &again["seq"], &again["reached"]),
        (&said["origin"], &said["seq"], &Value::Null)
    );

    // Who goes is seen to go, also with a whole process.
    bob.send(json!({ "type": "leave", "room": "lobby" })).await;
    ann.find(|message| message["type"] == "went" && message["user"] == bob.user).await;
    bob.join("lobby", Value::Null).await;
    let Two { mut p, redis: _redis, q: _q, .. } = two;
    assert!(p.terminate().await.success());
    bob.find(|message| message["type"] == "went" && message["user"] == ann.user).await;
}

#[tokio::test]
async fn while_redis_is_gone_guests_talk_and_afterwards_all_hear_what_they_missed() {
    let mut two = Two::start().await;
    let (mut ann, mut bob) = two.guests().await;
    let mut neighbour = Client::member(&two.p, "eve", "lobby").await;
    for round in 0..2 {
        let (before, during) = (round * 10..round * 10 + 5, round * 10 + 5..round * 10 + 10);
        ann.say_all(&texts("ann", before.clone())).await;
        two.redis.kill().await;
        ann.say_all(&texts("ann", during.clone())).await;
        bob.say_all(&texts("bob", during.clone())).await;
        neighbour.hear_all(&texts("ann", round * 10..during.end)).await;
        two.redis.restart().await;
        bob.hear_all(&texts("ann", round * 10..during.end)).await;
        ann.hear_all(&texts("bob", during.clone())).await;
        neighbour.hear_all(&texts("bob", during)).await;
    }
    // All on their first connection, and whoever comes now is seen again.
    let late = Client::member(&two.q, "kim", "lobby").await;
    ann.find(|message| message["type"] == "came" && message["user"] == late.user).await;
}

#[tokio::test]
async fn a_redis_that_stands_still_holds_nobody_up() {
    let two = Two::start().await;
    let (mut ann, mut bob) = two.guests().await;
    two.redis.signal("STOP").await;
    ann.say_all(&texts("ann", 0..5)).await;
    bob.say_all(&texts("bob", 0..5)).await;
    two.redis.signal("CONT").await;
    ann.hear_all(&texts("bob", 0..5)).await;
    bob.hear_all(&texts("ann", 0..5)).await;
}

#[tokio::test]
async fn a_process_that_stood_still_comes_back() {
    let two = Two::start().await;
    let (mut ann, mut bob) = two.guests().await;
    two.p.signal("STOP").await;
    // What is said to it meanwhile waits, and until it is given up nothing says that it does not listen.
    ann.send(json!({ "type": "say", "id": 50, "to": room("lobby"), "text": "ann 0" })).await;
    bob.say_all(&texts("bob", 0..3)).await;
    assert_eq!(text(&bob.until("went").await, "/user"), ann.user);
    bob.say_all(&texts("bob", 3..6)).await;
    two.p.signal("CONT").await;
    bob.hear_all(&texts("ann", 0..1)).await;
    ann.hear_all(&texts("bob", 0..6)).await;
    ann.say_all(&texts("ann", 1..2)).await;
    bob.hear_all(&texts("ann", 1..2)).await;
    // It was away, and not the others.
    assert_eq!(ann.went, 0);
}

#[tokio::test]
async fn what_was_acknowledged_outlives_its_process_and_its_folder() {
    let two = Two::start().await;
    let (mut ann, _bob) = two.guests().await;
    ann.say_all(&texts("ann", 0..20)).await;
    let Two { p, q, redis: _redis, .. } = two;
    // Killed, and its folder is removed.
    drop(p);
    let mut late = Client::member(&q, "kim", "lobby").await;
    late.hear_all(&texts("ann", 0..20)).await;
    // Nobody counts as there whose process is gone.
    assert_eq!(text(&late.until("went").await, "/user"), ann.user);
}

#[tokio::test]
async fn processes_begin_without_redis_and_find_each_other_later() {
    let port = free_port();
    let (_key, arguments) = shared(&format!("redis://127.0.0.1:{port}"));
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let (p, q) = tokio::join!(Chat::start(&arguments), Chat::start(&arguments));
    let mut ann = Client::member(&p, "ann", "lobby").await;
    let mut bob = Client::member(&q, "bob", "lobby").await;
    ann.say_all(&texts("ann", 0..5)).await;
    bob.say_all(&texts("bob", 0..5)).await;
    let _redis = Redis::on(port).await;
    ann.hear_all(&texts("bob", 0..5)).await;
    bob.hear_all(&texts("ann", 0..5)).await;
}

#[tokio::test]
async fn rubbish_in_the_channel_is_left_aside() {
    let two = Two::start().await;
    let (mut ann, mut bob) = two.guests().await;
    let ack = ann.say(room("lobby"), "ann 0").await;
    bob.hear_all(&texts("ann", 0..1)).await;
    let entry = |origin: &str, seq: u64, text: &str| {
        json!({ "origin": origin, "seq": seq, "to": room("lobby"), "from": "eve", "client": "0".repeat(32), "id": seq,
            "time": 1, "text": text })
    };
    let message = |version: u32, from: &str, body: Value| {
        json!({ "version": version, "from": from, "run": 7, "body": body }).to_string()
    };
    let origin = text(&ack, "/origin");
    let mut payloads = vec![
        "rubbish".into(),
        "[".repeat(100_000),
        "x".repeat(2 << 20),
        message(0, "old", json!({ "said": [entry("old", 1, "old")] })),
        message(2, "new", json!({ "shouted": [entry("new", 1, "new")] })),
        // One that speaks for another, one that copies the name of another, and one beyond all numbers.
        message(1, "eve", json!({ "said": [entry(origin, 2, "forged")] })),
        message(1, origin, json!("bye")),
        message(1, "eve", json!({ "said": [entry("eve", u64::MAX, "endless")] })),
        message(
            1,
            "eve",
            json!({ "status": { "heads": { "nobody": u64::MAX, "eve": 1_u64 << 60 }, "changes": u64::MAX, "hello": true } }),
        ),
        message(
            1,
            "eve",
            json!({ "changed": [0, [{ "room": "lobby", "user": "ghost", "is_there": false }]] }),
        ),
    ];
    // Far more processes than there may be.
    payloads.extend(
        (0..300)
            .map(|n| message(1, &format!("p{n}"), json!({ "said": [entry(&format!("p{n}"), 9, "late")] }))),
    );
    two.redis.publish("tidewire-chat:0:main", &payloads).await;
    ann.say_all(&texts("ann", 1..5)).await;
    bob.say_all(&texts("bob", 0..5)).await;
    bob.hear_all(&texts("ann", 1..5)).await;
    ann.hear_all(&texts("bob", 0..5)).await;
}

#[tokio::test]
async fn who_is_no_redis_disturbs_nobody() {
    let mut servers = Vec::new();
    for says in [
        "",
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "-ERR no\r\n",
        "*1000000000\r\n",
        "$9999999999\r\n",
        "\u{0}\u{1}\u{2}",
        "+OK\r\n",
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                // Says it to each request, and keeps the connection.
                tokio::spawn(async move {
                    while stream.read(&mut [0; 4096]).await.is_ok_and(|len| len > 0) {
                        let _ = stream.write_all(says.as_bytes()).await;
                    }
                });
            }
        });
        servers.push(tokio::spawn(async move {
            let (_key, arguments) = shared(&format!("redis://{address}"));
            let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            let chat = Chat::start(&arguments).await;
            let mut ann = Client::member(&chat, "ann", "lobby").await;
            let mut bob = Client::member(&chat, "bob", "lobby").await;
            ann.say_all(&texts("ann", 0..5)).await;
            bob.hear_all(&texts("ann", 0..5)).await;
        }));
    }
    for server in servers {
        server.await.expect("served");
    }
}

#[tokio::test]
async fn options_that_would_log_guests_out_are_refused() {
    let url = "redis://127.0.0.1:1";
    let [mut by_argument, mut by_variable] = [(), ()].map(|()| Command::new(env!("CARGO_BIN_EXE_chat")));
    for chat in [by_argument.args(["--redis", url]), by_variable.env("CHAT_REDIS", url)] {
        let output = chat.output().await.expect("a process");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && said.starts_with("chat: --redis needs --key"), "{said}");
    }
}

impl Redis {
    /// Publishes as somebody else does who may.
    async fn publish(&self, channel: &str, payloads: &[String]) {
        let mut stream = TcpStream::connect(self.host()).await.expect("connected");
        for payload in payloads {
            let (channel_len, len) = (channel.len(), payload.len());
            let command =
                format!("*3\r\n$7\r\nPUBLISH\r\n${channel_len}\r\n{channel}\r\n${len}\r\n{payload}\r\n");
            stream.write_all(command.as_bytes()).await.expect("written");
            let mut answer = [0; 4];
            stream.read_exact(&mut answer).await.expect("an answer");
            // Both processes have heard it.
            assert_eq!(&answer, b":2\r\n");
        }
    }
}

/// Sends a request from an address of this machine, and returns the status.
async fn ask_from(address: &str, host: &str, path: &str) -> u16 {
    send_from(address, host, "GET", path, "", "").await.0
}

/// Sends a request with a cookie and a body from an address of this machine, and returns the status and the answer.
async fn send_from(
    address: &str,
    host: &str,
    method: &str,
    path: &str,
    cookie: &str,
    body: &str,
) -> (u16, String) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(format!("{address}:0").parse().expect("an address")).expect("bound");
    let mut stream = socket.connect(host.parse().expect("an address")).await.expect("connected");
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nContent-Length: {}\r\n\
        Connection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.expect("written");
    let mut answer = String::new();
    timeout(DEADLINE, stream.read_to_string(&mut answer)).await.expect("in time").expect("an answer");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, answer)
}

#[tokio::test]
async fn nginx_spreads_pages_and_keeps_polls_together() {
    let (mut p, q) = (Chat::start(&["--behind-proxy"]).await, Chat::start(&["--behind-proxy"]).await);
    let nginx = Nginx::start(&p, &q).await;
    // An odd number, so that taking turns would not look like keeping together.
    let addresses: Vec<_> = (2..19).map(|last| format!("127.0.0.{last}")).collect();
    let poll = "/socket.io/?EIO=4&transport=polling&sid=secret";
    for _ in 0..3 {
        for address in &addresses {
            assert_eq!(ask_from(address, &nginx.host(), "/style.css").await, 200);
            ask_from(address, &nginx.host(), poll).await;
        }
    }
    let processes = |requests: &[(String, String)]| -> BTreeSet<String> {
        requests.iter().map(|(_, process)| process.clone()).collect()
    };
    let both = BTreeSet::from([p.host(), q.host()]);
    assert_eq!(processes(&nginx.requests("/style.css", 51).await), both);
    let polls = nginx.requests("/socket.io/", 51).await;
    assert_eq!(processes(&polls), both);
    let of_one: BTreeSet<_> = polls.iter().collect();
    assert_eq!(of_one.len(), addresses.len(), "one process for each address: {of_one:?}");
    assert_eq!(nginx.requests("secret", 0).await, []);

    // The process is gone, and its guests find the other one without an error between.
    p.kill().await;
    for address in &addresses {
        assert_eq!(ask_from(address, &nginx.host(), "/style.css").await, 200);
        assert_ne!(ask_from(address, &nginx.host(), poll).await, 502);
    }
    let polls = nginx.requests("/socket.io/", 68).await;
    assert_eq!(processes(&polls[51..]), BTreeSet::from([q.host()]));
}

#[tokio::test]
async fn polling_sessions_stay_with_their_process_and_talk_across() {
    let two = Two::start().await;
    let nginx = Nginx::start(&two.p, &two.q).await;
    let (mut ann, mut bob) = two.guests().await;
    let Login { cookie, .. } = Login::new(&two.p, "eve").await;
    let poll = "/socket.io/?EIO=4&transport=polling";
    let mut said = Vec::new();
    for last in 2..19 {
        let (address, host) = (format!("127.0.0.{last}"), nginx.host());
        let ask = async |method: &str, path: &str, body: &str| {
            let (status, answer) = send_from(&address, &host, method, path, &cookie, body).await;
            assert_eq!(status, 200, "{answer}");
            answer
        };
        let opened = ask("GET", poll, "").await;
        let sid =
            opened.split(r#""sid":""#).nth(1).and_then(|rest| rest.split('"').next()).expect("a session");
        let session = format!("{poll}&sid={sid}");
        let text = format!("eve {last}");
        // CONNECT, and an event.
        ask("POST", &session, "40").await;
        let connected = ask("GET", &session, "").await;
        assert!(connected.contains("40{"), "{connected}");
        ask("POST", &session, &format!("42{}", json!(["chat message", text]))).await;
        said.push(text);
    }
    for ear in [&mut ann, &mut bob] {
        while ear.heard.len() < said.len() {
            ear.next().await;
        }
        // In any order, since they come from two processes.
        let heard: BTreeSet<_> = std::mem::take(&mut ear.heard).into_iter().collect();
        assert_eq!(heard, said.iter().cloned().collect());
    }
    let processes: BTreeSet<_> =
        nginx.requests("/socket.io/", 17 * 4).await.into_iter().map(|(_, process)| process).collect();
    assert_eq!(processes, BTreeSet::from([two.p.host(), two.q.host()]));
}

#[tokio::test]
async fn behind_nginx_an_address_is_not_forged_and_an_origin_counts() {
    let p = Chat::start(&["--behind-proxy", "--max-per-address", "1"]).await;
    // One process for both, since each counts for itself.
    let nginx = Nginx::start(&p, &p).await;
    let login = Login::new(&p, "ann").await;
    let connect = async |origin: String, address: &str| {
        let request = ClientRequest::new(&format!("ws://{}/socket/main", nginx.host())).expect("a request");
        let request = request.with_header("Cookie", &login.cookie).expect("a header");
        let request = request.with_header("Origin", &origin).expect("a header");
        let request = request.with_header("X-Forwarded-For", address).expect("a header");
        Connector::new().connect(request).await
    };
    let ours = format!("http://{}", nginx.host());
    let error = connect(p.url(""), "10.0.0.9").await.expect_err("another origin").to_string();
    assert!(error.contains("403"), "{error}");
    let _first = connect(ours.clone(), "10.0.0.1").await.expect("a place");
    let error = connect(ours, "10.0.0.2").await.expect_err("no place").to_string();
    assert!(error.contains("429"), "{error}");
}
