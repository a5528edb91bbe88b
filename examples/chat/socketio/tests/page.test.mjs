// The page in Chromium, driven through its debugging protocol.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { it } from "node:test";
import WebSocket from "ws";
import { Server } from "./server.mjs";

/** Starts Chromium; its debugging endpoint is in the first line that names one. */
async function start(profile) {
  const options = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", `--user-data-dir=${profile}`];
  const browser = spawn("chromium", [...options, "about:blank"], { stdio: ["ignore", "ignore", "pipe"] });
  for await (const line of createInterface(browser.stderr)) {
    const found = /DevTools listening on (ws:\S+)/.exec(line);
    if (found) return { browser, endpoint: found[1] };
  }
  throw new Error("Chromium did not start");
}

class Page {
  static async open(endpoint, url) {
    const target = await fetch(`http://${new URL(endpoint).host}/json/new?${url}`, { method: "PUT" });
    const socket = new WebSocket((await target.json()).webSocketDebuggerUrl);
    await once(socket, "open");
    const page = new Page(socket);
    // A page that is still on its way has no context, or another one.
    while ((await page.evaluate("document.readyState + location.href").catch(() => "")) !== `complete${url}`);
    return page;
  }

  constructor(socket) {
    this.socket = socket;
    this.id = 0;
  }

  /** The value of an expression, awaited. */
  async evaluate(expression) {
    const id = ++this.id;
    this.socket.send(JSON.stringify({ id, method: "Runtime.evaluate", params: { expression, awaitPromise: true, returnByValue: true } }));
    for await (const [data] of this.messages()) {
      const message = JSON.parse(data);
      if (message.id !== id) continue;
      assert.equal(message.result?.exceptionDetails ?? message.error, undefined, data);
      return message.result.result.value;
    }
  }

  async *messages() {
    for (;;) yield await once(this.socket, "message");
  }
}

it("the page chats, and upgrades", { timeout: 60000 }, async () => {
  const server = await Server.start();
  const profile = await mkdtemp(join(tmpdir(), "chat-"));
  const { browser, endpoint } = await start(profile);
  try {
    const [alice, bob] = [await Page.open(endpoint, `${server.url}/`), await Page.open(endpoint, `${server.url}/`)];
    const connected = `new Promise((resolve) => socket.connected ? resolve(true) : socket.once("connect", () => resolve(true)))`;
    for (const page of [alice, bob]) assert.equal(await page.evaluate(connected), true);
    await bob.evaluate(`globalThis.heard = new Promise((resolve) => socket.once("chat message", resolve)), 0`);
    await alice.evaluate(`text.value = "<b>hello</b>"; form.requestSubmit()`);
    assert.equal(await bob.evaluate("heard"), "<b>hello</b>");
    assert.equal(await bob.evaluate("messages.lastElementChild.textContent"), "<b>hello</b>");
    const upgraded = `new Promise((resolve) => socket.io.engine.transport.name === "websocket"
      ? resolve("websocket") : socket.io.engine.once("upgrade", (transport) => resolve(transport.name)))`;
    assert.equal(await alice.evaluate(upgraded), "websocket");
  } finally {
    const exit = once(browser, "exit");
    browser.kill();
    await exit;
    await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    await server.stop();
  }
});
