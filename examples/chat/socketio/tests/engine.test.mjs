// Engine.IO, at both paths: what the protocol's own suite asks for, and what it does not.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { PING_INTERVAL, PING_TIMEOUT, Server } from "./server.mjs";

let server;
before(async () => (server = await Server.start({ options: ["--any-origin"] })));
after(() => server.stop());

const HANDSHAKE = { pingInterval: PING_INTERVAL, pingTimeout: PING_TIMEOUT, maxPayload: 1000000 };

for (const path of ["engine.io", "socket.io"]) {
  describe(`/${path}/`, () => {
    it("opens with a GET", async () => {
      const [open, ...others] = await server.get(path);
      assert.deepEqual(others, []);
      const { sid, ...handshake } = JSON.parse(open.slice(1));
      assert.match(sid, /^[\w-]{20}$/);
      assert.deepEqual(handshake, { ...HANDSHAKE, upgrades: ["websocket"] });
    });

    it("opens with a WebSocket", async () => {
      const socket = server.connect(path);
      const open = await socket.next();
      const { sid, ...handshake } = JSON.parse(open.slice(1));
      assert.match(sid, /^[\w-]{20}$/);
      assert.deepEqual(handshake, { ...HANDSHAKE, upgrades: [] });
      socket.close();
    });

    const refused = [
      ["transport=polling", 5],
      ["EIO=abc&transport=polling", 5],
      ["EIO=3&transport=polling", 5],
      ["EIO=4", 0],
      ["EIO=4&transport=abc", 0],
      ["EIO=4&transport=polling&sid=foreign", 1],
      ["EIO=4&transport=websocket", 3],
    ];
    for (const [query, code] of refused) {
      it(`refuses ?${query}`, async () => {
        const response = await server.request(path, { query });
        assert.equal(response.status, 400);
        assert.match(response.headers.get("content-type"), /^application\/json/);
        assert.equal((await response.json()).code, code);
      });
    }

    for (const query of ["transport=websocket", "EIO=abc&transport=websocket", "EIO=4", "EIO=4&transport=websocket&sid=foreign"]) {
      it(`refuses a WebSocket with ?${query}`, async () => {
        const socket = server.connect(path, query);
        await socket.ended;
        assert.match(socket.failure.message, /400/);
      });
    }

    it("refuses other methods", async () => {
      for (const [method, sid, code] of [["POST", undefined, 2], ["PUT", undefined, 2], ["PUT", await server.open(path), 3]]) {
        const response = await server.request(path, { method, sid });
        assert.equal(response.status, 400);
        assert.equal((await response.json()).code, code);
      }
    });

    it("lets pages of other origins read the answers", async () => {
      const headers = { origin: "http://elsewhere.example" };
      for (const sid of [undefined, "foreign"]) {
        const response = await server.request(path, { sid, headers });
        assert.equal(response.headers.get("access-control-allow-origin"), headers.origin);
      }
      const preflight = await server.request(path, { method: "OPTIONS", headers });
      assert.equal(preflight.status, 204);
      assert.match(preflight.headers.get("access-control-allow-methods"), /POST/);
    });

    it("pings over long-polling, and counts from the pong", async () => {
      const sid = await server.open(path);
      for (let count = 0; count < 3; count++) {
        assert.deepEqual(await server.get(path, sid), ["2"]);
        await server.post(path, sid, "3");
      }
    });

    it("ends a silent session of long-polling", async () => {
      const sid = await server.open(path);
      await sleep(PING_INTERVAL + PING_TIMEOUT);
      assert.equal((await server.request(path, { sid })).status, 400);
    });

    it("pings over a WebSocket", async () => {
      const socket = server.connect(path);
      await socket.next();
      for (let count = 0; count < 3; count++) {
        assert.equal(await socket.next(), "2");
        socket.send("3");
      }
      socket.close();
    });

    it("closes a silent WebSocket", async () => {
      const socket = server.connect(path);
      await socket.ended;
      assert.deepEqual(socket.kept.slice(1), ["2"]);
    });

    it("closes for a client, whichever request comes first", async () => {
      for (const isGetFirst of [true, false]) {
        const sid = await server.open(path);
        const requests = [() => server.get(path, sid), () => server.post(path, sid, "1")];
        if (!isGetFirst) await requests.pop()();
        const [packets] = await Promise.all(requests.map((request) => request()));
        assert.deepEqual(packets, ["6"]);
        assert.equal((await server.request(path, { sid })).status, 400);
      }
    });

    it("closes a WebSocket for a client", async () => {
      const socket = server.connect(path);
      await socket.next();
      socket.send("1");
      await socket.ended;
    });

    it("upgrades, and ends the poll that waits", async () => {
      const sid = await server.open(path);
      const waiting = server.get(path, sid);
      const socket = server.upgrade(path, sid);
      await socket.opened;
      socket.send("2probe");
      assert.equal(await socket.next(), "3probe");
      assert.deepEqual(await waiting, ["6"]);
      assert.deepEqual(await server.get(path, sid), ["6"]);
      socket.send("5");
      // The heartbeat goes on where it was.
      assert.equal(await socket.next(), "2");
      socket.close();
    });

    it("refuses requests after an upgrade, which hurt nothing", async () => {
      const sid = await server.open(path);
      const socket = server.upgrade(path, sid);
      await socket.opened;
      socket.send("2probe");
      socket.send("5");
      for (const method of ["GET", "POST"]) {
        assert.equal((await server.request(path, { sid, method })).status, 400);
      }
      const second = server.upgrade(path, sid);
      await second.ended;
      assert.equal(second.failure, undefined, "it is opened and closed, as clients expect");
      assert.equal(await socket.next(), "3probe");
      assert.equal(await socket.next(), "2");
      socket.close();
    });

    it("goes on with long-polling after an upgrade that failed", async () => {
      const sid = await server.open(path);
      for (const packets of [["4hello"], ["2probe", "4hello"], []]) {
        const socket = server.upgrade(path, sid);
        await socket.opened;
        for (const packet of packets) socket.send(packet);
        if (!packets.length) socket.close();
        await socket.ended;
      }
      assert.deepEqual(await server.get(path, sid), ["2"]);
      await server.post(path, sid, "3");
    });
  });
}

describe("an echo", () => {
  const path = "engine.io";

  for (const packets of [["4hello"], ["4a", "4b", "4c"], ["4hello", "bAQIDBA=="], ["4é€😀", "4"]]) {
    it(`returns ${JSON.stringify(packets)} over long-polling`, async () => {
      const sid = await server.open(path);
      await server.post(path, sid, ...packets);
      assert.deepEqual(await server.get(path, sid), packets);
    });
  }

  it("returns text and binary over a WebSocket", async () => {
    const socket = server.connect(path);
    await socket.next();
    socket.send("4é€😀");
    assert.equal(await socket.next(), "4é€😀");
    socket.send(Buffer.from([1, 2, 3, 4]));
    assert.deepEqual(await socket.next(), Buffer.from([1, 2, 3, 4]));
    socket.close();
  });

  it("keeps the order through an upgrade", async () => {
    const sid = await server.open(path);
    await server.post(path, sid, "4first");
    const socket = server.upgrade(path, sid);
    await socket.opened;
    socket.send("2probe");
    assert.equal(await socket.next(), "3probe");
    await server.post(path, sid, "4second");
    socket.send("5");
    socket.send("4third");
    for (const expected of ["4first", "4second", "4third"]) assert.equal(await socket.nextPacket(), expected);
    socket.close();
  });

  it("closes after a packet that is none", async () => {
    const sid = await server.open(path);
    assert.equal((await server.request(path, { sid, method: "POST", body: "abc" })).status, 400);
    assert.equal((await server.request(path, { sid })).status, 400);
    const socket = server.connect(path);
    await socket.next();
    socket.send("abc");
    await socket.ended;
  });

  it("closes after two GETs at once", async () => {
    const sid = await server.open(path);
    const answers = await Promise.all([server.request(path, { sid }), server.request(path, { sid })]);
    answers.sort((a, b) => a.status - b.status);
    assert.deepEqual(answers.map((answer) => answer.status), [200, 400]);
    assert.equal(await answers[0].text(), "1");
    assert.equal((await server.request(path, { sid })).status, 400);
  });

  it("closes after a GET that was cancelled", async () => {
    const sid = await server.open(path);
    const controller = new AbortController();
    const waiting = server.request(path, { sid, signal: controller.signal });
    await sleep(5);
    controller.abort();
    await assert.rejects(waiting);
    assert.equal((await server.request(path, { sid })).status, 400);
  });
});

describe("a page of another origin", () => {
  it("is refused unless it is allowed", async () => {
    const strict = await Server.start();
    try {
      const origin = "http://elsewhere.example";
      const response = await strict.request("socket.io", { headers: { origin } });
      assert.equal(response.status, 403);
      assert.equal(response.headers.get("access-control-allow-origin"), null);
      assert.equal((await response.json()).code, 4);
      assert.equal((await strict.request("socket.io", { headers: { origin: strict.url } })).status, 200);
    } finally {
      await strict.stop();
    }
  });
});
