//! The page for those who have no mouse, do not see it, see it badly, or hold it in one hand.

use serde_json::{Value, json};

use crate::chromium::{Chromium, Page};
use crate::client::{Client, room};
use crate::process::Chat;

/// A phone, and the narrowest width that WCAG 2.2 1.4.10 asks for.
const NARROW: [(u32, u32); 2] = [(390, 800), (320, 568)];
const WIDE: (u32, u32) = (1280, 800);

/// The texts that differ too little from what is behind them (WCAG 2.2 1.4.3), whatever colour a person has.
const PALE: &str = "(() => {
    const linear = (part) => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    const light = ([red, green, blue]) => 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
    const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
    const behind = (element) => {
        for (; element; element = element.parentElement) {
            const color = numbers(getComputedStyle(element).backgroundColor);
            if (color.length === 3 || color[3] === 1) return color;
        }
        throw new Error('nothing is behind');
    };
    const found = new Map();
    const look = (element, color) => {
        const [one, other] = [light(numbers(color)), light(behind(element))];
        const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
        const name = `${element.localName}#${element.id}.${element.className}`;
        if (contrast < (found.get(name) ?? 4.5)) found.set(name, contrast);
    };
    const isSeen = (element) => element.checkVisibility({ visibilityProperty: true }) && !element.closest('.hidden, .skip');
    const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    const seen = [...document.querySelectorAll('body *')].filter(isSeen);
    const painted = seen.filter((element) => element.style.getPropertyValue('--hue'));
    const hues = painted.map((element) => element.style.getPropertyValue('--hue'));
    for (let hue = 0; hue < 360; hue += 10) {
        for (const element of painted) element.style.setProperty('--hue', hue);
        for (const element of seen.filter(hasText)) look(element, getComputedStyle(element).color);
    }
    painted.forEach((element, index) => element.style.setProperty('--hue', hues[index]));
    for (const element of seen.filter((element) => element.placeholder)) look(element, getComputedStyle(element, '::placeholder').color);
    return [...found].map(([name, contrast]) => `${name} ${contrast.toFixed(2)}`);
})()";

/// What is to be pressed, and is too small for a finger (WCAG 2.2 2.5.8), or lies outside the window.
const SMALL: &str = "[...document.querySelectorAll('button, input, textarea, a')]
    .filter((element) => element.checkVisibility({ visibilityProperty: true }) && element.type !== 'hidden' && !element.matches('.skip'))
    .map((element) => [element, element.getBoundingClientRect()])
    .filter(([, { width, height, left, right }]) => width < 24 || height < 24 || left < 0 || right > innerWidth)
    .map(([element, { width, height }]) => `${element.localName}#${element.id} ${width} x ${height}`)";

impl Page {
    async fn check_look(&mut self, what: &str) {
        for scheme in ["light", "dark"] {
            for size in NARROW.into_iter().chain([WIDE]) {
                self.look(scheme, size).await;
                assert_eq!(self.eval(PALE).await, json!([]), "{what}, {scheme}, {size:?}");
                assert_eq!(self.eval(SMALL).await, json!([]), "{what}, {scheme}, {size:?}");
                let overflow = self.eval("document.documentElement.scrollWidth - innerWidth").await;
                assert_eq!(overflow, 0, "{what}, {scheme}, {size:?}");
                // The newest message is in sight.
                let below = "(([list]) => list ? list.scrollHeight - list.scrollTop - list.clientHeight : 0)(document.querySelectorAll('#messages'))";
                assert!(
                    self.eval(below).await.as_f64().is_some_and(|below| below < 2.0),
                    "{what}, {scheme}, {size:?}"
                );
            }
        }
    }

    /// What a screen reader finds: roles with their names.
    async fn roles(&mut self) -> Vec<(String, String)> {
        self.call("Accessibility.enable", json!({})).await;
        let tree = self.call("Accessibility.getFullAXTree", json!({})).await;
        let word = |node: &Value, key: &str| node[key]["value"].as_str().unwrap_or_default().to_owned();
        let nodes = tree["nodes"].as_array().expect("nodes").iter().filter(|node| node["ignored"] == false);
        nodes.map(|node| (word(node, "role"), word(node, "name"))).collect()
    }

    async fn focused(&mut self) -> Value {
        self.eval("document.activeElement.id").await
    }
}

#[tokio::test]
async fn texts_can_be_read_and_buttons_be_hit() {
    let (mut chat, chromium) = (Chat::start(&[]).await, Chromium::start().await);
    let mut page = chromium.page(&chat.url("/")).await;
    page.check_look("the login").await;
    let user = page.log_in("Ann").await;
    let mut bob = Client::member(&chat, "Bob-whose-name-has-32-characters", "lobby").await;
    bob.say(json!({ "user": user }), "psst").await;
    bob.say(room("lobby"), &"Donaudampfschifffahrt".repeat(20)).await;
    for _ in 0..8 {
        page.say("Ahoy").await;
    }
    page.wait("document.querySelectorAll('.message.mine .tick.told').length === 8").await;
    page.wait("document.querySelector('#privates .badge')?.textContent.startsWith('1')").await;
    page.check_look("a room").await;
    page.eval("[...document.querySelectorAll('#rooms button')].find((button) => button.textContent.includes('news')).click()").await;
    page.say("May I?").await;
    page.wait("document.querySelector('.message.failed')").await;
    page.check_look("a refused message").await;
    page.eval("document.querySelector('#privates button').click()").await;
    page.check_look("a private message that is new").await;
    page.look("light", NARROW[0]).await;
    for panel in ["menu", "crowd"] {
        page.eval(&format!("document.getElementById('{panel}').click()")).await;
        page.check_look(panel).await;
    }
    page.press("Escape").await;
    chat.kill().await;
    page.wait("document.getElementById('state').dataset.state === 'waiting'").await;
    page.say("Are you there?").await;
    page.check_look("without a server").await;
}

#[tokio::test]
async fn a_screen_reader_finds_everything_by_name() {
    let (chat, chromium) = (Chat::start(&[]).await, Chromium::start().await);
    let mut page = chromium.page(&chat.url("/")).await;
    assert!(page.roles().await.contains(&("textbox".into(), "Your name".into())));
    page.log_in("ann").await;
    Client::member(&chat, "bob", "lobby").await.say(room("lobby"), "hello").await;
    page.wait_for_text("hello").await;
    page.say("Ahoy").await;
    page.wait_for_acks().await;
    let roles = page.roles().await;
    for (role, name) in [
        ("navigation", "Conversations"),
        ("main", ""),
        ("log", "Messages"),
        ("complementary", "People here"),
        ("textbox", "Message"),
        ("textbox", "Room to join"),
        ("status", ""),
        ("heading", "# lobby"),
        ("button", "Send"),
    ] {
        assert!(roles.contains(&(role.into(), name.into())), "{role} {name} is not in {roles:?}");
    }
    page.look("light", NARROW[0]).await;
    let narrow = page.roles().await;
    assert!(narrow.contains(&("button".into(), "Conversations".into())), "{narrow:?}");
    assert!(narrow.contains(&("button".into(), "People here".into())), "{narrow:?}");
    for (role, name) in roles.iter().chain(&narrow) {
        let is_pressed = ["button", "textbox", "link"].contains(&role.as_str());
        assert!(!is_pressed || !name.is_empty(), "a {role} has no name");
    }
    // A tick is words, and the pictures say nothing.
    assert!(roles.iter().any(|(_, name)| name.starts_with("stored")), "{roles:?}");
    assert!(!roles.iter().any(|(_, name)| name.contains('✓')), "{roles:?}");
}

#[tokio::test]
async fn everything_can_be_done_by_keyboard() {
    let (chat, chromium) = (Chat::start(&[]).await, Chromium::start().await);
    let mut page = chromium.page(&chat.url("/")).await;
    page.log_in("ann").await;
    page.look("light", NARROW[0]).await;
    page.eval("document.activeElement.blur()").await;
    // The first key leads past everything to the field.
    page.press("Tab").await;
    assert_eq!(page.eval("document.activeElement.textContent").await, "Skip to the message field");
    page.press("Tab").await;
    assert_eq!(page.focused().await, "menu");
    // What is folded away is no stop on the way.
    page.press("Tab").await;
    assert_eq!(page.focused().await, "leave");
    page.eval("document.getElementById('menu').focus()").await;
    page.press("Enter").await;
    page.wait("document.getElementById('side').contains(document.activeElement)").await;
    page.press("Escape").await;
    assert_eq!(page.focused().await, "menu");
    assert_eq!(page.eval("document.getElementById('menu').getAttribute('aria-expanded')").await, "false");
    // Into the panel again, to the field for rooms, and into a room.
    page.press("Enter").await;
    for _ in 0..10 {
        if page.focused().await == "room" {
            break;
        }
        page.press("Tab").await;
    }
    assert_eq!(page.focused().await, "room");
    page.write("tea").await;
    page.press("Enter").await;
    page.wait("document.getElementById('title').textContent === '# tea'").await;
    page.wait("document.activeElement.id === 'text'").await;
    page.write("Ahoy").await;
    page.press("Enter").await;
    page.wait_for_acks().await;
    assert_eq!(page.texts().await, ["Ahoy"]);
}
