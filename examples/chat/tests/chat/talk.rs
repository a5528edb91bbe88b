//! Talking, and being away.

use serde_json::{Value, json};
use tidewire::tokio::Connector;
use tidewire::{ClientRequest, Config, Deflate};

use crate::client::{Client, Login, ask, room};
use crate::process::Chat;
use crate::text;

#[tokio::test]
async fn a_room_hears_what_is_said() {
    let chat = Chat::start(&[]).await;
    let mut ann = Client::member(&chat, "ann", "lobby").await;
    let mut bob = Client::member(&chat, "bob", "lobby").await;
    let came = ann.until("came").await;
    assert_eq!((text(&came, "/room"), text(&came, "/user")), ("lobby", bob.user.as_str()));
    let ack = ann.say(room("lobby"), "hello <b>").await;
    assert_eq!((text(&ack, "/type"), &ack["seq"], &ack["reached"]), ("ack", &json!(1), &json!(1)));
    let said = bob.until("said").await;
    assert_eq!((text(&said, "/text"), text(&said, "/from")), ("hello <b>", ann.user.as_str()));
    assert_eq!((&said["to"], &said["origin"]), (&room("lobby"), &ack["origin"]));
    // The sender hears it if it wants to.
    ann.send(json!({ "type": "say", "id": 99, "to": room("lobby"), "text": "echo", "echo": true })).await;
    assert_eq!(ann.hear().await, "echo");
    bob.send(json!({ "type": "leave", "room": "lobby" })).await;
    assert_eq!(text(&bob.until("left").await, "/room"), "lobby");
    assert_eq!(text(&ann.until("went").await, "/user"), bob.user);
    assert_eq!(text(&bob.say(room("lobby"), "still here").await, "/reason"), "not-a-member");
}

#[tokio::test]
async fn a_private_message_waits_for_who_is_away() {
    let chat = Chat::start(&[]).await;
    let mut ann = Client::member(&chat, "ann", "lobby").await;
    let login = Login::new(&chat, "bob").await;
    let mut bob = Client::hello(&chat, &login, '1', Value::Null).await;
    let to_bob = json!({ "user": login.user });
    let first = ann.say(to_bob.clone(), "one").await;
    assert_eq!(first["reached"], 1);
    assert_eq!(bob.hear().await, "one");
    bob.socket.close(tidewire::CloseCode::NORMAL).await.expect("closed");
    // Until the server knows that he is gone.
    let mut id = 100;
    while ann.say_as(id, to_bob.clone(), "two").await["reached"] == 1 {
        id += 1;
    }
    let position = json!({ text(&first, "/origin"): first["seq"] });
    let mut bob = Client::connect(&chat, &login).await;
    let hello = json!({ "type": "hello", "token": login.token, "client": "1".repeat(32), "user": position });
    bob.send(hello).await;
    assert_eq!(bob.hear().await, "two");
}

#[tokio::test]
async fn moderators_speak_to_all_and_others_do_not() {
    let chat = Chat::start(&[]).await;
    let mut ann = Client::member(&chat, "ann", "news").await;
    let login = Login::with(&chat, "max", "low tide").await;
    let mut moderator = Client::hello(&chat, &login, '1', Value::Null).await;
    moderator.join("news", Value::Null).await;
    assert_eq!(moderator.say(json!("all"), "welcome").await["type"], "ack");
    assert_eq!(ann.hear().await, "welcome");
    assert_eq!(moderator.say(room("news"), "it is spring").await["type"], "ack");
    assert_eq!(ann.hear().await, "it is spring");
    for to in [json!("all"), room("news")] {
        assert_eq!(text(&ann.say(to, "me too").await, "/reason"), "not-allowed");
    }
}

#[tokio::test]
async fn namespaces_know_nothing_of_each_other() {
    let chat = Chat::start(&["--namespace", "main", "--namespace", "team"]).await;
    let mut ann = Client::member(&chat, "ann", "lobby").await;
    let login = Login::new(&chat, "bob").await;
    let request = ClientRequest::new(&format!("ws://{}/socket/team", chat.host())).expect("a request");
    let request = request.with_header("Cookie", &login.cookie).expect("a header");
    let socket = Connector::new().connect(request).await.expect("accepted");
    let mut bob = Client::on(socket, &login);
    bob.send(json!({ "type": "hello", "token": login.token, "client": "1".repeat(32) })).await;
    bob.send(json!({ "type": "join", "room": "lobby" })).await;
    let joined = bob.find(|message| message["channel"] == room("lobby")).await;
    assert_eq!(joined["people"], json!([login.user]));
    assert_eq!(ann.say(room("lobby"), "hello").await["reached"], 0);
    assert_eq!(text(&ann.say(json!({ "user": login.user }), "hello").await, "/reason"), "no-such-person");
}

#[tokio::test]
async fn each_namespace_has_a_page() {
    let chat = Chat::start(&["--namespace", "main", "--namespace", "team"]).await;
    let visit = ask(&chat.host(), "GET /n/team", &[], "").await;
    let token = visit.between("name=\"token\" value=\"", "\"");
    let form =
        format!("token={token}&namespace={}&name=ann", visit.between("name=\"namespace\" value=\"", "\""));
    let answer = ask(&chat.host(), "POST /login", &[("Cookie", &visit.cookie())], &form).await;
    assert_eq!(answer.header("location"), Some("/n/team"));
    let page = ask(&chat.host(), "GET /n/team", &[("Cookie", &answer.cookie())], "").await;
    assert_eq!(page.between("data-namespace=\"", "\""), "team");
    assert_eq!(ask(&chat.host(), "GET /n/other", &[], "").await.status, 404);
}

#[tokio::test]
async fn messages_are_compressed_for_those_who_offer_it() {
    let chat = Chat::start(&[]).await;
    let mut ann = Client::member(&chat, "ann", "lobby").await;
    assert_eq!(ann.socket.agreement(), None);
    let login = Login::new(&chat, "bob").await;
    let request = ClientRequest::new(&format!("ws://{}/socket/main", chat.host())).expect("a request");
    let request = request.with_header("Cookie", &login.cookie).expect("a header");
    let config = Config::new().with_deflate(Deflate::new());
    let socket = Connector::new().with_config(config).connect(request).await.expect("accepted");
    assert!(socket.agreement().is_some());
    let mut bob = Client::on(socket, &login);
    bob.send(json!({ "type": "hello", "token": login.token, "client": "1".repeat(32) })).await;
    bob.send(json!({ "type": "join", "room": "lobby" })).await;
    bob.find(|message| message["channel"] == room("lobby")).await;
    // One message, encoded once, for both.
    let text = "tide ".repeat(700);
    let mut eve = Client::member(&chat, "eve", "lobby").await;
    eve.say(room("lobby"), &text).await;
    assert_eq!((ann.hear().await, bob.hear().await), (text.clone(), text));
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill_and_comes_once() {
    let mut chat = Chat::start(&["--rate", "1000"]).await;
    let login = Login::new(&chat, "ann").await;
    let mut ann = Client::hello(&chat, &login, 'a', Value::Null).await;
    ann.join("lobby", Value::Null).await;
    let mut last = Value::Null;
    for id in 1..=20 {
        last = ann.say_as(id, room("lobby"), &id.to_string()).await;
    }
    // One is said, and killed before the answer has been read.
    ann.send(json!({ "type": "say", "id": 21, "to": room("lobby"), "text": "21" })).await;
    chat.kill().await;
    chat.restart().await;
    // The login is still one, since its key is in the folder.
    let mut ann = Client::hello(&chat, &login, 'a', Value::Null).await;
    let joined = ann.join("lobby", json!({ text(&last, "/origin"): 18 })).await;
    assert_eq!(joined["gap"], false);
    assert_eq!((ann.hear().await, ann.hear().await), ("19".into(), "20".into()));
    // Sent again, known or new, they are said once.
    for id in 19..=22 {
        let ack = ann.say_as(id, room("lobby"), &id.to_string()).await;
        assert_eq!((text(&ack, "/type"), &ack["seq"], &ack["origin"]), ("ack", &json!(id), &last["origin"]));
    }
    let mut bob = Client::member(&chat, "bob", "lobby").await;
    for id in 1..=22 {
        assert_eq!(bob.hear().await, id.to_string());
    }
}

#[tokio::test]
async fn a_server_that_stops_says_goodbye() {
    let mut chat = Chat::start(&[]).await;
    let mut ann = Client::member(&chat, "ann", "lobby").await;
    let mut bob = Client::connect(&chat, &Login::new(&chat, "bob").await).await;
    let (status, ann, bob) = tokio::join!(chat.terminate(), ann.closed(), bob.closed());
    assert!(status.success(), "{status}");
    assert_eq!((ann.0, bob.0), (1001, 1001));
}
