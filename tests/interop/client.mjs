// Node client (ws) against an echo server. Usage: node client.mjs URL PLAN
//
// PLAN is JSON: {"sizes": [bytes, ...], "crowd": connections}. Prints one line of JSON per check.

import { EMOJI, WebSocket, after, check, close, echo, echoFragments } from "./common.mjs";
import { expect, fragmented, messages, ping } from "./common.mjs";

const MESSAGES_IN_CROWD = 100;

const [url, planText] = process.argv.slice(2);
const plan = JSON.parse(planText);

/** Connects, offering permessage-deflate. */
async function open(options = {}) {
  const socket = new WebSocket(url, { perMessageDeflate: true, ...options });
  await after(socket, "open", () => {});
  socket.on("error", () => {});
  return socket;
}

/** Gives `body` a connection, and ends it whatever happens. */
async function connected(body, options) {
  const socket = await open(options);
  try {
    await body(socket);
  } finally {
    socket.terminate();
  }
}

async function pingBetweenFragments(socket) {
  socket.send("first, ", { fin: false });
  await ping(socket, "between");
  const [data] = await after(socket, "message", () => socket.send("second", { fin: true }));
  expect("echo", "first, second", data.toString());
}

async function deflateDeclined(socket) {
  expect("extensions", "", socket.extensions);
  await echo(socket, EMOJI);
}

async function talk(socket, number) {
  for (let count = 0; count < MESSAGES_IN_CROWD; count += 1) {
    await echo(socket, `connection ${number}, message ${count}`);
  }
}

/** Opens all connections before the first message, then talks on all at once. */
async function crowd() {
  const sockets = await Promise.all(Array.from({ length: plan.crowd }, () => open()));
  try {
    await Promise.all(sockets.map(talk));
    await Promise.all(sockets.map((socket) => close(socket, 1000, "")));
  } finally {
    sockets.forEach((socket) => socket.terminate());
  }
}

for (const [name, message] of messages(plan.sizes)) {
  await check(name, () => connected((socket) => echo(socket, message)));
}
for (const [name, fragments] of fragmented()) {
  await check(name, () => connected((socket) => echoFragments(socket, fragments)));
}
await check("ping", () => connected((socket) => ping(socket, "are you there?")));
await check("ping between fragments", () => connected(pingBetweenFragments));
await check("close 4321", () => connected((socket) => close(socket, 4321, "ebb 🌊")));
await check("close 1000", () => connected((socket) => close(socket, 1000, "")));
await check("permessage-deflate declined", () => connected(deflateDeclined));
const foreign = { origin: "https://elsewhere.example" };
await check("foreign Origin", () => connected((socket) => echo(socket, EMOJI), foreign));
if (plan.crowd > 0) await check(`${plan.crowd} connections`, crowd, 60);
