// Node (ws) with permessage-deflate. Usage: node compression.mjs client SETTINGS URL
//                                           node compression.mjs server SETTINGS
//
// SETTINGS is JSON: [{"name", "agreed", "server": {"bits", "takeover"}, "client": ...}, ...], of
// which compression.py has the meaning. The client makes a connection with each. The server
// prints `listening on HOST:PORT` and uses the setting with number N for the path /N. Both print
// one line of JSON per connection.

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { EMOJI, WebSocket, WebSocketServer, check, close, echo, echoFragments } from "./common.mjs";
import { after, expect, fragmented, ping } from "./common.mjs";

const MIB = 1024 * 1024;
const REPETITIONS = 20;

const [role, settingsText, url] = process.argv.slice(2);
const settings = JSON.parse(settingsText);

/** The options of ws; undefined is not mentioned, and false keeps a client from offering it. */
function options({ server, client }) {
  return {
    serverMaxWindowBits: server.bits ?? undefined,
    clientMaxWindowBits: client.bits ?? (role === "client" ? false : undefined),
    serverNoContextTakeover: !server.takeover,
    clientNoContextTakeover: !client.takeover,
    threshold: 0,
  };
}

function expectAgreed(setting, header) {
  const [extension, ...parameters] = (header ?? "").split(";").map((part) => part.trim());
  expect("extension", "permessage-deflate", extension);
  expect("parameters", setting.agreed.join("; "), parameters.sort().join("; "));
}

/** About as many bytes of JSON; they compress well in any window. */
function jsonText(size) {
  const record = (_, id) =>
    JSON.stringify({ id, city: "Zürich", side: "buy", price: (id * 7919) % 10007 });
  return Array.from({ length: Math.floor(size / 60) }, record).join("\n");
}

/** Text of which little is gained, unless it was said before. */
function token(size) {
  return JSON.stringify({ token: randomBytes(size / 2).toString("hex") });
}

/** What comes again lies just outside of each window, so that nobody may refer to it. */
function farApart() {
  return [600, 6000, 40000].map(token).flatMap((text) => [text, text, text]);
}

/** All messages after the tokens; an array is sent in fragments. */
function conversation() {
  return [
    ...["", Buffer.alloc(0), "short", jsonText(500), EMOJI.repeat(30)],
    ...[randomBytes(1000), Buffer.alloc(1 << 14, "pattern"), jsonText(500)],
    ...farApart(),
    ...[jsonText(MIB), Buffer.from(jsonText(MIB))],
    [jsonText(300), "", jsonText(70000), "grüße"],
    ...fragmented().map(([, parts]) => parts),
    jsonText(500),
  ];
}

function length(message) {
  return [message].flat().reduce((sum, part) => sum + Buffer.byteLength(part), 0);
}

/** Sends and expects back; returns bytes on the wire per byte of the messages, for each side. */
async function ratios(socket, stream, messages) {
  const sent = () => [stream.bytesWritten, stream.bytesRead];
  const before = sent();
  for (const message of messages) {
    await (Array.isArray(message) ? echoFragments : echo)(socket, message);
  }
  const total = messages.map(length).reduce((one, other) => one + other);
  const [own, peers] = sent().map((bytes, index) => (bytes - before[index]) / total);
  return role === "client" ? { client: own, server: peers } : { client: peers, server: own };
}

function expectRatio(what, least, most, ratio) {
  const shown = `${what}: ${ratio} bytes on the wire for one, expected ${least} to ${most}`;
  expect(shown, true, least < ratio && ratio < most);
}

/** Says everything, and counts what it takes. A repeated token tells whether there is takeover. */
async function converse(socket, stream, setting) {
  await echo(socket, "so the handshake is over");
  const tokens = await ratios(socket, stream, Array(REPETITIONS).fill(token(100)));
  const others = await ratios(socket, stream, conversation());
  for (const side of ["client", "server"]) {
    const bounds = setting[side].takeover ? [0.05, 0.3] : [0.4, 0.95];
    expectRatio(`tokens of the ${side}`, ...bounds, tokens[side]);
    expectRatio(`messages of the ${side}`, 0.01, 0.5, others[side]);
  }
  await ping(socket, "are you there?");
}

async function asClient(setting) {
  const socket = new WebSocket(url, { perMessageDeflate: options(setting) });
  try {
    let response;
    socket.on("upgrade", (upgrade) => (response = upgrade));
    await after(socket, "open", () => {});
    socket.on("error", () => {});
    expectAgreed(setting, response.headers["sec-websocket-extensions"]);
    await converse(socket, response.socket, setting);
    await close(socket, 1000, "");
  } finally {
    socket.terminate();
  }
}

async function asServer(setting, socket, stream, header) {
  socket.on("error", () => {});
  try {
    expectAgreed(setting, header);
    await converse(socket, stream, setting);
    await close(socket, 1000, "done");
  } finally {
    socket.terminate();
  }
}

async function listen() {
  const servers = settings.map((setting) => {
    const server = new WebSocketServer({ noServer: true, perMessageDeflate: options(setting) });
    server.on("headers", (headers, request) => {
      const name = "Sec-WebSocket-Extensions: ";
      request.agreed = headers.find((line) => line.startsWith(name))?.slice(name.length);
    });
    server.on("connection", (socket, request) => {
      check(setting.name, () => asServer(setting, socket, request.socket, request.agreed));
    });
    return server;
  });
  const http = createServer();
  http.on("upgrade", (request, stream, head) => {
    const server = servers[Number(request.url.slice(1))];
    server.handleUpgrade(request, stream, head, (socket) => {
      server.emit("connection", socket, request);
    });
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  console.log(`listening on 127.0.0.1:${http.address().port}`);
}

if (role === "server") await listen();
else for (const setting of settings) await check(setting.name, () => asClient(setting));
