//! Two pages in Chromium.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::chromium::{Chromium, Page};
use crate::client::{Client, Login};
use crate::process::Chat;

impl Page {
    /// Logs in as a person does, by keyboard, and waits until the lobby is there. Returns the name with its mark.
    async fn log_in(&mut self, name: &str) -> String {
        self.wait("document.activeElement.id === 'name'").await;
        self.write(name).await;
        self.press("Enter").await;
        self.wait("document.getElementById('state')?.dataset.state === 'open'").await;
        self.wait("document.getElementById('title').textContent === '# lobby'").await;
        self.eval("document.body.dataset.user").await.as_str().expect("a name").to_owned()
    }

    /// Writes a message and sends it with the Enter key.
    async fn say(&mut self, text: &str) {
        self.eval("document.getElementById('text').focus()").await;
        self.write(text).await;
        self.press("Enter").await;
    }

    /// The texts of the messages that are shown.
    async fn texts(&mut self) -> Vec<String> {
        let texts = self.eval("[...document.querySelectorAll('.message .words')].map((words) => words.textContent)").await;
        serde_json::from_value(texts).expect("texts")
    }

    async fn wait_for_text(&mut self, text: &str) {
        let words = "[...document.querySelectorAll('.message .words')]";
        self.wait(&format!("{words}.some((words) => words.textContent === {})", json!(text))).await;
    }

    /// Waits until no message of ours waits for its acknowledgement.
    async fn wait_for_acks(&mut self) {
        self.wait("!document.querySelector('.tick.pending')").await;
    }

    async fn wait_for_people(&mut self, count: usize) {
        self.wait(&format!("document.querySelectorAll('#people li').length === {count}")).await;
    }

    async fn join(&mut self, room: &str) {
        self.eval("document.getElementById('room').focus()").await;
        self.write(room).await;
        self.press("Enter").await;
        self.wait(&format!("document.getElementById('title').textContent === '# {room}'")).await;
    }
}

#[tokio::test]
async fn two_pages_talk() {
    let (chat, chromium) = (Chat::start(&[]).await, Chromium::start().await);
    let (mut one, mut two) = (chromium.page(&chat.url("/")).await, chromium.page(&chat.url("/")).await);
    let ann = one.log_in("ann").await;
    let bob = two.log_in("bob").await;
    one.wait_for_people(2).await;
    two.wait_for_people(2).await;

    // In a room: what one says the other hears, as text and not as markup, and the sender learns that it was delivered.
    one.say("hello <b>bob</b>").await;
    two.wait_for_text("hello <b>bob</b>").await;
    one.wait("document.querySelector('.message.mine .tick.told')").await;
    assert_eq!(one.eval("document.querySelectorAll('.messages b').length").await, 0);

    // In another room, which the other one does not hear.
    one.join("tea").await;
    one.say("nobody here").await;
    one.wait("document.querySelector('.message.mine .tick.stored')").await;

    // A private message, to somebody among the people of a room. It is unread until it is looked at.
    let choose = format!("[...document.querySelectorAll('#people button')].find((button) => button.textContent.includes({}))", json!(ann));
    two.wait(&choose).await;
    two.eval(&format!("{choose}.click()")).await;
    two.say("psst").await;
    one.wait("document.querySelector('#privates .badge')?.textContent.startsWith('1')").await;
    assert_eq!(one.eval("document.title").await, "(1) Chat");
    one.eval("document.querySelector('#privates button').click()").await;
    one.wait_for_text("psst").await;
    one.wait("document.title === 'Chat'").await;
    assert_eq!(one.texts().await, ["psst"]);

    // By keyboard from one conversation to the next.
    one.call("Input.dispatchKeyEvent", json!({ "type": "keyDown", "key": "ArrowDown", "code": "ArrowDown", "modifiers": 1 })).await;
    one.wait("document.getElementById('title').textContent === '# lobby'").await;

    // Leaving: the other one sees who goes.
    two.eval("[...document.querySelectorAll('#rooms button')].find((button) => button.textContent.includes('lobby')).click()").await;
    two.wait_for_people(2).await;
    one.eval("document.getElementById('leave').click()").await;
    two.wait_for_people(1).await;
    assert_eq!(two.texts().await, ["hello <b>bob</b>"]);
    assert_eq!(two.eval("document.querySelector('#people').innerText.includes('bob')").await, true, "{bob}");

    // What a room does not allow is told.
    two.eval("[...document.querySelectorAll('#rooms button')].find((button) => button.textContent.includes('news')).click()").await;
    two.say("gossip").await;
    two.wait("document.querySelector('.message.failed .why')?.textContent.startsWith('you may not do this')").await;

    // Nothing broke the policy for contents, or threw.
    for page in [&mut one, &mut two] {
        assert_eq!(page.eval("document.querySelectorAll('script[src], link[href]').length > 0").await, true);
    }
}

/// Says numbered messages, without waiting for one of them.
async fn say_many(page: &mut Page, from: &str, numbers: std::ops::Range<u32>) {
    for number in numbers {
        page.say(&format!("{from} {number}")).await;
    }
}

#[tokio::test]
async fn a_killed_server_loses_nothing_and_repeats_nothing() {
    let (mut chat, chromium) = (Chat::start(&["--rate", "50"]).await, Chromium::start().await);
    let (mut one, mut two) = (chromium.page(&chat.url("/")).await, chromium.page(&chat.url("/")).await);
    one.log_in("ann").await;
    two.log_in("bob").await;
    one.wait_for_people(2).await;
    for round in 0..3 {
        let numbers = round * 20..round * 20 + 10;
        tokio::join!(say_many(&mut one, "ann", numbers.clone()), say_many(&mut two, "bob", numbers.clone()));
        // Whatever is under way now.
        chat.kill().await;
        let later = numbers.end..numbers.end + 10;
        tokio::join!(say_many(&mut one, "ann", later.clone()), say_many(&mut two, "bob", later));
        one.wait("document.getElementById('state').dataset.state !== 'open'").await;
        chat.restart().await;
    }
    let mut seen = Vec::new();
    for page in [&mut one, &mut two] {
        page.wait_for_acks().await;
        page.wait_for_text("ann 59").await;
        page.wait_for_text("bob 59").await;
        page.wait("document.querySelectorAll('.message').length >= 120").await;
        assert_eq!(page.eval("document.querySelectorAll('.divider.gap, .failed').length").await, 0);
        seen.push(page.texts().await);
    }
    // A page that comes only now sees the same.
    let mut three = chromium.page(&chat.url("/")).await;
    three.log_in("eve").await;
    three.wait("document.querySelectorAll('.message').length >= 120").await;
    seen.push(three.texts().await);
    for texts in &seen {
        for from in ["ann", "bob"] {
            let of_one: Vec<_> = texts.iter().filter(|text| text.starts_with(from)).cloned().collect();
            assert_eq!(of_one, (0..60).map(|number| format!("{from} {number}")).collect::<Vec<_>>());
        }
        assert_eq!(texts.len(), 120);
        assert_eq!(texts, &seen[2], "all see one order");
    }
}

#[tokio::test]
async fn a_page_that_is_loaded_again_sends_what_it_had_not_sent() {
    let (mut chat, chromium) = (Chat::start(&[]).await, Chromium::start().await);
    let mut page = chromium.page(&chat.url("/")).await;
    page.log_in("ann").await;
    page.say("before").await;
    page.wait_for_acks().await;
    chat.kill().await;
    page.wait("document.getElementById('state').dataset.state === 'waiting'").await;
    page.say("meanwhile").await;
    chat.restart().await;
    page.call("Page.reload", json!({})).await;
    page.wait("document.getElementById('state')?.dataset.state === 'open'").await;
    page.wait("document.querySelectorAll('.message .tick.stored').length === 2").await;
    assert_eq!(page.texts().await, ["before", "meanwhile"]);
    page.call("Page.reload", json!({})).await;
    page.wait("document.getElementById('state')?.dataset.state === 'open'").await;
    page.wait("document.querySelectorAll('.message .tick.stored').length === 2").await;
    assert_eq!(page.texts().await, ["before", "meanwhile"]);
}

#[tokio::test]
async fn a_frozen_page_catches_up() {
    let chat = Chat::start(&["--rate", "1000", "--keepalive", "1"]).await;
    let chromium = Chromium::start().await;
    let (mut one, mut two) = (chromium.page(&chat.url("/")).await, chromium.page(&chat.url("/")).await);
    one.log_in("ann").await;
    two.log_in("bob").await;
    let expected = |count: u32| (0..count).map(|number| number.to_string()).collect::<Vec<_>>();

    // Only its scripts are frozen, as those of a page in the background are.
    one.call("Page.setWebLifecycleState", json!({ "state": "frozen" })).await;
    for number in 0..50 {
        two.say(&number.to_string()).await;
    }
    two.wait_for_acks().await;
    one.call("Page.setWebLifecycleState", json!({ "state": "active" })).await;
    one.wait_for_text("49").await;
    assert_eq!(one.texts().await, expected(50));

    // The whole browser stands still, as that of a phone in a pocket, until the server has given both pages up.
    let login = Login::new(&chat, "eve").await;
    chromium.signal("STOP").await;
    let mut eve = Client::hello(&chat, &login, '1', Value::Null).await;
    let lobby = json!({ "room": "lobby" });
    eve.join("lobby", Value::Null).await;
    // Some is said to connections that are not given up yet, and gets lost with them.
    for number in 50..100 {
        eve.say(lobby.clone(), &number.to_string()).await;
    }
    while eve.went < 2 {
        eve.next().await;
    }
    for number in 100..150 {
        eve.say(lobby.clone(), &number.to_string()).await;
    }
    chromium.signal("CONT").await;
    for page in [&mut one, &mut two] {
        page.wait_for_text("149").await;
        assert_eq!(page.texts().await, expected(150));
    }
    assert_eq!(one.eval("document.querySelectorAll('.divider.gap').length").await, 0);
}

#[tokio::test]
async fn a_foreign_page_and_a_forged_login_are_refused() {
    let (chat, chromium) = (Chat::start(&[]).await, Chromium::start().await);
    let mut page = chromium.page(&chat.url("/")).await;
    page.log_in("ann").await;

    // Another origin on the same site: the browser sends the cookie along, and the origin alone tells.
    let evil = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", evil.local_addr().expect("an address"));
    let serve = tokio::spawn(async move {
        while let Ok((mut stream, _)) = evil.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<p>evil").await;
        }
    });
    page.open(&url).await;
    let attempt = format!(
        "new Promise((done) => {{ const socket = new WebSocket('ws://{}/socket/main');
        socket.onopen = () => done('open'); socket.onclose = ({{ code }}) => done(code); }})",
        chat.host()
    );
    assert_eq!(page.eval(&attempt).await, 1006);
    serve.abort();
    // Our own page may.
    page.open(&chat.url("/")).await;
    assert_eq!(page.eval(&attempt).await, "open");

    // A login of another server with the same name, and one that was promoted by hand.
    let cookies = page.call("Network.getCookies", json!({})).await;
    let cookie = cookies["cookies"][0]["value"].as_str().expect("a cookie").to_owned();
    let forged = cookie.replacen(".guest.", ".moderator.", 1);
    assert_ne!(forged, cookie);
    page.call("Network.setCookie", json!({ "url": chat.url("/"), "name": "chat", "value": forged })).await;
    assert_eq!(page.eval(&attempt).await, 1006);
    page.call("Page.reload", json!({})).await;
    page.wait("document.activeElement.id === 'name'").await;
}

#[tokio::test]
async fn a_page_whose_login_is_over_says_so() {
    let (mut chat, chromium) = (Chat::start(&[]).await, Chromium::start().await);
    let mut page = chromium.page(&chat.url("/")).await;
    page.log_in("ann").await;
    chat.kill().await;
    page.call("Network.clearBrowserCookies", json!({})).await;
    chat.restart().await;
    page.wait("document.getElementById('state-text').textContent.startsWith('Your login is over')").await;
}

#[tokio::test]
async fn a_page_that_floods_is_limited_and_two_others_go_on() {
    let (chat, chromium) = (Chat::start(&["--rate", "5"]).await, Chromium::start().await);
    let (mut one, mut two) = (chromium.page(&chat.url("/")).await, chromium.page(&chat.url("/")).await);
    one.log_in("ann").await;
    two.log_in("bob").await;
    let mut flooder = chromium.page(&chat.url("/")).await;
    flooder.log_in("eve").await;
    one.wait_for_people(3).await;
    // With a socket of her own, since the page itself waits for acknowledgements.
    let flood = "new Promise((done) => {
        const socket = new WebSocket(`ws://${location.host}/socket/main`);
        const { token } = document.body.dataset;
        socket.onopen = () => {
            socket.send(JSON.stringify({ type: 'hello', token, client: '1'.repeat(32) }));
            socket.send(JSON.stringify({ type: 'join', room: 'lobby' }));
            for (let id = 1; id < 1000; id += 1) {
                socket.send(JSON.stringify({ type: 'say', id, to: { room: 'lobby' }, text: 'buy' }));
            }
        };
        socket.onclose = ({ code, reason }) => done(`${code} ${reason}`);
    })";
    let (ended, ()) = tokio::join!(flooder.eval(flood), async {
        one.say("is anybody there?").await;
        two.wait_for_text("is anybody there?").await;
        two.say("yes").await;
        one.wait_for_text("yes").await;
    });
    assert_eq!(ended, "1008 too many messages");
    let bought = one.texts().await.iter().filter(|text| *text == "buy").count();
    assert!(bought < 50, "{bought}");
}

/// Not a check: writes what the page looks like into the folder that `CHAT_SCREENSHOTS` names.
#[tokio::test]
#[ignore = "draws pictures"]
async fn screenshots() {
    let folder = std::path::PathBuf::from(std::env::var_os("CHAT_SCREENSHOTS").expect("a folder"));
    let (mut chat, chromium) = (Chat::start(&["--rate", "100"]).await, Chromium::start().await);
    let mut one = chromium.page(&chat.url("/")).await;
    one.screenshot(&folder.join("login-light.png"), "light", (1280, 800)).await;
    one.screenshot(&folder.join("login-dark.png"), "dark", (390, 800)).await;
    one.screenshot(&folder.join("login-light.png"), "light", (1280, 800)).await;
    one.log_in("Ann").await;
    let mut others = Vec::new();
    for name in ["Bob", "Chloé", "Dmitri", "Emeka", "雪"] {
        others.push(Client::member(&chat, name, "lobby").await);
    }
    let lobby = json!({ "room": "lobby" });
    for (who, text) in [
        (0, "Good morning! Who is coming to the harbour today?"),
        (1, "Me. High water is at 11:40, so let us meet at eleven."),
        (1, "I bring the tea \u{1fad6}"),
        (4, "\u{65e9}\u{4e0a}\u{597d}! I come by train."),
    ] {
        others[who].say(lobby.clone(), text).await;
    }
    one.wait_for_people(6).await;
    one.say("Count me in.").await;
    one.say("And here is what the page does with a message that is somewhat longer than the others, so that it has to go on in a second line, and perhaps in a third one where the window is narrow.").await;
    one.wait_for_acks().await;
    others[2].say(lobby.clone(), "See you there").await;
    let ann = json!({ "user": one.eval("document.body.dataset.user").await });
    others[3].say(ann.clone(), "Do you have the key of the boat?").await;
    others[3].say(ann, "I left mine at home.").await;
    one.wait_for_text("See you there").await;
    one.wait("document.querySelector('#privates .badge')?.textContent.startsWith('2')").await;
    one.join("tea").await;
    one.eval("[...document.querySelectorAll('#rooms button')].find((button) => button.textContent.includes('lobby')).click()").await;
    for (scheme, name, size) in [
        ("light", "wide-light", (1280, 800)),
        ("dark", "wide-dark", (1280, 800)),
        ("light", "narrow-light", (390, 800)),
        ("dark", "narrow-dark", (390, 800)),
    ] {
        one.screenshot(&folder.join(format!("{name}.png")), scheme, size).await;
    }
    one.eval("document.getElementById('menu').click()").await;
    one.screenshot(&folder.join("narrow-menu.png"), "dark", (390, 800)).await;
    one.eval("[...document.querySelectorAll('#rooms button')].find((button) => button.textContent.includes('news')).click()").await;
    one.say("May I?").await;
    one.wait("document.querySelector('.message.failed')").await;
    one.screenshot(&folder.join("narrow-failed.png"), "light", (390, 800)).await;
    one.eval("document.querySelector('#privates button').click()").await;
    one.screenshot(&folder.join("wide-private.png"), "light", (1280, 800)).await;
    chat.kill().await;
    one.wait("document.getElementById('state').dataset.state === 'waiting'").await;
    one.say("Are you there?").await;
    one.screenshot(&folder.join("wide-lost.png"), "dark", (1280, 800)).await;
    one.screenshot(&folder.join("narrow-lost.png"), "light", (390, 800)).await;
}
