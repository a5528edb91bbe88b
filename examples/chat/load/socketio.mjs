// A chat on `socket.io`, through Redis if there is one: rooms, acknowledgements, numbers and a history of each room in memory.
// It has no pages and no logins, and a process remembers only what was said through it.
//
//     node socketio.mjs [--redis URL] [--deflate]

import { createServer } from "node:http";
import { randomBytes } from "node:crypto";
import { createAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";

const MAX_TEXT_BYTES = 4000;
const MAX_HISTORY = 200;
const NAME = /^[\p{Alphabetic}\p{N}][\p{Alphabetic}\p{N}\-_.#]{0,47}$/u;

const redis = process.argv[process.argv.indexOf("--redis") + 1];
const perMessageDeflate = process.argv.includes("--deflate") ? { threshold: 0 } : false;
const server = createServer();
const io = new Server(server, { transports: ["websocket"], serveClient: false, maxHttpBufferSize: 28_096, perMessageDeflate });
if (process.argv.includes("--redis")) {
  const publishes = createClient({ url: redis });
  const subscribes = publishes.duplicate();
  await Promise.all([publishes.connect(), subscribes.connect()]);
  io.adapter(createAdapter(publishes, subscribes));
}

const origin = randomBytes(8).toString("hex");
const histories = new Map();
let seq = 0;

io.use((socket, next) => {
  socket.data.user = socket.handshake.query.user;
  next(NAME.test(socket.data.user) ? undefined : new Error("log in first"));
});

io.on("connection", (socket) => {
  const { user } = socket.data;
  socket.on("join", async (room, acknowledge) => {
    if (typeof room !== "string" || !NAME.test(room)) return acknowledge({ refused: "malformed" });
    socket.to(room).emit("came", { room, user });
    await socket.join(room);
    acknowledge(histories.get(room) ?? []);
  });
  socket.on("say", ({ id, room, text }, acknowledge) => {
    if (typeof text !== "string" || Buffer.byteLength(text) > MAX_TEXT_BYTES) return acknowledge({ refused: "malformed" });
    if (!socket.rooms.has(room)) return acknowledge({ refused: "not-a-member" });
    seq += 1;
    const entry = { origin, seq, room, from: user, id, time: Date.now(), text };
    const history = histories.get(room) ?? [];
    history.push(entry);
    if (history.length > MAX_HISTORY) history.shift();
    histories.set(room, history);
    socket.to(room).emit("said", entry);
    acknowledge({ id, origin, seq });
  });
});

server.listen(0, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
