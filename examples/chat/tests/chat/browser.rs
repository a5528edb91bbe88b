//! Two pages in Chromium.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::chromium::{Chromium, Page};
use crate::client::{Client, Login};
use crate::process::Chat;

mod cluster;

impl Page {
    /// Logs in as a person does, by keyboard, and waits until the lobby is there. Returns the name with its mark.
    pub(crate) async fn log_in(&mut self, name: &str) -> String {
        self.wait("document.activeElement.id === 'name'").await;
        self.write(name).await;
        self.press("Enter").await;
        self.wait("document.getElementById('state')?.dataset.state === 'open'").await;
        self.wait("document.getElementById('title').textContent === '# lobby'").await;
        self.eval("document.body.dataset.user").await.as_str().expect("a name").to_owned()
    }

    /// Writes a message and sends it with the Enter key.
    pub(crate) async fn say(&mut self, text: &str) {
        self.eval("document.getElementById('text').focus()").await;
        self.write(text).await;
        self.press("Enter").await;
    }

    /// The texts of the messages that are shown.
    pub(crate) async fn texts(&mut self) -> Vec<String> {
        let texts = self
            .eval("[...document.querySelectorAll('.message .words')].map((words) => words.textContent)")
            .await;
        serde_json::from_value(texts).expect("texts")
    }

    pub(crate) async fn wait_for_text(&mut self, text: &str) {
        let words = "[...document.querySelectorAll('.message .words')]";
        self.wait(&format!("{words}.some((words) => words.textContent === {})", json!(text))).await;
    }

    /// Waits until no message of ours waits for its acknowledgement.
    pub(crate) async fn wait_for_acks(&mut self) {
        self.wait("!document.querySelector('.tick.pending')").await;
    }

    pub(crate) async fn wait_for_people(&mut self, count: usize) {
        self.wait(&format!("document.querySelectorAll('#people li').length === {count}")).await;
    }

    pub(crate) async fn join(&mut self, room: &str) {
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
    let choose = format!(
        "[...document.querySelectorAll('#people button')].find((button) => button.textContent.includes({}))",
        json!(ann)
    );
    two.wait(&choose).await;
    two.eval(&format!("{choose}.click()")).await;
    two.say("psst").await;
    one.wait("document.querySelector('#privates .badge')?.textContent.startsWith('1')").await;
    assert_eq!(one.eval("document.title").await, "(1) Chat");
    one.eval("document.querySelector('#privates button').click()").await;
    one.wait_for_text("psst").await;
    one.wait("document.title === 'Chat'").await;
    assert_eq!(one.texts().await, ["psst"]);
    // An answer, below the line that says what is new.
    one.say("what?").await;
    two.wait_for_text("what?").await;
    one.wait("document.querySelector('.message.mine .tick.told')").await;
    assert_eq!(one.texts().await, ["psst", "what?"]);

    // By keyboard from one conversation to the next.
    one.call(
        "Input.dispatchKeyEvent",
        json!({ "type": "keyDown", "key": "ArrowDown", "code": "ArrowDown", "modifiers": 1 }),
    )
    .await;
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
    two.wait("document.querySelector('.message.failed .why')?.textContent.startsWith('you may not do this')")
        .await;

    // So is what is no name.
    two.eval("document.getElementById('room').focus()").await;
    two.write("two words").await;
    two.press("Enter").await;
    two.wait("document.getElementById('note').textContent.startsWith('A room\\'s name has')").await;
    assert_eq!(two.eval("document.getElementById('rooms').innerText.includes('two')").await, false);
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

    // It was away for longer than the history goes back: that is told, and the rest is there.
    // She has not read meanwhile, so that she is given up as well.
    drop(eve);
    let mut eve = Client::hello(&chat, &login, '2', Value::Null).await;
    eve.join("lobby", Value::Null).await;
    chromium.signal("STOP").await;
    while eve.went < 2 {
        eve.next().await;
    }
    for number in 150..351 {
        eve.say(lobby.clone(), &number.to_string()).await;
    }
    chromium.signal("CONT").await;
    for page in [&mut one, &mut two] {
        page.wait_for_text("350").await;
        page.wait("document.querySelectorAll('.divider.gap').length === 1").await;
        let kept = (0..150).chain(151..351).map(|number| number.to_string()).collect::<Vec<_>>();
        assert_eq!(page.texts().await, kept);
    }
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
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<p>evil")
                .await;
        }
    });
    page.open(&url).await;
    let attempt = format!(
        "new Promise((done) => {{ const socket = new WebSocket('ws://{}/socket/main');
        socket.onopen = () => done(socket.extensions.split(';')[0]); socket.onclose = ({{ code }}) => done(code); }})",
        chat.host()
    );
    assert_eq!(page.eval(&attempt).await, 1006);
    serve.abort();
    // Our own page may.
    page.open(&chat.url("/")).await;
    assert_eq!(page.eval(&attempt).await, "permessage-deflate");

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

#[tokio::test]
async fn a_page_comes_back_later_and_later_and_not_at_once_with_others() {
    let (mut chat, chromium) = (Chat::start(&[]).await, Chromium::start().await);
    let mut page = chromium.page(&chat.url("/")).await;
    page.log_in("ann").await;
    // The pauses are noted, and are over at once. The timeout of an answer is none of them, nor is our own waiting.
    let noting = "{
        const later = window.setTimeout;
        window.setTimeout = (act, delay) => {
            if (delay === 10_000 || delay === 20) return later(act, delay);
            window.pauses.push(Math.round(delay));
            return later(act, 20);
        };
        window.chance = 1;
        Math.random = () => window.chance;
        window.pauses = [];
    }";
    page.eval(noting).await;
    chat.kill().await;
    page.wait("window.pauses.length >= 7").await;
    assert_eq!(
        page.eval("window.pauses.slice(0, 7)").await,
        json!([1100, 2100, 4100, 8100, 16100, 30100, 30100])
    );
    // Each pause is drawn anew, down to almost nothing.
    page.eval("{ window.chance = 0; window.pauses = []; }").await;
    page.wait("window.pauses.length >= 3").await;
    assert_eq!(page.eval("window.pauses.slice(1, 3)").await, json!([100, 100]));
    chat.restart().await;
    page.wait("document.getElementById('state').dataset.state === 'open'").await;
    // After a welcome it begins anew.
    page.eval("{ window.chance = 1; window.pauses = []; }").await;
    chat.kill().await;
    page.wait("window.pauses.length >= 2").await;
    assert_eq!(page.eval("window.pauses.slice(0, 2)").await, json!([1100, 2100]));
}

#[tokio::test]
async fn a_lost_acknowledgement_repeats_nothing() {
    let (chat, chromium) = (Chat::start(&[]).await, Chromium::start().await);
    let (mut one, mut two) = (chromium.page(&chat.url("/")).await, chromium.page(&chat.url("/")).await);
    two.log_in("bob").await;
    // The connection breaks when the answer is on its way: the message is stored, and the page does not know.
    let breaking = "{
        const Socket = WebSocket;
        window.lost = 0;
        window.WebSocket = class extends Socket {
            set onmessage(hear) {
                super.onmessage = hear && ((event) => {
                    const { type } = JSON.parse(event.data);
                    if (type !== 'ack' || window.lost >= 3) return hear.call(this, event);
                    window.lost += 1;
                    this.close();
                });
            }
        };
    }";
    one.call("Page.addScriptToEvaluateOnNewDocument", json!({ "source": breaking })).await;
    one.call("Page.reload", json!({})).await;
    one.log_in("ann").await;
    let expected = ["0", "1", "2", "3", "4"];
    for text in expected {
        one.say(text).await;
    }
    one.wait_for_acks().await;
    two.wait_for_text("4").await;
    assert_eq!(one.eval("window.lost").await, 3);
    assert_eq!(
        (one.texts().await, two.texts().await),
        (expected.map(String::from).into(), expected.map(String::from).into())
    );
}

#[tokio::test]
async fn a_moderator_speaks_to_all() {
    let (chat, chromium) = (Chat::start(&[]).await, Chromium::start().await);
    let mut two = chromium.page(&chat.url("/")).await;
    two.log_in("bob").await;
    let mut one = chromium.page(&chat.url("/")).await;
    one.eval("document.querySelector('summary').click()").await;
    one.eval("document.getElementById('password').focus()").await;
    one.write("low tide").await;
    one.eval("document.getElementById('name').focus()").await;
    one.log_in("max").await;
    let announcements = "[...document.querySelectorAll('#rooms button')].find((button) => button.textContent.includes('Announcements'))";
    one.wait(announcements).await;
    one.eval(&format!("{announcements}.click()")).await;
    one.say("We close at six").await;
    one.wait("document.querySelector('.message.mine .tick.told')").await;
    // The others read it, and have no field to answer.
    two.wait(&format!("{announcements}?.querySelector('.badge').textContent.startsWith('1')")).await;
    two.eval(&format!("{announcements}.click()")).await;
    assert_eq!(two.texts().await, ["We close at six"]);
    assert_eq!(two.eval("document.getElementById('composer').checkVisibility()").await, false);
}

#[tokio::test]
async fn messages_stand_in_the_order_of_their_numbers() {
    let (chat, chromium) = (Chat::start(&[]).await, Chromium::start().await);
    let mut page = chromium.page(&chat.url("/")).await;
    // An acknowledgement arrives behind what was said later, as it may when the server has two cores.
    let holding = "{
        const Socket = WebSocket;
        window.WebSocket = class extends Socket {
            set onmessage(hear) {
                super.onmessage = hear && ((event) => {
                    const { type } = JSON.parse(event.data);
                    if (type === 'ack' && !window.held) return void (window.held = event);
                    hear.call(this, event);
                    if (type === 'said') hear.call(this, window.held);
                });
            }
        };
    }";
    page.call("Page.addScriptToEvaluateOnNewDocument", json!({ "source": holding })).await;
    page.call("Page.reload", json!({})).await;
    page.log_in("ann").await;
    let mut bob = Client::member(&chat, "bob", "lobby").await;
    page.say("first").await;
    assert_eq!(bob.hear().await, "first");
    bob.say(json!({ "room": "lobby" }), "second").await;
    page.wait_for_text("second").await;
    page.wait_for_acks().await;
    assert_eq!(page.texts().await, ["first", "second"]);
}
