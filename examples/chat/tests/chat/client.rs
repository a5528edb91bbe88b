//! A client without a browser: forms, and a WebSocket.

use serde_json::{Value, json};
use tidewire::tokio::{ClientStream, Connector, WebSocket};
use tidewire::{ClientRequest, Error, Message};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::process::{Chat, DEADLINE};
use crate::text;

/// What a server has answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The cookie that it sets.
    pub(crate) fn cookie(&self) -> String {
        self.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie").to_owned()
    }

    /// What stands between two texts of its page.
    pub(crate) fn between(&self, before: &str, after: &str) -> String {
        let rest = self.body.split_once(before).unwrap_or_else(|| panic!("no {before} in {}", self.body)).1;
        rest.split_once(after).expect("an end").0.to_owned()
    }
}

/// Sends a request, with lines of headers, and reads the answer to its end.
pub(crate) async fn ask(host: &str, request: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut stream = TcpStream::connect(host).await.expect("connected");
    let mut head = format!("{request} HTTP/1.1\r\nHost: {host}\r\n");
    if !headers.iter().any(|(name, _)| *name == "Connection") {
        head += "Connection: close\r\n";
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() {
        head +=
            &format!("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n", body.len());
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).await.expect("written");
    let mut answer = Vec::new();
    timeout(DEADLINE, stream.read_to_end(&mut answer)).await.expect("in time").expect("an answer");
    let answer = String::from_utf8(answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {answer:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, head: head.into(), body: body.into() }
}

/// The headers of a request for a WebSocket.
pub(crate) fn upgrade<'h>(origin: &'h str, cookie: &'h str) -> Vec<(&'static str, &'h str)> {
    vec![
        // An answer other than 101 ends the connection, and with it the reading.
        ("Connection", "Upgrade, close"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Origin", origin),
        ("Cookie", cookie),
    ]
}

/// Somebody who has logged in.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) cookie: String,
    pub(crate) token: String,
    pub(crate) user: String,
}

impl Login {
    pub(crate) async fn new(chat: &Chat, name: &str) -> Self {
        Self::with(chat, name, "").await
    }

    pub(crate) async fn with(chat: &Chat, name: &str, password: &str) -> Self {
        let visit = ask(&chat.host(), "GET /", &[], "").await;
        let token = visit.between("name=\"token\" value=\"", "\"");
        let form =
            format!("token={token}&namespace=main&name={name}&password={}", password.replace(' ', "+"));
        let answer = ask(&chat.host(), "POST /login", &[("Cookie", &visit.cookie())], &form).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        let cookie = answer.cookie();
        let page = ask(&chat.host(), "GET /", &[("Cookie", &cookie)], "").await;
        let (user, token) = (page.between("data-user=\"", "\""), page.between("data-token=\"", "\""));
        Self { cookie, token, user }
    }
}

/// A page without a browser.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) socket: WebSocket<ClientStream>,
    pub(crate) user: String,
    /// How many people it has seen going.
    pub(crate) went: usize,
    /// What it was told, in order.
    pub(crate) heard: Vec<String>,
    next_id: u64,
}

impl Client {
    /// Connected, and nothing said.
    pub(crate) async fn connect(chat: &Chat, login: &Login) -> Self {
        let request = ClientRequest::new(&format!("ws://{}/socket/main", chat.host())).expect("a request");
        let request = request.with_header("Cookie", &login.cookie).expect("a header");
        let socket =
            timeout(DEADLINE, Connector::new().connect(request)).await.expect("in time").expect("accepted");
        Self::on(socket, login)
    }

    pub(crate) fn on(socket: WebSocket<ClientStream>, login: &Login) -> Self {
        Self { socket, user: login.user.clone(), went: 0, heard: Vec::new(), next_id: 1 }
    }

    /// Connected and welcome. `client` is what it calls itself, a digit.
    pub(crate) async fn hello(chat: &Chat, login: &Login, client: char, user: Value) -> Self {
        let mut this = Self::connect(chat, login).await;
        let client: String = [client; 32].iter().collect();
        this.send(
            json!({ "type": "hello", "token": login.token, "client": client, "all": null, "user": user }),
        )
        .await;
        assert_eq!(text(&this.until("welcome").await, "/user"), login.user);
        this.until("joined").await;
        this.until("joined").await;
        this
    }

    /// A new person in a room.
    pub(crate) async fn member(chat: &Chat, name: &str, room: &str) -> Self {
        let login = Login::new(chat, name).await;
        let mut this = Self::hello(chat, &login, '1', Value::Null).await;
        this.join(room, Value::Null).await;
        this
    }

    pub(crate) async fn send(&mut self, message: Value) {
        timeout(DEADLINE, self.socket.send(message.to_string())).await.expect("in time").expect("sent");
    }

    pub(crate) async fn join(&mut self, room: &str, since: Value) -> Value {
        self.send(json!({ "type": "join", "room": room, "since": since })).await;
        self.until("joined").await
    }

    /// Says something with the next number, and returns the answer.
    pub(crate) async fn say(&mut self, to: Value, text: &str) -> Value {
        self.next_id += 1;
        self.say_as(self.next_id, to, text).await
    }

    pub(crate) async fn say_as(&mut self, id: u64, to: Value, text: &str) -> Value {
        self.send(json!({ "type": "say", "id": id, "to": to, "text": text })).await;
        self.find(|message| message["id"] == id && message["type"] != "said").await
    }

    /// The next message.
    pub(crate) async fn next(&mut self) -> Value {
        let message = timeout(DEADLINE, self.socket.recv()).await.expect("in time").expect("connected");
        let Some(Message::Text(text)) = message else { panic!("expected text, got {message:?}") };
        let message: Value = serde_json::from_str(&text).expect("JSON");
        self.went += usize::from(message["type"] == "went");
        if message["type"] == "said" {
            self.heard.push(crate::text(&message, "/text").to_owned());
        }
        message
    }

    /// The next message of a type.
    pub(crate) async fn until(&mut self, kind: &str) -> Value {
        self.find(|message| message["type"] == kind).await
    }

    pub(crate) async fn find(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message = self.next().await;
            if is_it(&message) {
                return message;
            }
        }
    }

    /// The text of the next message that somebody has said.
    pub(crate) async fn hear(&mut self) -> String {
        text(&self.until("said").await, "/text").to_owned()
    }

    /// The code with which the server closes, and its reason.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        loop {
            match timeout(DEADLINE, self.socket.recv()).await.expect("in time") {
                Ok(Some(_)) => {}
                Err(Error::ClosedByPeer(frame)) => return (frame.code().into(), frame.reason().to_owned()),
                Ok(None) => {
                    let ending = self.socket.ending().expect("an end");
                    let frame = ending.received().expect("a Close frame");
                    return (frame.code().into(), frame.reason().to_owned());
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// A room, as the protocol names it.
pub(crate) fn room(name: &str) -> Value {
    json!({ "room": name })
}
