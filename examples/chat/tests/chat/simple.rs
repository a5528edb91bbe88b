//! A page of the official Socket.IO client beside one of our own, in Chromium.

use serde_json::json;

use crate::chromium::{Chromium, Page};
use crate::client::{ask, upgrade};
use crate::process::Chat;

/// What the official client's page shows.
async fn shown(page: &mut Page) -> Vec<String> {
    let texts =
        page.eval("[...document.querySelectorAll('#messages li')].map((item) => item.textContent)").await;
    serde_json::from_value(texts).expect("texts")
}

async fn wait_for_shown(page: &mut Page, text: &str) {
    let items = "[...document.querySelectorAll('#messages li')]";
    page.wait(&format!("{items}.some((item) => item.textContent === {})", json!(text))).await;
}

#[tokio::test]
async fn a_page_of_socket_io_talks_with_one_of_ours() {
    let (mut chat, chromium) = (Chat::start(&[]).await, Chromium::start().await);
    let (mut own, mut simple) = (chromium.page(&chat.url("/")).await, chromium.page(&chat.url("/")).await);
    own.log_in("ann").await;
    let bob = simple.log_in("bob").await;
    own.wait_for_people(2).await;
    own.say("before").await;
    own.wait_for_acks().await;

    // The other page comes in place of ours, and sees what was said.
    simple.open(&chat.url("/simple")).await;
    wait_for_shown(&mut simple, "before").await;
    own.wait_for_people(2).await;

    simple.say("hello <b>ann</b>").await;
    own.wait_for_text("hello <b>ann</b>").await;
    let from = own.eval("[...document.querySelectorAll('.message')].at(-1).textContent").await;
    let name = bob.split('#').next().expect("a name");
    assert!(from.as_str().expect("text").contains(name), "{from}");
    own.say("hello bob").await;
    own.wait("document.querySelectorAll('.message.mine .tick.told').length === 2").await;
    wait_for_shown(&mut simple, "hello bob").await;
    assert_eq!(shown(&mut simple).await, ["before", "hello <b>ann</b>", "hello bob"]);

    // From polling to a WebSocket, as the official client does by default.
    simple.wait("socket.io.engine.transport.name === 'websocket'").await;

    // Whatever both say while the server is gone arrives, once.
    chat.kill().await;
    own.wait("document.getElementById('state').dataset.state !== 'open'").await;
    simple.wait("!socket.connected").await;
    own.say("are you there?").await;
    simple.say("and you?").await;
    chat.restart().await;
    own.wait_for_text("and you?").await;
    wait_for_shown(&mut simple, "are you there?").await;
    wait_for_shown(&mut simple, "and you?").await;
    own.wait_for_acks().await;
    own.say("the end").await;
    wait_for_shown(&mut simple, "the end").await;
    let both = [own.texts().await, shown(&mut simple).await];
    assert_eq!(both[0], both[1]);
    assert_eq!(both[0].len(), 6, "{both:?}");
}

#[tokio::test]
async fn the_stock_client_is_served() {
    let chat = Chat::start(&[]).await;
    let file = ask(&chat.host(), "GET /socket.io/socket.io.js", &[], "").await;
    assert_eq!(file.status, 200);
    assert!(file.header("content-type").expect("a type").starts_with("application/javascript"));
    assert!(file.body.starts_with("/*!\n * Socket.IO v4"), "{}", &file.body[..60]);
    // Without a login there is nothing but the file.
    let page = ask(&chat.host(), "GET /simple", &[], "").await;
    assert_eq!((page.status, page.header("location")), (303, Some("/")));
    let path = "GET /socket.io/?EIO=4&transport=";
    assert_eq!(ask(&chat.host(), &format!("{path}polling"), &[], "").await.status, 401);
    let headers = upgrade("http://elsewhere.example", "");
    assert_eq!(ask(&chat.host(), &format!("{path}websocket"), &headers, "").await.status, 401);
}
