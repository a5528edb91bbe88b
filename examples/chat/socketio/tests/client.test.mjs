// The official client is a guest.
import assert from "node:assert/strict";
import { once } from "node:events";
import { afterEach, beforeEach, describe, it } from "node:test";
import { io } from "socket.io-client";
import { Server } from "./server.mjs";

let server;
const clients = [];
beforeEach(async () => (server = await Server.start()));
afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect();
  await server.stop();
});

function connect(options = {}, namespace = "/") {
  const client = io(server.url + namespace, { forceNew: true, reconnectionDelay: 20, reconnectionDelayMax: 100, ...options });
  clients.push(client);
  return client;
}

const transport = (client) => client.io.engine.transport.name;

for (const [name, options] of Object.entries({
  "long-polling": { transports: ["polling"] },
  "a WebSocket": { transports: ["websocket"] },
  both: {},
})) {
  describe(`with ${name}`, () => {
    it("connects, and sends text, binary and acknowledgements", async () => {
      const client = connect({ auth: { token: "123" }, ...options });
      const auth = once(client, "auth");
      await once(client, "connect");
      assert.deepEqual(await auth, [{ token: "123" }]);

      client.emit("message", 1, "é😀", { a: [null, true] });
      assert.deepEqual(await once(client, "message-back"), [1, "é😀", { a: [null, true] }]);

      const binary = [Buffer.from([1, 2, 3]), { deep: [Buffer.from([0x1e, 0xff])] }];
      client.emit("message", ...binary);
      assert.deepEqual(await once(client, "message-back"), binary);

      assert.equal(await client.timeout(5000).emitWithAck("message-with-ack", "x"), "x");
      assert.deepEqual(await client.timeout(5000).emitWithAck("message-with-ack", Buffer.from([7])), Buffer.from([7]));
      // Nobody answers this one.
      await assert.rejects(client.timeout(50).emitWithAck("unknown", "x"), /timed out/);
    });

    it("acknowledges what the server asks, or is too late", async () => {
      const client = connect(options);
      client.on("ask", (millis, answer) => millis === 5000 && answer("yes", Buffer.from([1])));
      const ask = (millis) => new Promise((resolve) => client.emit("ask-me", millis, (...answer) => resolve(answer)));
      assert.deepEqual(await ask(5000), ["yes", Buffer.from([1])]);
      assert.deepEqual(await ask(20), ["the acknowledgement did not come in time"]);
    });

    it("keeps the order of many", async () => {
      const client = connect(options);
      const received = [];
      const all = new Promise((resolve) => client.on("message-back", (index) => received.push(index) === 500 && resolve()));
      for (let index = 0; index < 500; index++) client.emit("message", index);
      await all;
      assert.deepEqual(received, Array.from({ length: 500 }, (_, index) => index));
    });

    it("stays through pings", async () => {
      const client = connect(options);
      await once(client, "connect");
      let pings = 0;
      const three = new Promise((resolve) => client.io.on("ping", () => ++pings === 3 && resolve()));
      client.on("disconnect", assert.fail);
      await three;
      client.off("disconnect");
    });

    it("comes back after the server has gone", async () => {
      const client = connect(options);
      await once(client, "connect");
      const first = client.id;
      const { port } = server;
      const gone = once(client, "disconnect");
      await server.stop();
      await gone;
      // What it says meanwhile is sent when it is back.
      client.emit("message", "kept");
      const again = once(client, "connect");
      const echo = once(client, "message-back");
      server = await Server.start({ port });
      await again;
      assert.notEqual(client.id, first);
      assert.deepEqual(await echo, ["kept"]);
    });

    it("hears of a server that ends in good order", async () => {
      const client = connect(options);
      await once(client, "connect");
      const gone = once(client, "disconnect");
      await server.stop("SIGINT");
      const [reason] = await gone;
      assert.match(reason, /transport (close|error)/);
      assert.equal(server.child.exitCode, 0);
    });
  });
}

describe("the official client", () => {
  it("upgrades from long-polling", async () => {
    const client = connect();
    const upgraded = once(client.io.engine, "upgrade");
    client.io.engine.once("open", () => assert.equal(transport(client), "polling"));
    await upgraded;
    assert.equal(transport(client), "websocket");
    if (!client.connected) await once(client, "connect");
    client.emit("message", "after");
    assert.deepEqual(await once(client, "message-back"), ["after"]);
  });

  it("loses and repeats nothing through the upgrade", async () => {
    const client = connect();
    const received = [];
    let index = 0;
    let isUpgraded = false;
    client.io.engine.once("upgrade", () => (isUpgraded = true));
    await once(client, "connect");
    await new Promise((resolve) => {
      client.on("message-back", (number) => {
        received.push(number);
        if (isUpgraded && index >= 200) return received.length === index && resolve();
        client.emit("message", index++);
        client.emit("message", index++);
      });
      client.emit("message", index++);
    });
    assert.deepEqual(received, Array.from({ length: index }, (_, number) => number));
  });

  it("is in several namespaces over one connection", async () => {
    const client = connect();
    const custom = client.io.socket("/custom");
    await Promise.all([once(client, "connect"), once(custom, "connect")]);
    assert.notEqual(client.id, custom.id);
    custom.emit("message", 1);
    assert.deepEqual(await once(custom, "message-back"), [1]);
    custom.disconnect();
    client.emit("message", 2);
    assert.deepEqual(await once(client, "message-back"), [2]);
  });

  it("learns why it may not join", async () => {
    const client = connect({}, "/members");
    const [error] = await once(client, "connect_error");
    assert.equal(error.message, "Members only");
    assert.deepEqual(error.data, ["ask", "us"]);
    const unknown = connect({}, "/random");
    assert.equal((await once(unknown, "connect_error"))[0].message, "Invalid namespace");
    client.auth = { as: "member" };
    client.connect();
    await once(client, "connect");
  });

  it("is put out of a namespace, or off", async () => {
    const client = connect();
    await once(client, "connect");
    client.emit("leave-me");
    assert.deepEqual((await once(client, "disconnect"))[0], "io server disconnect");
    client.connect();
    await once(client, "connect");
    client.emit("close-me");
    assert.match((await once(client, "disconnect"))[0], /transport close/);
  });

  it("hears what others say", async () => {
    const [alice, bob] = [connect(), connect({ transports: ["polling"] })];
    await Promise.all([once(alice, "connect"), once(bob, "connect")]);
    const heard = [once(alice, "chat message"), once(bob, "chat message")];
    alice.emit("chat message", "hello");
    assert.deepEqual(await Promise.all(heard), [["hello"], ["hello"]]);
  });
});
