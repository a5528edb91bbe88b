// Starts the server program, and the requests that the tests make by hand.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import WebSocket from "ws";

export const PING_INTERVAL = 300;
export const PING_TIMEOUT = 200;

const RECORD_SEPARATOR = "\x1e";

export class Server {
  /** `port` 0 takes any. */
  static async start({ port = 0, options = [] } = {}) {
    const program = process.env.CHAT_SOCKETIO_SERVER;
    assert.ok(program, "CHAT_SOCKETIO_SERVER names the program");
    const times = ["--ping-interval", `${PING_INTERVAL}`, "--ping-timeout", `${PING_TIMEOUT}`];
    const child = spawn(program, ["--port", `${port}`, ...times, ...options], { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = await once(createInterface(child.stdout), "line");
    return new Server(child, Number(new URL(line).port));
  }

  constructor(child, port) {
    this.child = child;
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.sockets = [];
  }

  /** Ends it, as `kill` does. */
  async stop(signal = "SIGKILL") {
    for (const socket of this.sockets) socket.terminate();
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const exit = once(this.child, "exit");
      this.child.kill(signal);
      await exit;
    }
  }

  /** Resident memory in bytes. */
  async memory() {
    const { readFile } = await import("node:fs/promises");
    const status = await readFile(`/proc/${this.child.pid}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)[1]) * 1024;
  }

  /** A request of long-polling. */
  request(path, { sid, query = `EIO=4&transport=polling${sid ? `&sid=${sid}` : ""}`, ...init } = {}) {
    return fetch(`${this.url}/${path}/?${query}`, init);
  }

  async get(path, sid) {
    const response = await this.request(path, { sid });
    assert.equal(response.status, 200);
    return (await response.text()).split(RECORD_SEPARATOR);
  }

  async post(path, sid, ...packets) {
    const response = await this.request(path, { sid, method: "POST", body: packets.join(RECORD_SEPARATOR) });
    assert.equal(response.status, 200);
    assert.equal(await response.text(), "ok");
  }

  /** Opens a session of long-polling. */
  async open(path) {
    const [open] = await this.get(path);
    assert.equal(open[0], "0");
    return JSON.parse(open.slice(1)).sid;
  }

  /** A WebSocket whose messages are kept until they are asked for. */
  connect(path, query = "EIO=4&transport=websocket") {
    const socket = new Messages(`ws://127.0.0.1:${this.port}/${path}/?${query}`);
    this.sockets.push(socket);
    return socket;
  }

  upgrade(path, sid) {
    return this.connect(path, `EIO=4&transport=websocket&sid=${sid}`);
  }
}

class Messages extends WebSocket {
  constructor(url) {
    super(url);
    this.kept = [];
    this.waiting = [];
    this.opened = new Promise((resolve) => this.once("open", resolve));
    this.ended = new Promise((resolve) => this.once("close", resolve));
    this.on("error", (error) => (this.failure = error));
    this.on("message", (data, isBinary) => {
      const message = isBinary ? data : data.toString();
      const next = this.waiting.shift();
      next ? next(message) : this.kept.push(message);
    });
  }

  next() {
    return this.kept.length ? Promise.resolve(this.kept.shift()) : new Promise((resolve) => this.waiting.push(resolve));
  }

  /** The next that is no ping; pings are answered. */
  async nextPacket() {
    for (;;) {
      const message = await this.next();
      if (message !== "2") return message;
      this.send("3");
    }
  }

  /** Joins the main namespace. */
  async join() {
    assert.equal((await this.next())[0], "0");
    this.send("40");
    assert.match(await this.nextPacket(), /^40\{"sid":"[\w-]{20}"\}$/);
    assert.equal(await this.nextPacket(), '42["auth",{}]');
    return this;
  }
}
