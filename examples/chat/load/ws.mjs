// The sockets of the chat on `ws`: the same messages, rooms, acknowledgements, numbers, history and limits, all in memory.
// It has no pages, and takes a guest's name from the address in place of a login.
//
//     node ws.mjs [--deflate]

import { createServer } from "node:http";
import { randomBytes } from "node:crypto";
import { WebSocketServer } from "ws";

const MAX_TEXT_BYTES = 4000;
const MAX_HISTORY = 200;
const MAX_RECENT = 65_536;
const MAX_ROOMS = 1000;
const MAX_PEOPLE = 1000;
const MAX_ROOMS_PER_GUEST = 32;
const MAX_OUTPUT = 1 << 20;
const KEEPALIVE = 20_000;
const RATE = 1_000_000;
const NAME = /^[\p{Alphabetic}\p{N}][\p{Alphabetic}\p{N}\-_.#]*$/u;

const origin = randomBytes(8).toString("hex");
const rooms = new Map();
const inboxes = new Map();
/** What was said before, by user, client and number: a message that is sent again is said once. */
const recent = new Map();
let seq = 0;

class Refused extends Error {}

function isName(name) {
  return typeof name === "string" && Buffer.byteLength(name) <= 48 && NAME.test(name);
}

class Channel {
  members = new Set();
  people = new Map();
  history = [];
  forgotten = 0;

  remember(number, frame) {
    this.history.push([number, frame]);
    if (this.history.length > MAX_HISTORY) this.forgotten = this.history.shift()[0];
  }

  replay(guest, channel, since) {
    const from = since?.[origin] ?? 0;
    const after = this.forgotten ? { [origin]: this.forgotten } : {};
    const gap = since !== undefined && since !== null && from < this.forgotten;
    guest.send(encode({ type: "joined", channel, people: [...this.people.keys()], after, gap }));
    for (const [number, frame] of this.history) if (number > from) guest.send(frame);
  }
}

/** Encoded once for all who get it. */
function encode(message) {
  return Buffer.from(JSON.stringify(message));
}

function tell(members, frame, except) {
  let reached = 0;
  for (const guest of members) {
    if (guest === except) continue;
    guest.send(frame);
    reached += 1;
  }
  return reached;
}

class Guest {
  rooms = new Set();
  isAlive = true;
  tokens = 2 * RATE;
  last = performance.now();

  constructor(socket, user) {
    this.socket = socket;
    this.user = user;
    socket.on("message", (data, isBinary) => this.receive(data, isBinary));
    socket.on("pong", () => (this.isAlive = true));
    socket.on("close", () => this.exit());
    socket.on("error", () => {});
  }

  send(frame) {
    if (this.socket.bufferedAmount > MAX_OUTPUT) return this.socket.terminate();
    this.socket.send(frame, { binary: false });
  }

  isTooFast() {
    const now = performance.now();
    this.tokens = Math.min(2 * RATE, this.tokens + ((now - this.last) / 1000) * RATE);
    this.last = now;
    if (this.tokens < 1) return true;
    this.tokens -= 1;
    return false;
  }

  receive(data, isBinary) {
    if (isBinary) return this.socket.close(1003, "only text is understood");
    this.isAlive = true;
    let message;
    try {
      message = JSON.parse(data);
      if (this.isTooFast()) throw new Refused("too-fast");
      if (!this.client && message.type !== "hello") return this.socket.close(1008, "hello comes first");
      const act = handlers[message.type];
      if (!act) throw new Refused("malformed");
      act(this, message);
    } catch (error) {
      const reason = error instanceof Refused ? error.message : "malformed";
      this.send(encode({ type: "refused", id: message?.id, room: message?.room, reason, text: reason }));
    }
  }

  leave(name) {
    const room = rooms.get(name);
    this.rooms.delete(name);
    room.members.delete(this);
    const count = room.people.get(this.user) - 1;
    if (count > 0) return room.people.set(this.user, count);
    room.people.delete(this.user);
    tell(room.members, encode({ type: "went", room: name, user: this.user }));
  }

  exit() {
    for (const name of [...this.rooms]) this.leave(name);
    inboxes.get(this.user)?.members.delete(this);
  }
}

const handlers = {
  hello(guest, { client, user }) {
    if (guest.client || !/^[0-9a-f]{32}$/.test(client)) throw new Refused("malformed");
    guest.client = client;
    guest.send(encode({ type: "welcome", user: guest.user, moderator: false }));
    if (!inboxes.has(guest.user)) inboxes.set(guest.user, new Channel());
    const inbox = inboxes.get(guest.user);
    inbox.members.add(guest);
    guest.send(encode({ type: "joined", channel: "all", people: [], after: {}, gap: false }));
    inbox.replay(guest, { user: guest.user }, user);
  },

  join(guest, { room: name, since }) {
    if (!isName(name)) throw new Refused("malformed");
    if (guest.rooms.has(name)) throw new Refused("already-there");
    if (guest.rooms.size >= MAX_ROOMS_PER_GUEST) throw new Refused("too-many-rooms-of-yours");
    if (!rooms.has(name)) {
      if (rooms.size >= MAX_ROOMS) throw new Refused("too-many-rooms");
      rooms.set(name, new Channel());
    }
    const room = rooms.get(name);
    const count = room.people.get(guest.user) ?? 0;
    if (count === 0 && room.people.size >= MAX_PEOPLE) throw new Refused("room-full");
    if (count === 0) tell(room.members, encode({ type: "came", room: name, user: guest.user }));
    room.people.set(guest.user, count + 1);
    room.members.add(guest);
    guest.rooms.add(name);
    room.replay(guest, { room: name }, since);
  },

  leave(guest, { room: name }) {
    if (!guest.rooms.has(name)) throw new Refused("not-a-member");
    guest.leave(name);
    guest.send(encode({ type: "left", room: name }));
  },

  say(guest, { id, to, text, echo }) {
    if (!Number.isSafeInteger(id) || typeof text !== "string") throw new Refused("malformed");
    const key = `${guest.user} ${guest.client} ${id}`;
    const known = recent.get(key);
    if (known) return guest.send(encode({ type: "ack", id, origin, seq: known }));
    if (text.trim() === "") throw new Refused("empty");
    if (Buffer.byteLength(text) > MAX_TEXT_BYTES) throw new Refused("too-long");
    // eslint-disable-next-line no-control-regex
    if (/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/.test(text)) throw new Refused("malformed");
    const isRoom = to?.room !== undefined;
    if (isRoom && !guest.rooms.has(to.room)) throw new Refused("not-a-member");
    if (!isRoom && !inboxes.has(to?.user)) throw new Refused("no-such-person");
    if (to.room === "news") throw new Refused("not-allowed");
    seq += 1;
    recent.set(key, seq);
    if (recent.size > MAX_RECENT) recent.delete(recent.keys().next().value);
    const entry = { type: "said", origin, seq, to, from: guest.user, client: guest.client, id, time: Date.now(), text };
    const frame = encode(entry);
    const channel = isRoom ? rooms.get(to.room) : inboxes.get(to.user);
    channel.remember(seq, frame);
    const except = echo ? undefined : guest;
    const reached = tell(channel.members, frame, except);
    if (!isRoom && to.user !== guest.user) {
      inboxes.get(guest.user).remember(seq, frame);
      tell(inboxes.get(guest.user).members, frame, except);
    }
    guest.send(encode({ type: "ack", id, origin, seq, reached }));
  },
};

const perMessageDeflate = process.argv.includes("--deflate") ? { threshold: 0 } : false;
const server = createServer((_, response) => response.writeHead(404).end());
const sockets = new WebSocketServer({ noServer: true, maxPayload: 28_096, perMessageDeflate });
const guests = new Set();

server.on("upgrade", (request, socket, head) => {
  const { origin: page, host } = request.headers;
  const user = new URL(request.url, "http://chat").searchParams.get("user");
  if (page !== undefined && page !== `http://${host}`) return socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
  if (!isName(user)) return socket.end("HTTP/1.1 401 Unauthorized\r\n\r\n");
  sockets.handleUpgrade(request, socket, head, (opened) => {
    const guest = new Guest(opened, user);
    guests.add(guest);
    opened.on("close", () => guests.delete(guest));
  });
});

setInterval(() => {
  for (const guest of guests) {
    if (!guest.isAlive) {
      guest.socket.terminate();
      continue;
    }
    guest.isAlive = false;
    guest.socket.ping();
  }
}, KEEPALIVE);

server.listen(0, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
