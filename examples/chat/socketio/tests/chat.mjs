// Starts the chat, and logs in as a page does.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { io } from "socket.io-client";
import WebSocket from "ws";

export class Chat {
  static async start(...options) {
    const chat = new Chat();
    chat.folder = await mkdtemp(join(tmpdir(), "chat-"));
    chat.options = ["--data", chat.folder, ...options];
    chat.clients = [];
    await chat.launch(0);
    return chat;
  }

  async launch(port = this.port) {
    const program = process.env.CHAT_PROGRAM;
    assert.ok(program, "CHAT_PROGRAM names the program");
    const env = { ...process.env, CHAT_MODERATOR_PASSWORD: "low tide" };
    this.child = spawn(program, ["--port", `${port}`, ...this.options], { env });
    this.problems = "";
    this.child.stderr.on("data", (data) => (this.problems += data));
    const [line] = await once(createInterface(this.child.stdout), "line");
    this.url = line.slice(line.indexOf("http"));
    this.port = Number(new URL(this.url).port);
  }

  async end(signal) {
    const exit = once(this.child, "exit");
    this.child.kill(signal);
    return (await exit)[0];
  }

  async stop() {
    for (const client of this.clients) client.close();
    if (this.child.exitCode === null && this.child.signalCode === null) await this.end("SIGKILL");
    await rm(this.folder, { recursive: true });
  }

  /** Cookie, token and name of somebody. */
  async login(name, password = "") {
    const visit = await fetch(this.url);
    const token = /name="token" value="(\w+)"/.exec(await visit.text())[1];
    const body = new URLSearchParams({ token, namespace: "main", name, password });
    const headers = { cookie: cookieOf(visit) };
    const answer = await fetch(`${this.url}/login`, { method: "POST", body, headers, redirect: "manual" });
    assert.equal(answer.status, 303);
    const cookie = cookieOf(answer);
    const page = await (await fetch(this.url, { headers: { cookie } })).text();
    return { cookie, token: /data-token="(\w+)"/.exec(page)[1], user: /data-user="([^"]+)"/.exec(page)[1] };
  }

  /** The official client of somebody who has logged in. What it hears is in `heard`, as text of messages. */
  client({ cookie, user }, options = {}, namespace = "/") {
    const extraHeaders = { cookie };
    const client = io(this.url + namespace, { forceNew: true, extraHeaders, reconnectionDelay: 20, reconnectionDelayMax: 100, ...options });
    client.user = user;
    client.heard = [];
    client.on("chat message", (text) => client.heard.push(text));
    this.clients.push(client);
    return client;
  }

  /** The same, in the lobby. */
  async guest(name, options) {
    const client = this.client(await this.login(name), options);
    await joins(client);
    return client;
  }

  /** The chat's own protocol, in the lobby. */
  async page(name) {
    const { cookie, token, user } = await this.login(name);
    const page = new Page(this.url.replace("http", "ws") + "/socket/main", { headers: { cookie } });
    this.clients.push(page);
    page.user = user;
    await once(page, "open");
    page.ask({ type: "hello", token, client: "1".repeat(32), all: null, user: null });
    page.ask({ type: "join", room: "lobby", since: null });
    await page.until((message) => message.type === "joined" && message.channel.room === "lobby");
    return page;
  }
}

/** A Redis that stores nothing. */
export class Redis {
  static async start() {
    const probe = createServer().listen(0, "127.0.0.1");
    await once(probe, "listening");
    const { port } = probe.address();
    await new Promise((resolve) => probe.close(resolve));
    const redis = new Redis();
    redis.url = `redis://127.0.0.1:${port}`;
    redis.child = spawn("redis-server", ["--bind", "127.0.0.1", "--port", `${port}`, "--save", ""], { stdio: ["ignore", "pipe", "inherit"] });
    for await (const line of createInterface(redis.child.stdout)) if (line.includes("Ready to accept")) return redis;
    throw new Error("Redis did not start");
  }

  async stop() {
    const exit = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await exit;
  }
}

class Page extends WebSocket {
  constructor(...options) {
    super(...options);
    this.kept = [];
    this.on("message", (data) => {
      this.kept.push(JSON.parse(data));
      this.wake?.();
    });
  }

  ask(message) {
    this.send(JSON.stringify(message));
  }

  async until(isIt) {
    for (;;) {
      const found = this.kept.findIndex(isIt);
      if (found >= 0) return this.kept.splice(0, found + 1).at(-1);
      await new Promise((resolve) => (this.wake = resolve));
    }
  }
}

function cookieOf(response) {
  return response.headers.get("set-cookie").split(";")[0];
}

/** The arguments of the first event of that name that is the right one. */
export function hears(client, name, isIt = () => true) {
  return new Promise((resolve) => {
    const listen = (...data) => {
      if (!isIt(...data)) return;
      client.off(name, listen);
      resolve(data);
    };
    client.on(name, listen);
  });
}

/** Waits until it is in the lobby. */
export function joins(client) {
  return hears(client, "joined", ({ channel }) => channel.room === "lobby");
}

/** The text and the details of a message. */
export function says(client, text) {
  return hears(client, "chat message", (other) => other === text);
}
