// The official client is a guest of the chat's rooms.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import WebSocket from "ws";
import { Chat, Redis, hears, joins, says } from "./chat.mjs";

let chat;

/** A chat of its own for the tests around, since logins from one address are counted. */
function ownChat() {
  before(async () => (chat = await Chat.start("--namespace", "main", "--namespace", "games", "--rate", "1000")));
  after(() => chat.stop());
}

const ask = (client, ...event) => client.timeout(5000).emitWithAck(...event);

for (const [name, options] of Object.entries({
  "long-polling": { transports: ["polling"] },
  "a WebSocket": { transports: ["websocket"] },
  both: {},
})) {
  describe(`with ${name}`, () => {
    ownChat();

    it("talks with the chat's own pages in the lobby", async () => {
      const [ann, page] = [await chat.guest("ann", options), await chat.page("bob")];
      const heard = says(ann, "from the page");
      page.ask({ type: "say", id: 1, to: { room: "lobby" }, text: "from the page" });
      const [, details] = await heard;
      assert.equal(details.from, page.user);
      assert.deepEqual(details.to, { room: "lobby" });

      const echo = says(ann, "from ann");
      ann.emit("chat message", "from ann");
      const said = await page.until((message) => message.text === "from ann");
      assert.equal(said.from, ann.user);
      assert.equal((await echo)[1].seq, said.seq);
      assert.deepEqual(ann.heard.filter((text) => text.startsWith("from ")).slice(-2), ["from the page", "from ann"]);
    });

    it("gets what it has missed, once, from a server that was killed", async () => {
      const own = await Chat.start();
      try {
        const [ann, bob] = [await own.guest("ann", options), await own.guest("bob", options)];
        for (const text of ["one", "two"]) assert.equal((await ask(bob, "chat message", text)).type, "ack");
        await ask(ann, "chat message", "three");
        ann.disconnect();
        for (const text of ["four", "five"]) await ask(bob, "chat message", text);
        const lost = once(bob, "disconnect");
        await own.end("SIGKILL");
        await lost;
        const back = joins(bob);
        await own.launch();
        await back;
        const missed = says(ann, "five");
        ann.connect();
        await missed;
        const last = says(ann, "six");
        await ask(bob, "chat message", "six");
        await last;
        const all = ["one", "two", "three", "four", "five", "six"];
        assert.deepEqual(ann.heard, all);
        assert.deepEqual(bob.heard, all);
      } finally {
        await own.stop();
      }
    });

    it("gets more than fits at once in pieces, and stays in its rooms", async () => {
      const [ann, bob] = [await chat.guest("ann", options), await chat.guest("bob")];
      const rooms = Array.from({ length: 8 }, (_, index) => `hall${index}`);
      for (const client of [ann, bob]) await Promise.all(rooms.map((room) => ask(client, "join", room)));
      ann.disconnect();
      const text = (room, index) => `${name} ${room} ${index} `.padEnd(3900, "x");
      const said = rooms.flatMap((room) => Array.from({ length: 50 }, (_, index) => [room, text(room, index)]));
      for (const [room, text] of said) assert.equal((await ask(bob, "chat message", text, { to: { room } })).type, "ack");
      ann.heard.length = 0;
      const last = says(ann, said.at(-1)[1]);
      ann.connect();
      await last;
      assert.deepEqual(ann.heard, said.map(([, text]) => text));
      const heard = rooms.map((room) => says(ann, `last in ${room} ${name}`));
      for (const room of rooms) await ask(bob, "chat message", `last in ${room} ${name}`, { to: { room } });
      await Promise.all(heard);
    });

    it("is told that the server stops, and says goodbye", async () => {
      const own = await Chat.start();
      try {
        const ann = await own.guest("ann", { ...options, reconnection: false });
        const gone = once(ann, "disconnect");
        assert.equal(await own.end("SIGTERM"), 0);
        assert.equal(own.problems, "");
        await gone;
      } finally {
        await own.stop();
      }
    });
  });
}

describe("a guest", () => {
  ownChat();

  it("joins and leaves rooms, and sees who comes and goes", async () => {
    const [ann, bob] = [await chat.guest("ann"), await chat.guest("bob")];
    assert.equal((await ask(ann, "join", "kitchen")).type, "done");
    const came = hears(ann, "came", ({ room }) => room === "kitchen");
    const joined = hears(bob, "joined", ({ channel }) => channel.room === "kitchen");
    assert.equal((await ask(bob, "join", "kitchen")).type, "done");
    assert.deepEqual((await joined)[0].people.sort(), [ann.user, bob.user].sort());
    assert.equal((await came)[0].user, bob.user);

    const heard = says(ann, "soup");
    const { type, reached } = await ask(bob, "chat message", "soup", { to: { room: "kitchen" } });
    assert.deepEqual([type, reached], ["ack", 2]);
    assert.deepEqual((await heard)[1].to, { room: "kitchen" });

    const went = hears(ann, "went", ({ room }) => room === "kitchen");
    assert.equal((await ask(bob, "leave", "kitchen")).type, "done");
    assert.equal((await went)[0].user, bob.user);
    assert.equal((await ask(bob, "chat message", "still there?", { to: { room: "kitchen" } })).reason, "not-a-member");

    // A position that it knows tells the rest.
    const { origin, seq } = await ask(ann, "chat message", "bread", { to: { room: "kitchen" } });
    bob.heard.length = 0;
    await ask(bob, "join", "kitchen", { [origin]: seq - 1 });
    assert.deepEqual(bob.heard, ["bread"]);

    const gone = hears(ann, "went", ({ room, user }) => room === "kitchen" && user === bob.user);
    bob.disconnect();
    await gone;
  });

  it("has private messages, in all its connections and no others", async () => {
    const login = await chat.login("ann");
    const [one, two] = [chat.client(login), chat.client(login, { transports: ["websocket"] })];
    await Promise.all([one, two].map(joins));
    const [bob, page] = [await chat.guest("bob"), await chat.page("cleo")];
    const heard = [one, two, bob].map((client) => says(client, "psst"));
    await ask(bob, "chat message", "psst", { to: { user: login.user } });
    for (const [, details] of await Promise.all(heard)) assert.equal(details.from, bob.user);
    page.ask({ type: "say", id: 1, to: { user: bob.user }, text: "to bob" });
    await says(bob, "to bob");
    assert.ok(!page.kept.some(({ text }) => text === "psst"));
    assert.ok(![...one.heard, ...two.heard].includes("to bob"));
  });

  it("is in the rooms of its namespace", async () => {
    const login = await chat.login("ann");
    const front = chat.client(login);
    const games = front.io.socket("/games");
    const heard = [];
    games.on("chat message", (text) => heard.push(text));
    await Promise.all([front, games].map(joins));
    await ask(front, "chat message", "in front");
    await ask(games, "chat message", "a game");
    assert.deepEqual(heard, ["a game"]);
    assert.ok(!front.heard.includes("a game"));
    games.disconnect();
    await ask(front, "chat message", "still here");
    const other = chat.client(login, {}, "/other");
    assert.equal((await once(other, "connect_error"))[0].message, "Invalid namespace");
  });

  it("learns why something is not done", async () => {
    const ann = await chat.guest("ann");
    for (const [event, reason] of [
      [["chat message", " "], "empty"],
      [["chat message", "x".repeat(4001)], "too-long"],
      [["chat message", "hi", { to: { room: "cellar" } }], "not-a-member"],
      [["chat message", "hi", { to: { user: "nobody" } }], "no-such-person"],
      [["chat message", "hi", { to: "all" }], "not-allowed"],
      [["chat message", "hi", { to: "none" }], "malformed"],
      [["chat message", "hi", { id: 2 ** 52 }], "malformed"],
      [["chat message", Buffer.from("hi")], "malformed"],
      [["chat message"], "malformed"],
      [["chat message", "a", {}, "b"], "malformed"],
      [["join", "lobby"], "already-there"],
      [["join", "a b"], "malformed"],
      [["leave", "cellar"], "not-a-member"],
      [["shout", "hi"], "malformed"],
    ]) {
      const answer = await ask(ann, ...event);
      assert.deepEqual([answer.type, answer.reason], ["refused", reason], JSON.stringify(event));
      assert.ok(answer.text);
    }
    // Without an acknowledgement it is an event.
    const refused = once(ann, "refused");
    ann.emit("leave", "cellar");
    assert.equal((await refused)[0].room, "cellar");
  });

  it("may be a moderator", async () => {
    const [ann, news] = [await chat.guest("ann"), chat.client(await chat.login("max", "low tide"))];
    assert.deepEqual((await once(news, "welcome"))[0], { user: news.user, moderator: true });
    const heard = says(ann, "closing soon");
    assert.equal((await ask(news, "chat message", "closing soon", { to: "all" })).type, "ack");
    assert.equal((await heard)[1].to, "all");
  });

  it("may send again what it has numbered", async () => {
    const [login, bob] = [await chat.login("ann"), await chat.guest("bob")];
    const auth = { client: "a".repeat(32) };
    const first = chat.client(login, { auth });
    await joins(first);
    const { seq } = await ask(first, "chat message", "once", { id: 7 });
    assert.equal((await ask(first, "chat message", "unnumbered")).reason, "malformed");
    first.disconnect();
    const second = chat.client(login, { auth });
    await joins(second);
    const again = await ask(second, "chat message", "once", { id: 7 });
    assert.deepEqual([again.seq, again.reached], [seq, undefined]);
    await ask(bob, "chat message", "last");
    assert.equal(bob.heard.filter((text) => text === "once").length, 1);
  });
});

describe("two processes", () => {
  let redis;
  let folder;
  let chats;
  before(async () => {
    redis = await Redis.start();
    folder = await mkdtemp(join(tmpdir(), "chat-key-"));
    const start = () => Chat.start("--redis", redis.url, "--key", join(folder, "key"));
    chats = [await start(), await start()];
  });
  after(async () => {
    await Promise.all([...chats, redis].map((each) => each.stop()));
    await rm(folder, { recursive: true });
  });

  it("have the same rooms", async () => {
    const [ann, bob] = await Promise.all(chats.map((chat, index) => chat.guest(["ann", "bob"][index])));
    const heard = [ann, bob].map((client) => says(client, "hello there"));
    assert.equal((await ask(ann, "chat message", "hello there")).type, "ack");
    await Promise.all(heard);
    const secret = says(ann, "psst");
    await ask(bob, "chat message", "psst", { to: { user: ann.user } });
    await secret;
  });

  it("replay what was missed, whichever a client comes back to", async () => {
    const [here, there] = chats;
    const login = await here.login("ann");
    const ann = here.client(login);
    let offset;
    ann.onAny((...event) => (offset = event.at(-1)));
    await joins(ann);
    const bobs = await Promise.all(chats.map((chat) => chat.guest("bob")));
    const say = async (text, listeners) => {
      for (const [index, bob] of bobs.entries()) {
        const heard = listeners.map((client) => says(client, `${text} ${index}`));
        await ask(bob, "chat message", `${text} ${index}`);
        await Promise.all(heard);
      }
    };
    await say("before", [ann, ...bobs]);
    ann.disconnect();
    await say("meanwhile", bobs);
    const again = there.client(login, { auth: { offset } });
    const back = says(again, "after 1");
    await joins(again);
    await say("after", bobs);
    await back;
    const expected = ["meanwhile", "after"].flatMap((text) => [`${text} 0`, `${text} 1`]);
    assert.deepEqual(again.heard, expected);
  });
});

describe("the door", () => {
  ownChat();

  const query = "EIO=4&transport=polling";
  const open = async (cookie, headers = {}) => fetch(`${chat.url}/socket.io/?${query}`, { headers: { cookie, ...headers } });

  it("is for those who have logged in", async () => {
    for (const transport of ["polling", "websocket"]) {
      for (const cookie of ["", "chat=forged"]) {
        const stranger = chat.client({ cookie }, { transports: [transport], reconnection: false });
        await once(stranger, "connect_error");
      }
    }
    assert.equal((await open("")).status, 401);
  });

  it("is closed to pages of other origins", async () => {
    const { cookie } = await chat.login("ann");
    const origin = "http://elsewhere.example";
    assert.equal((await open(cookie, { origin })).status, 403);
    const socket = new WebSocket(`${chat.url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`, { headers: { cookie, origin } });
    const [error] = await once(socket, "error");
    assert.match(error.message, /403/);
  });

  it("knows whose session it is", async () => {
    const [ann, bob] = [await chat.login("ann"), await chat.login("bob")];
    const { sid } = JSON.parse((await (await open(ann.cookie)).text()).slice(1));
    const url = `${chat.url}/socket.io/?${query}&sid=${sid}`;
    for (const [method, body] of [["GET"], ["POST", "40"]]) {
      assert.equal((await fetch(url, { method, body, headers: { cookie: bob.cookie } })).status, 403);
    }
    const socket = new WebSocket(`${url.replace("http", "ws").replace("polling", "websocket")}`, { headers: { cookie: bob.cookie } });
    assert.match((await once(socket, "error"))[0].message, /403/);
    // It is as it was.
    const post = await fetch(url, { method: "POST", body: "40", headers: { cookie: ann.cookie } });
    assert.equal(await post.text(), "ok");
    assert.equal((await fetch(url.replace(sid, "foreign"), { headers: { cookie: ann.cookie } })).status, 400);
  });

  it("lets only so many in from one address, over however few connections", async () => {
    const own = await Chat.start("--max-per-address", "8");
    try {
      const { cookie } = await own.login("ann");
      const statuses = [];
      for (let count = 0; count < 10; count++) {
        const response = await fetch(`${own.url}/socket.io/?${query}`, { headers: { cookie } });
        await response.text();
        statuses.push(response.status);
      }
      assert.deepEqual(statuses, [...Array(8).fill(200), 429, 429]);
    } finally {
      await own.stop();
    }
  });

  it("slows down who is too fast, while others go on, and in the end shows them out", async () => {
    const own = await Chat.start("--rate", "5");
    try {
      const [ann, bob] = [await own.guest("ann", { reconnection: false }), await own.guest("bob")];
      const answers = await Promise.all(Array.from({ length: 60 }, (_, index) => ask(ann, "chat message", `${index}`)));
      const refused = answers.filter(({ reason }) => reason === "too-fast");
      assert.ok(refused.length > 30 && refused.length < 60, `${refused.length}`);
      assert.ok(refused.every(({ wait }) => wait > 0));
      assert.equal((await ask(bob, "chat message", "unmoved")).type, "ack");
      const gone = once(ann, "disconnect");
      for (let count = 0; count < 150; count++) ann.emit("chat message", "flood");
      await gone;
      assert.equal((await ask(bob, "chat message", "still here")).type, "ack");
    } finally {
      await own.stop();
    }
  });

  it("is shut for who knocks without end", async () => {
    const own = await Chat.start("--rate", "5");
    try {
      const { cookie } = await own.login("ann");
      const socket = new WebSocket(`${own.url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`, { headers: { cookie } });
      const heard = [];
      socket.on("message", (data) => heard.push(data.toString()));
      await once(socket, "open");
      for (let count = 0; count < 150; count++) socket.send("40/cellar");
      await once(socket, "close");
      assert.ok(heard.includes('44/cellar,{"message":"Invalid namespace"}'));
      assert.equal(heard.at(-1), '44/cellar,{"message":"too many messages at once"}');
      assert.ok(heard.length < 130, `${heard.length}`);
    } finally {
      await own.stop();
    }
  });

  it("takes no offset that is none", async () => {
    const login = await chat.login("ann");
    for (const auth of [{ offset: "x" }, { offset: 7 }, { client: "short" }, { offset: `{"all":{"p":1${"0".repeat(5000)}}}` }]) {
      const client = chat.client(login, { auth });
      assert.match((await once(client, "connect_error"))[0].message, /none of this protocol/);
    }
    // More processes than there are.
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`p${index}`, 1]));
    const client = chat.client(login, { auth: { offset: JSON.stringify({ all: many }) }, reconnection: false });
    assert.equal((await once(client, "refused"))[0].reason, "invalid-position");
  });
});
