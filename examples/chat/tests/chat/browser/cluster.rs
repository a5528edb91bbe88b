//! Pages in Chromium, and between them nginx, two processes and Redis, each of which is killed.

use serde_json::json;

use crate::chromium::{Chromium, Page};
use crate::client::{Client, room};
use crate::cluster::Two;
use crate::services::Nginx;
use crate::text;

/// Notes which process has acknowledged the last message, and how many sockets there have been.
const NOTE: &str = "
    window.sockets = 0;
    window.WebSocket = class extends WebSocket {
        constructor(url) {
            super(url);
            window.sockets += 1;
            this.addEventListener('message', ({ data }) => {
                const message = JSON.parse(data);
                if (message.type === 'ack') window.acceptedBy = message.origin;
            });
        }
    };";

/// Somebody at a page, who counts what is said.
struct Talker {
    page: Page,
    name: &'static str,
    said: u32,
}

impl Talker {
    async fn new(chromium: &Chromium, url: &str, name: &'static str) -> Self {
        let mut page = chromium.page("about:blank").await;
        page.call("Page.addScriptToEvaluateOnNewDocument", json!({ "source": NOTE })).await;
        page.open(url).await;
        page.log_in(name).await;
        Self { page, name, said: 0 }
    }

    /// Says the next messages, without waiting for one of them.
    async fn say(&mut self, count: u32) {
        for _ in 0..count {
            self.page.say(&format!("{} {}", self.name, self.said)).await;
            self.said += 1;
        }
    }

    /// Waits until all is acknowledged. Returns the process that has done so last.
    async fn settle(&mut self) -> String {
        self.page.wait_for_acks().await;
        self.page.eval("window.acceptedBy").await.as_str().expect("a process").to_owned()
    }

    /// Loads the page until it is with this process, which has to have no more connections than the other one.
    async fn come_to(&mut self, origin: &str) {
        for attempt in 0..20 {
            self.say(1).await;
            if self.settle().await == origin {
                return;
            }
            // The processes take turns, and a page makes so many requests that the same one may always have its turn.
            if attempt % 2 == 1 {
                self.page.eval("fetch('/whoami').then(() => true)").await;
            }
            self.page.call("Page.reload", json!({})).await;
            self.page.wait("document.getElementById('state')?.dataset.state === 'open'").await;
            self.page.wait("document.getElementById('title').textContent === '# lobby'").await;
        }
        panic!("{} does not come to {origin}", self.name);
    }

    /// What was said until now.
    fn texts(&self) -> Vec<String> {
        (0..self.said).map(|number| format!("{} {number}", self.name)).collect()
    }

    /// Waits until it shows the last message of each of these, and returns what it shows of each.
    async fn sees(&mut self, of: &[(&str, u32)]) -> Vec<Vec<String>> {
        let count: u32 = of.iter().map(|(_, said)| said).sum();
        for (name, said) in of {
            self.page.wait_for_text(&format!("{name} {}", said - 1)).await;
        }
        self.page.wait(&format!("document.querySelectorAll('.message').length >= {count}")).await;
        let texts = self.page.texts().await;
        assert_eq!(texts.len() as u32, count, "nothing comes twice: {texts:?}");
        assert_eq!(self.page.eval("document.querySelectorAll('.divider.gap, .failed').length").await, 0);
        let of_one = |name: &str| {
            let begins = format!("{name} ");
            texts.iter().filter(|text| text.starts_with(&begins)).cloned().collect()
        };
        of.iter().map(|(name, _)| of_one(name)).collect()
    }

    async fn sockets(&mut self) -> u64 {
        self.page.eval("window.sockets").await.as_u64().expect("a number")
    }
}

fn sorted(mut texts: Vec<Vec<String>>) -> Vec<Vec<String>> {
    let number = |text: &String| text.rsplit(' ').next().and_then(|number| number.parse::<u32>().ok());
    texts.iter_mut().for_each(|of_one| of_one.sort_by_key(number));
    texts
}

#[tokio::test]
async fn whatever_is_killed_nothing_is_lost_and_nothing_comes_twice() {
    let mut two = Two::start().await;
    let nginx = Nginx::start(&two.p, &two.q).await;
    let chromium = Chromium::start().await;
    // Which process is which.
    let mut pia = Client::member(&two.p, "pia", "tea").await;
    let mut kim = Client::member(&two.q, "kim", "tea").await;
    let (to_p, to_q) = (pia.say(room("tea"), "p").await, kim.say(room("tea"), "q").await);
    let (p, q) = (text(&to_p, "/origin"), text(&to_q, "/origin"));

    // Two pages on one process, and one on the other. All see each other, and what each says.
    let mut ann = Talker::new(&chromium, &nginx.url("/"), "ann").await;
    let mut eve = Talker::new(&chromium, &nginx.url("/"), "eve").await;
    let mut bob = Talker::new(&chromium, &nginx.url("/"), "bob").await;
    bob.come_to(q).await;
    ann.come_to(p).await;
    eve.come_to(p).await;
    for talker in [&mut ann, &mut eve, &mut bob] {
        talker.page.wait_for_people(3).await;
        talker.say(3).await;
    }
    let all = [ann.texts(), eve.texts(), bob.texts()];
    let said =
        |ann: &Talker, eve: &Talker, bob: &Talker| [("ann", ann.said), ("eve", eve.said), ("bob", bob.said)];
    let of = said(&ann, &eve, &bob);
    for talker in [&mut ann, &mut eve, &mut bob] {
        assert_eq!(talker.sees(&of).await, all);
    }

    // A process is killed while all talk. Its pages come to the other one through nginx.
    tokio::join!(ann.say(5), eve.say(5), bob.say(5));
    two.p.kill().await;
    tokio::join!(ann.say(5), eve.say(5), bob.say(5));
    assert_eq!([ann.settle().await, eve.settle().await, bob.settle().await], [q, q, q]);
    assert_eq!(bob.sockets().await, 1);
    let (all, of) = ([ann.texts(), eve.texts(), bob.texts()], said(&ann, &eve, &bob));
    for talker in [&mut ann, &mut eve, &mut bob] {
        assert_eq!(talker.sees(&of).await, all);
    }
    two.p.restart().await;
    ann.come_to(p).await;
    eve.come_to(p).await;

    // Redis is killed while all talk. Nobody is dropped, and pages of one process go on hearing each other.
    let sockets = [ann.sockets().await, eve.sockets().await, bob.sockets().await];
    tokio::join!(ann.say(5), bob.say(5));
    two.redis.kill().await;
    tokio::join!(ann.say(5), bob.say(5));
    ann.settle().await;
    bob.settle().await;
    eve.page.wait_for_text(&format!("ann {}", ann.said - 1)).await;
    assert_eq!(sockets, [ann.sockets().await, eve.sockets().await, bob.sockets().await]);
    two.redis.restart().await;
    let (all, of) = ([ann.texts(), eve.texts(), bob.texts()], said(&ann, &eve, &bob));
    for talker in [&mut ann, &mut eve, &mut bob] {
        assert_eq!(talker.sees(&of).await, all);
    }
    assert_eq!(sockets, [ann.sockets().await, eve.sockets().await, bob.sockets().await]);

    // Redis stands still, so that Eve is told what is not acknowledged. Then the process dies, and Ann says it again to the other one.
    two.redis.signal("STOP").await;
    ann.say(1).await;
    eve.page.wait_for_text(&format!("ann {}", ann.said - 1)).await;
    two.p.kill().await;
    assert_eq!(ann.settle().await, q);
    two.redis.signal("CONT").await;
    two.p.restart().await;
    let (all, of) = ([ann.texts(), eve.texts(), bob.texts()], said(&ann, &eve, &bob));
    for talker in [&mut ann, &mut eve, &mut bob] {
        assert_eq!(talker.sees(&of).await, all);
    }

    // What a process has acknowledged alone comes when it is there again, behind what was said meanwhile.
    ann.come_to(p).await;
    eve.come_to(p).await;
    two.redis.kill().await;
    ann.say(5).await;
    assert_eq!(ann.settle().await, p);
    two.p.kill().await;
    ann.say(5).await;
    assert_eq!(ann.settle().await, q);
    two.p.restart().await;
    two.redis.restart().await;
    let (all, of) = ([ann.texts(), eve.texts(), bob.texts()], said(&ann, &eve, &bob));
    for talker in [&mut ann, &mut eve, &mut bob] {
        assert_eq!(sorted(talker.sees(&of).await), all);
    }

    // Who comes only now sees the same on either process.
    for url in [two.p.url("/"), two.q.url("/")] {
        let mut late = Talker::new(&chromium, &url, "late").await;
        assert_eq!(sorted(late.sees(&of).await), all);
        late.page.wait_for_people(4).await;
        late.page.call("Page.close", json!({})).await;
        ann.page.wait_for_people(3).await;
    }
}

#[tokio::test]
async fn a_page_of_socket_io_comes_through_nginx_to_either_process() {
    let mut two = Two::start().await;
    let nginx = Nginx::start(&two.p, &two.q).await;
    let chromium = Chromium::start().await;
    let mut page = chromium.page(&nginx.url("/")).await;
    page.log_in("eve").await;
    page.open(&nginx.url("/simple")).await;
    for round in 0..3 {
        // From polling to a WebSocket, at one process.
        page.wait("socket.io.engine.transport.name === 'websocket'").await;
        let mut ann = Client::member(&two.p, "ann", "lobby").await;
        let mut bob = Client::member(&two.q, "bob", "lobby").await;
        let text = format!("round {round}");
        page.say(&text).await;
        for ear in [&mut ann, &mut bob] {
            while *ear.heard.last().unwrap_or(&String::new()) != text {
                ear.next().await;
            }
            let count = ear.heard.iter().filter(|heard| **heard == text).count();
            assert_eq!(count, 1, "nothing comes twice: {:?}", ear.heard);
        }
        let answer = format!("answer {round}");
        ann.say(room("lobby"), &answer).await;
        let items = "[...document.querySelectorAll('#messages li')]";
        page.wait(&format!("{items}.some((item) => item.textContent === {})", json!(answer))).await;
        // One after the other: one of both is the one that it is with.
        let process = if round % 2 == 0 { &mut two.p } else { &mut two.q };
        process.kill().await;
        process.restart().await;
        page.wait("socket.connected").await;
    }
}
