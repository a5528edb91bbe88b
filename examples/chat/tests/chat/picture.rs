//! Not a check: what the page looks like, for people to look at.

use std::path::Path;

use serde_json::{Value, json};

use crate::chromium::{Chromium, Page};
use crate::client::{Client, room};
use crate::process::Chat;

const WIDE: (u32, u32) = (1280, 800);
const NARROW: (u32, u32) = (390, 800);

impl Page {
    async fn choose(&mut self, name: &str) {
        let buttons = "[...document.querySelectorAll('.side li button')]";
        self.eval(&format!(
            "{buttons}.find((button) => button.textContent.includes({})).click()",
            json!(name)
        ))
        .await;
    }

    async fn draw(&mut self, folder: &Path, name: &str, scheme: &str, size: (u32, u32)) {
        self.look(scheme, size).await;
        std::fs::write(folder.join(format!("{name}-{scheme}.png")), self.screenshot().await)
            .expect("written");
    }
}

/// Writes `picture.png`, which the README shows, and in the target folder `tmp/chat` all the rest.
#[tokio::test]
#[ignore = "draws pictures"]
async fn draw() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("chat");
    std::fs::create_dir_all(&folder).expect("a folder");
    let (mut chat, chromium) = (Chat::start(&["--rate", "100"]).await, Chromium::start().await);
    let mut page = chromium.page(&chat.url("/")).await;
    page.draw(&folder, "login-wide", "light", WIDE).await;
    page.draw(&folder, "login-narrow", "dark", NARROW).await;
    page.look("light", WIDE).await;
    let user = page.log_in("Ann").await;
    let mut others = Vec::new();
    for name in ["Bob", "Chloé", "Dmitri", "Emeka"] {
        others.push(Client::member(&chat, name, "lobby").await);
    }
    page.wait_for_people(5).await;
    others[0].say(room("lobby"), "Good morning! Who is coming to the harbour today?").await;
    others[1].say(room("lobby"), "Me. High water is at 11:40, so let us meet at eleven.").await;
    others[1].say(room("lobby"), "I bring the tea.").await;
    page.wait_for_text("I bring the tea.").await;
    page.say("Count me in. I am on the train, and shall lose the network in the tunnel, but the page comes back by itself.").await;
    page.wait_for_acks().await;
    others[2].say(room("lobby"), "See you there").await;
    for text in ["Do you have the key of the boat?", "I left mine at home."] {
        others[3].say(json!({ "user": user }), text).await;
    }
    page.wait_for_text("See you there").await;
    page.wait("document.querySelector('#privates .badge')?.textContent.startsWith('2')").await;
    page.join("tea").await;
    page.choose("lobby").await;
    draw_both(&chromium, &mut page).await;
    for scheme in ["light", "dark"] {
        page.draw(&folder, "wide", scheme, WIDE).await;
        page.draw(&folder, "narrow", scheme, NARROW).await;
    }
    page.eval("document.getElementById('menu').click()").await;
    page.draw(&folder, "menu", "dark", NARROW).await;
    page.choose("news").await;
    page.say("May I?").await;
    page.wait("document.querySelector('.message.failed')").await;
    page.draw(&folder, "refused", "light", NARROW).await;
    page.choose("Emeka").await;
    page.draw(&folder, "private", "light", WIDE).await;
    chat.kill().await;
    page.wait("document.getElementById('state').dataset.state === 'waiting'").await;
    page.say("Yes, it is in my bag.").await;
    page.draw(&folder, "lost-wide", "dark", WIDE).await;
    page.draw(&folder, "lost-narrow", "light", NARROW).await;
    println!("{}", folder.display());
}

/// Light and wide beside dark and narrow.
async fn draw_both(chromium: &Chromium, page: &mut Page) {
    let mut images = Vec::new();
    for (scheme, size) in [("light", (940, 600)), ("dark", (320, 600))] {
        page.look(scheme, size).await;
        images.push(format!("<img src=\"data:image/png;base64,{}\">", page.screenshot_base64().await));
    }
    let mut both = chromium.page("about:blank").await;
    let style = "<style>body { margin: 0; display: flex; gap: 20px; background: #7f9199; }</style>";
    both.eval(&format!("document.body.innerHTML = {}", Value::from(style.to_owned() + &images.concat())))
        .await;
    both.eval("Promise.all([...document.images].map((image) => image.decode())).then(() => true)").await;
    both.look("light", (1280, 600)).await;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("picture.png");
    std::fs::write(path, both.screenshot().await).expect("written");
}
