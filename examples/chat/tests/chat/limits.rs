//! What is too much, and that others do not notice.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::client::{Client, Login, ask, room};
use crate::process::{Chat, DEADLINE};
use crate::text;

#[tokio::test]
async fn a_flooder_is_limited_and_the_others_go_on() {
    let chat = Chat::start(&["--rate", "5"]).await;
    let mut ann = Client::member(&chat, "ann", "lobby").await;
    let mut bob = Client::member(&chat, "bob", "lobby").await;
    let mut flooder = Client::member(&chat, "eve", "lobby").await;
    for id in 0..300 {
        let say = json!({ "type": "say", "id": id, "to": room("lobby"), "text": "buy" });
        // It may be closed already.
        let _ = flooder.socket.feed(say.to_string()).await;
    }
    let _ = flooder.socket.flush().await;
    assert_eq!(ann.say(room("lobby"), "hello").await["type"], "ack");
    bob.find(|message| message["text"] == "hello").await;
    let refused = flooder.until("refused").await;
    assert_eq!((text(&refused, "/reason"), refused["id"].is_u64()), ("too-fast", true));
    assert!(refused["wait"].as_u64().is_some_and(|wait| (1..=201).contains(&wait)), "{refused}");
    assert_eq!(flooder.closed().await, (1008, "too many messages".into()));
    // She has left the room, and hers was a full bucket at most, and what it got meanwhile.
    let ack = ann.say(room("lobby"), "she is gone").await;
    assert_eq!(ack["reached"], 1, "{ack}");
    assert!(ack["seq"].as_u64().is_some_and(|seq| seq < 100), "{ack}");
}

#[tokio::test]
async fn a_new_connection_brings_no_new_messages() {
    let chat = Chat::start(&["--rate", "0.1"]).await;
    let login = Login::new(&chat, "ann").await;
    let mut first = Client::hello(&chat, &login, '1', Value::Null).await;
    first.join("lobby", Value::Null).await;
    assert_eq!(first.say(room("lobby"), "hello").await["type"], "ack");
    drop(first);
    // Neither does a page nor a session: her two are gone.
    let mut second = Client::hello(&chat, &login, '2', Value::Null).await;
    second.send(json!({ "type": "join", "room": "lobby" })).await;
    assert_eq!(text(&second.find(|message| message["type"] != "said").await, "/reason"), "too-fast");
    let (path, headers) = ("/socket.io/?EIO=4&transport=polling", [("Cookie", login.cookie.as_str())]);
    let opened = ask(&chat.host(), &format!("GET {path}"), &headers, "").await;
    let session = format!("{path}&sid={}", opened.between("\"sid\":\"", "\""));
    ask(&chat.host(), &format!("POST {session}"), &headers, "40").await;
    let answer = ask(&chat.host(), &format!("GET {session}"), &headers, "").await;
    assert!(answer.body.contains("too many messages at once"), "{}", answer.body);
    // Others have their own.
    Client::member(&chat, "bob", "lobby").await;
}

#[tokio::test]
async fn connections_from_one_address_are_limited() {
    let chat = Chat::start(&["--max-per-address", "3"]).await;
    let login = Login::new(&chat, "ann").await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(Client::connect(&chat, &login).await);
    }
    let refused = ask(&chat.host(), "GET /", &[], "").await;
    assert_eq!((refused.status, refused.body.as_str()), (429, "too many connections from your address"));
    clients.pop();
    while ask(&chat.host(), "GET /", &[], "").await.status != 200 {}
}

#[tokio::test]
async fn connections_in_all_are_limited() {
    let chat = Chat::start(&["--max-connections", "2"]).await;
    let login = Login::new(&chat, "ann").await;
    let _clients = (Client::connect(&chat, &login).await, Client::connect(&chat, &login).await);
    let refused = ask(&chat.host(), "GET /", &[], "").await;
    assert_eq!((refused.status, refused.body.as_str()), (503, "too many connections"));
}

#[tokio::test]
async fn behind_a_proxy_the_address_is_what_it_tells() {
    let chat = Chat::start(&["--behind-proxy", "--max-per-address", "1"]).await;
    let Login { cookie, .. } = Login::new(&chat, "ann").await;
    let connect = async |address: &'static str| {
        let uri = format!("ws://{}/socket/main", chat.host());
        let request = tidewire::ClientRequest::new(&uri).expect("a request");
        let request = request.with_header("Cookie", &cookie).expect("a header");
        let request = request.with_header("X-Forwarded-For", address).expect("a header");
        tidewire::tokio::Connector::new().connect(request).await
    };
    let _first = connect("10.0.0.1").await.expect("a place");
    let _second = connect("10.0.0.1, 10.0.0.2").await.expect("a place");
    // What a client writes itself comes before what the proxy adds.
    let error = connect("10.9.9.9, 10.0.0.1").await.expect_err("no place");
    assert!(error.to_string().contains("429"), "{error}");
}

#[tokio::test]
async fn what_is_no_message_is_refused_or_closed() {
    let chat = Chat::start(&[]).await;
    let mut ann = Client::member(&chat, "ann", "lobby").await;
    for wrong in ["", "null", "{}", "[[[[", r#"{"type":"say"}"#, &"[".repeat(2_000)] {
        ann.socket.send(wrong).await.expect("sent");
        assert_eq!(text(&ann.until("refused").await, "/reason"), "malformed", "{wrong}");
    }
    ann.send(json!({ "type": "join", "room": "a b" })).await;
    let refused = ann.until("refused").await;
    assert!(text(&refused, "/text").contains("a name has 1 to 48 bytes"), "{refused}");
    assert_eq!(text(&ann.say(room("lobby"), &"x".repeat(4_001)).await, "/reason"), "too-long");
    assert_eq!(text(&ann.say(room("lobby"), " ").await, "/reason"), "empty");
    assert_eq!(ann.say(room("lobby"), &"x".repeat(4_000)).await["type"], "ack");
    ann.socket.send([1, 2, 3]).await.expect("sent");
    assert_eq!(ann.closed().await.0, 1003);
    let mut bob = Client::member(&chat, "bob", "lobby").await;
    bob.socket.send("x".repeat(100_000)).await.expect("sent");
    assert_eq!(bob.closed().await.0, 1009);
}

#[tokio::test]
async fn rooms_of_one_person_are_limited() {
    let chat = Chat::start(&["--rate", "1000"]).await;
    let login = Login::new(&chat, "ann").await;
    let mut first = Client::hello(&chat, &login, '1', Value::Null).await;
    let mut ann = Client::hello(&chat, &login, '2', Value::Null).await;
    for number in 0..32 {
        let page = if number < 16 { &mut first } else { &mut ann };
        page.join(&format!("room{number}"), Value::Null).await;
    }
    ann.send(json!({ "type": "join", "room": "room32" })).await;
    let refused = ann.until("refused").await;
    assert_eq!((text(&refused, "/reason"), text(&refused, "/room")), ("too-many-rooms-of-yours", "room32"));
}

#[tokio::test]
async fn a_guest_that_does_not_read_is_let_go() {
    let chat = Chat::start(&["--rate", "100000"]).await;
    let slow = Client::member(&chat, "slow", "lobby").await;
    let mut ann = Client::member(&chat, "ann", "lobby").await;
    let mut bob = Client::member(&chat, "bob", "lobby").await;
    // More than the buffers of the system and the limit of the output hold; it does not compress well.
    let mut random = 1_u64;
    let mut noise = || -> String {
        let char = |_| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(b' ' + (random >> 33) as u8 % 90)
        };
        (0..4_000).map(char).collect()
    };
    let mut sent = 0;
    let went = loop {
        sent += 1;
        assert!(sent < 20_000, "the slow one is still there");
        let text = noise();
        ann.send(json!({ "type": "say", "id": sent, "to": room("lobby"), "text": text })).await;
        let answer = ann.find(|message| message["type"] == "went" || message["id"] == sent).await;
        if answer["type"] == "went" {
            break answer;
        }
        assert_eq!(bob.hear().await, text);
    };
    assert_eq!(text(&went, "/user"), slow.user);
    assert_eq!(ann.say_as(100_000, room("lobby"), "on we go").await["reached"], 1);
}

#[tokio::test]
async fn a_head_that_does_not_end_costs_a_place_for_a_while_only() {
    let chat = Chat::start(&["--max-connections", "1"]).await;
    let mut stream = tokio::net::TcpStream::connect(chat.host()).await.expect("connected");
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.expect("written");
    // The server ends it after 10 s, and then there is a place again.
    let mut answer = Vec::new();
    timeout(DEADLINE, stream.read_to_end(&mut answer)).await.expect("in time").expect("an end");
    drop(stream);
    while ask(&chat.host(), "GET /", &[], "").await.status != 200 {}
}
