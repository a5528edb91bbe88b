//! Headless Chromium, driven by its DevTools protocol over a WebSocket of our own.

use std::ops::Not;
use std::process::Stdio;

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};
use tidewire::tokio::{ClientStream, Connector, WebSocket};
use tidewire::{ClientRequest, Config, Message};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::process::{DEADLINE, Folder, signal};

const FLAGS: [&str; 12] = [
    "--headless",
    "--window-size=1280,800",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
    "about:blank",
];

/// A running browser, which ends with the value.
pub(crate) struct Chromium {
    process: Child,
    tools: String,
    // Removed after the process has ended.
    _profile: Folder,
}

impl Chromium {
    pub(crate) async fn start() -> Self {
        let profile = Folder::new();
        let mut process = Command::new("chromium")
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // It starts others, which have to stop and to end with it.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .expect("chromium, which has to be installed");
        let mut lines = BufReader::new(process.stderr.take().expect("a pipe")).lines();
        let tools = async {
            loop {
                let line = lines.next_line().await.expect("a line").expect("an address of the tools");
                if let Some(url) = line.strip_prefix("DevTools listening on ") {
                    return url.to_owned();
                }
            }
        };
        let tools = timeout(DEADLINE, tools).await.expect("in time");
        // It goes on talking, and must not wait for a reader.
        tokio::spawn(async move { while lines.next_line().await.is_ok_and(|line| line.is_some()) {} });
        Self { process, tools, _profile: profile }
    }

    /// Stops the whole browser, or lets it go on: it neither runs scripts nor answers pings meanwhile.
    pub(crate) async fn signal(&self, name: &str) {
        signal(name, format!("-{}", self.process.id().expect("it runs"))).await;
    }

    /// A page with cookies of its own, at an address.
    pub(crate) async fn page(&self, url: &str) -> Page {
        let mut page = Page { socket: self.connect().await, next_id: 0, session: None };
        let context = page.call("Target.createBrowserContext", json!({})).await;
        let target = json!({ "url": "about:blank", "browserContextId": context["browserContextId"] });
        page.attach(target).await;
        page.open(url).await;
        page
    }

    async fn connect(&self) -> WebSocket<ClientStream> {
        // A screenshot is one message.
        let config = Config::new().with_max_message_len(64 << 20);
        let request = ClientRequest::new(&self.tools).expect("an address");
        Connector::new().with_config(config).connect(request).await.expect("the tools")
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        if let Some(id) = self.process.id() {
            // All that it has started.
            let _ = std::process::Command::new("kill").args(["-s", "KILL", "--", &format!("-{id}")]).status();
        }
    }
}

/// A page of the browser.
pub(crate) struct Page {
    socket: WebSocket<ClientStream>,
    next_id: u64,
    session: Option<Value>,
}

impl Page {
    async fn attach(&mut self, target: Value) {
        let target = self.call("Target.createTarget", target).await["targetId"].clone();
        let attached =
            self.call("Target.attachToTarget", json!({ "targetId": target, "flatten": true })).await;
        self.session = Some(attached["sessionId"].clone());
        for domain in ["Page", "Runtime", "Log"] {
            self.call(&format!("{domain}.enable"), json!({})).await;
        }
    }

    /// Calls a method, and waits for its result.
    pub(crate) async fn call(&mut self, method: &str, parameters: Value) -> Value {
        let result = self.try_call(method, parameters.clone()).await;
        result.unwrap_or_else(|error| panic!("{method} {parameters}: {error}"))
    }

    /// [`call`](Self::call), for what may fail.
    async fn try_call(&mut self, method: &str, parameters: Value) -> Result<Value, Value> {
        self.next_id += 1;
        let id = self.next_id;
        let mut call = json!({ "id": id, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            call["sessionId"] = session.clone();
        }
        self.socket.send(call.to_string()).await.expect("sent");
        loop {
            let message = timeout(2 * DEADLINE, self.socket.recv()).await.expect("an answer in time");
            let Ok(Some(Message::Text(text))) = message else { panic!("{method}: {message:?}") };
            let mut answer: Value = serde_json::from_str(&text).expect("JSON");
            // Scripts do not throw, and nothing is tried that the policy for contents forbids.
            assert!(answer["method"] != "Runtime.exceptionThrown", "{text}");
            assert!(
                answer.pointer("/params/entry/source").is_none_or(|source| source != "security"),
                "{text}"
            );
            if answer["id"] == id {
                let error = answer["error"].take();
                return if error.is_null() { Ok(answer["result"].take()) } else { Err(error) };
            }
        }
    }

    /// Goes to an address, and waits until its scripts have run.
    pub(crate) async fn open(&mut self, url: &str) {
        self.call("Page.navigate", json!({ "url": url })).await;
        self.wait(&format!("location.href.startsWith({}) && document.readyState === 'complete'", json!(url)))
            .await;
    }

    /// The value of an expression, or of its promise.
    pub(crate) async fn eval(&mut self, expression: &str) -> Value {
        let parameters = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let mut result = self.call("Runtime.evaluate", parameters).await;
        assert!(result["exceptionDetails"].is_null(), "{expression}: {}", result["exceptionDetails"]);
        result["result"]["value"].take()
    }

    /// Waits until an expression is true.
    pub(crate) async fn wait(&mut self, expression: &str) {
        let look = format!(
            "new Promise((done) => {{ const look = () => ({expression}) ? done(true) : setTimeout(look, 20); look(); }})"
        );
        let parameters = json!({ "expression": look, "awaitPromise": true, "returnByValue": true });
        let is_true = async {
            // A page that is being left forgets what it was asked.
            while self
                .try_call("Runtime.evaluate", parameters.clone())
                .await
                .is_ok_and(|found| found["result"]["value"] == true)
                .not()
            {}
        };
        if timeout(DEADLINE, is_true).await.is_err() {
            let seen = self.eval("document.body.innerText").await;
            panic!("{expression} is not true in {seen}");
        }
    }

    /// Types into what has the focus.
    pub(crate) async fn write(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text })).await;
    }

    /// Presses a key, such as `Enter` or `Tab`.
    pub(crate) async fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Enter" => (13, "\r"),
            "Tab" => (9, ""),
            "Escape" => (27, ""),
            "ArrowDown" => (40, ""),
            other => panic!("{other} has no code here"),
        };
        for kind in ["keyDown", "keyUp"] {
            let text = if kind == "keyDown" { text } else { "" };
            let event =
                json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text });
            self.call("Input.dispatchKeyEvent", event).await;
        }
    }

    /// Makes the page light or dark, and of a size.
    pub(crate) async fn look(&mut self, scheme: &str, (width, height): (u32, u32)) {
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            // Nothing is caught in the middle of its way.
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.call("Emulation.setEmulatedMedia", json!({ "features": features })).await;
        let is_mobile = width < 500;
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_mobile });
        self.call("Emulation.setDeviceMetricsOverride", metrics).await;
        // Until it is drawn so.
        self.eval("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))").await;
    }

    /// What the page looks like, as a PNG in base64.
    pub(crate) async fn screenshot_base64(&mut self) -> String {
        let image = self.call("Page.captureScreenshot", json!({ "format": "png" })).await;
        image["data"].as_str().expect("an image").to_owned()
    }

    /// What the page looks like, as a PNG.
    pub(crate) async fn screenshot(&mut self) -> Vec<u8> {
        BASE64_STANDARD.decode(self.screenshot_base64().await).expect("base64")
    }
}
