// What the Node client and the Node server share: messages, checks, connections.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { createRequire } from "node:module";
import { randomBytes } from "node:crypto";

// A plain import would not look in NODE_PATH.
export const require = createRequire(import.meta.url);
export const { WebSocket, WebSocketServer } = require("ws");

export const EMOJI = "grüße, 世界 🌊🦀👩‍🚀";

/** Text of `size` bytes in UTF-8, with characters of one to four bytes. */
export function text(size) {
  return "aé€🌊".repeat(Math.floor(size / 10)) + "x".repeat(size % 10);
}

/** Every unfragmented message as [name, message]. */
export function messages(sizes) {
  return [
    ["text with emoji", EMOJI],
    ...sizes.map((size) => [`text of ${size} bytes`, text(size)]),
    ...sizes.map((size) => [`binary of ${size} bytes`, randomBytes(size)]),
  ];
}

/** Every fragmented message as [name, fragments]. */
export function fragmented() {
  return [
    ["text in fragments", ["one 🌊 ", "", "two 🦀 ", "three"]],
    ["binary in fragments", [70000, 0, 126, 1].map((size) => randomBytes(size))],
  ];
}

/** A server over TLS, if `certificate` names a PEM file with the key, or without. */
export function httpServer(certificate) {
  if (!certificate) return createServer();
  const pem = readFileSync(certificate);
  return createSecureServer({ key: pem, cert: pem });
}

/** Takes any port, and says which. */
export async function listen(server) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  console.log(`listening on 127.0.0.1:${server.address().port}`);
}

/** Fails unless both values are equal. */
export function expect(what, expected, got) {
  const [wanted, found] = [show(expected), show(got)];
  const same = Buffer.isBuffer(expected)
    ? Buffer.isBuffer(got) && expected.equals(got)
    : expected === got;
  if (!same) throw new Error(`${what}: expected ${wanted}, got ${found}`);
}

function show(value) {
  if (Buffer.isBuffer(value)) {
    return `${value.length} bytes starting ${value.subarray(0, 16).toString("hex")}`;
  }
  const shown = JSON.stringify(value) ?? String(value);
  return shown.length <= 200 ? shown : `${shown.length} characters: ${shown.slice(0, 80)} ...`;
}

/** Settles as `promise` does, but fails after `seconds`. */
export async function within(seconds, promise) {
  let timer;
  const limit = new Promise((_, reject) => {
    const late = () => reject(new Error(`expected an end within ${seconds} s, got none`));
    timer = setTimeout(late, seconds * 1000);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}

/** Runs one check and prints its result as a line of JSON; returns whether it passed. */
export async function check(name, body, seconds = 20) {
  let error = null;
  try {
    await within(seconds, body());
  } catch (problem) {
    error = String(problem);
  }
  console.log(JSON.stringify({ name, error }));
  return error === null;
}

/** Calls `act`, then gives the arguments of the next `event`; fails if it closes first. */
export function after(socket, event, act) {
  return new Promise((resolve, reject) => {
    const done = (...values) => settle(() => resolve(values));
    const failed = (error) => settle(() => reject(error));
    const closed = (code) => failed(new Error(`expected ${event}, got close ${code}`));
    const settle = (settled) => {
      socket.off(event, done).off("error", failed);
      if (event !== "close") socket.off("close", closed);
      settled();
    };
    if (socket.readyState === WebSocket.CLOSED) return reject(new Error("already closed"));
    socket.on(event, done).on("error", failed);
    if (event !== "close") socket.on("close", closed);
    act();
  });
}

/** Sends `message` and expects the same back. */
export async function echo(socket, message) {
  const [data, isBinary] = await after(socket, "message", () => socket.send(message));
  expect("echo", message, isBinary ? data : data.toString());
}

/** Sends one message in fragments and expects the whole back. */
export async function echoFragments(socket, fragments) {
  const whole = typeof fragments[0] === "string" ? fragments.join("") : Buffer.concat(fragments);
  const send = () =>
    fragments.forEach((part, index) => socket.send(part, { fin: index === fragments.length - 1 }));
  const [data, isBinary] = await after(socket, "message", send);
  expect("echo", whole, isBinary ? data : data.toString());
}

/** Sends a ping and expects the pong with the same payload. */
export async function ping(socket, payload) {
  const [pong] = await after(socket, "pong", () => socket.ping(payload));
  expect("pong", payload, pong.toString());
}

/** Closes and expects the same code and reason back. */
export async function close(socket, code, reason) {
  const [gotCode, gotReason] = await after(socket, "close", () => socket.close(code, reason));
  expect("close code", code, gotCode);
  expect("close reason", reason, gotReason.toString());
}
