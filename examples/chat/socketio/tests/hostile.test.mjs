// Clients that mean harm. The server goes on, and takes no more memory than its limits allow.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, describe, it } from "node:test";
import { Server } from "./server.mjs";

let server;
before(async () => (server = await Server.start()));
after(() => server.stop());

const MIB = 1 << 20;

/** What is done takes at most so much memory, and the server still answers. */
async function within(bytes, act) {
  const before = await server.memory();
  await act();
  const taken = (await server.memory()) - before;
  assert.ok(taken < bytes, `${taken} bytes`);
  const socket = await server.connect("socket.io").join();
  socket.send('42["message","alive"]');
  assert.equal(await socket.nextPacket(), '42["message-back","alive"]');
  socket.close();
}

/** Sends a POST head and then `chunks`, as long as the server takes them. Returns the response and how much was sent. */
async function post(head, chunks) {
  const stream = connect(server.port, "127.0.0.1");
  let response = "";
  stream.on("data", (data) => (response += data));
  stream.on("error", () => {});
  const closed = new Promise((resolve) => stream.once("close", resolve));
  stream.write(head.join("\r\n") + "\r\n\r\n");
  let sent = 0;
  for (const chunk of chunks) {
    if (response || stream.destroyed) break;
    sent += chunk.length;
    if (!stream.write(chunk)) {
      await Promise.race([once(stream, "drain").catch(() => {}), closed]);
    } else {
      await new Promise(setImmediate);
    }
  }
  // The answer comes though the request has not ended.
  if (!response) await Promise.race([once(stream, "data").catch(() => {}), closed]);
  stream.destroy();
  return { response, sent };
}

function head(sid, ...headers) {
  return [`POST /socket.io/?EIO=4&transport=polling&sid=${sid} HTTP/1.1`, "Host: localhost", ...headers];
}

function* endless(chunk, count) {
  for (let index = 0; index < count; index++) yield chunk;
}

describe("a POST of 1 GB", () => {
  it("is refused before it is read where it says so", async () => {
    await within(8 * MIB, async () => {
      const sid = await server.open("socket.io");
      const { response } = await post(head(sid, "Content-Length: 1000000000"), []);
      assert.match(response, /^HTTP\/1.1 413 /);
      assert.equal((await server.request("socket.io", { sid })).status, 400);
    });
  });

  it("is refused at the limit where it does not", async () => {
    await within(8 * MIB, async () => {
      const sid = await server.open("socket.io");
      const data = Buffer.alloc(65536, "4");
      const chunk = Buffer.concat([Buffer.from("10000\r\n"), data, Buffer.from("\r\n")]);
      const { response, sent } = await post(head(sid, "Transfer-Encoding: chunked"), endless(chunk, 16000));
      // RFC 9112 9.6: the reset that follows may overtake the answer.
      if (response) assert.match(response, /^HTTP\/1.1 413 /);
      assert.equal((await server.request("socket.io", { sid })).status, 400);
      // What the system's buffers take beside the limit.
      assert.ok(sent < 32 * MIB, `${sent}`);
    });
  });

  it("is refused with a length that no number holds", async () => {
    const sid = await server.open("socket.io");
    const { response } = await post(head(sid, "Content-Length: 99999999999999999999999999"), []);
    assert.match(response, /^HTTP\/1.1 4/);
  });
});

describe("a payload", () => {
  it("may be as long as the limit, and no longer", async () => {
    for (const [length, status] of [[1000000, 200], [1000001, 413]]) {
      const sid = await server.open("engine.io");
      const body = "4".repeat(length);
      assert.equal((await server.request("engine.io", { sid, method: "POST", body })).status, status);
    }
  });

  it("that is cut inside a character is refused", async () => {
    const whole = Buffer.from("4é\x1e4€\x1e4😀");
    for (let length = 1; length <= whole.length; length++) {
      const body = whole.subarray(0, length);
      const isText = Buffer.from(body.toString()).equals(body) && body.at(-1) !== 0x1e;
      const sid = await server.open("engine.io");
      const response = await server.request("engine.io", { sid, method: "POST", body });
      assert.equal(response.status, isText ? 200 : 400, `${length}`);
    }
  });

  it("of many empty or tiny packets does no harm", async () => {
    await within(16 * MIB, async () => {
      for (const body of ["\x1e".repeat(999999), "6\x1e".repeat(400000) + "6", "4\x1e".repeat(400000) + "4", "bAA==\x1e".repeat(150000) + "6"]) {
        const sid = await server.open("engine.io");
        await server.request("engine.io", { sid, method: "POST", body });
      }
    });
  });
});

describe("a WebSocket", () => {
  it("that sends too long a message is closed", async () => {
    await within(8 * MIB, async () => {
      const socket = await server.connect("socket.io").join();
      socket.send(`42["message","${"x".repeat(1000000)}"]`);
      await socket.ended;
    });
  });

  it("that sends text cut inside a character is closed", async () => {
    for (const cut of [Buffer.from("42[\"message\",\"é").subarray(0, -1), Buffer.from([0x34, 0xf0, 0x9f, 0x98])]) {
      const socket = await server.connect("socket.io").join();
      socket.send(cut, { binary: false });
      await socket.ended;
    }
  });

  it("that does not read its echo is closed, and bounded", async () => {
    await within(24 * MIB, async () => {
      const socket = server.connect("engine.io");
      await socket.next();
      socket.pause();
      const message = "4" + "x".repeat(500000);
      const ended = new Promise((resolve) => socket._socket.once("close", resolve));
      for (let sent = 0; sent < 200 && socket.readyState === 1; sent++) {
        await new Promise((resolve) => socket.send(message, resolve));
      }
      socket.resume();
      await ended;
    });
  });
});

describe("attachments", () => {
  const placeholder = (num) => JSON.stringify({ _placeholder: true, num });
  const event = (count) => `45${count}-["message",${Array.from({ length: count }, (_, num) => placeholder(num)).join()}]`;

  it("may be ten", async () => {
    const socket = await server.connect("socket.io").join();
    socket.send(event(10));
    for (let index = 0; index < 10; index++) socket.send(Buffer.alloc(10));
    assert.equal(await socket.nextPacket(), event(10).replace('"message"', '"message-back"'));
    socket.close();
  });

  for (const count of [11, 1000000, "1e9", "-1", "99999999999999999999"]) {
    it(`may not be ${count}`, async () => {
      const socket = await server.connect("socket.io").join();
      socket.send(`45${count}-["message",${placeholder(0)}]`);
      await socket.ended;
    });
  }

  it("without an end are refused together", async () => {
    await within(8 * MIB, async () => {
      const sockets = [];
      for (let index = 0; index < 5; index++) {
        const socket = await server.connect("socket.io").join();
        socket.send(event(10));
        for (let sent = 0; sent < 10; sent++) socket.send(Buffer.alloc(400000));
        sockets.push(socket);
      }
      await Promise.all(sockets.map((socket) => socket.ended));
    });
  });

  it("that nobody announced, or that do not come, end the connection", async () => {
    for (const packets of [[Buffer.alloc(1)], [event(1), '42["message"]'], ['451-["message",0]', Buffer.alloc(1)]]) {
      const socket = await server.connect("socket.io").join();
      for (const packet of packets) socket.send(packet);
      await socket.ended;
    }
  });
});

describe("JSON", () => {
  for (const [name, payload] of [
    ["arrays", (depth) => "[".repeat(depth) + "]".repeat(depth)],
    ["objects", (depth) => '{"a":'.repeat(depth) + "1" + "}".repeat(depth)],
  ]) {
    it(`may be 32 ${name} deep`, async () => {
      const socket = await server.connect("socket.io").join();
      socket.send(`42["message",${payload(31)}]`);
      assert.equal(await socket.nextPacket(), `42["message-back",${payload(31)}]`);
      socket.send(`42["message",${payload(32)}]`);
      await socket.ended;
    });

    it(`of very deep ${name} does no harm`, async () => {
      await within(8 * MIB, async () => {
        for (const text of [`42["message",${payload(100000)}]`, `40${payload(100000)}`, `451-["x",${payload(100000)}]`, "42" + "[".repeat(999000)]) {
          const socket = await server.connect("socket.io").join();
          socket.send(text);
          await socket.ended;
        }
      });
    });
  }

  it("of many small values takes no more than its text", async () => {
    await within(16 * MIB, async () => {
      const socket = await server.connect("socket.io").join();
      socket.send(`42["nobody",${"[],".repeat(330000)}0]`);
      socket.send('42["message",1]');
      assert.equal(await socket.nextPacket(), '42["message-back",1]');
      socket.close();
    });
  });
});

describe("a client", () => {
  it("may not join without end", async () => {
    const socket = await server.connect("socket.io").join();
    // Refusals that nobody reads are bounded by the queue, and names by their length.
    socket.send(`40/${"x".repeat(1000)},`);
    await socket.ended;
  });

  it("that asks for more than it reads is closed", async () => {
    await within(24 * MIB, async () => {
      const sid = await server.open("socket.io");
      let response;
      for (let count = 0; count < 20; count++) {
        response = await server.request("socket.io", { sid, method: "POST", body: Array(100000).fill("40/x").join("\x1e") });
        if (response.status !== 200) break;
      }
      assert.equal(response.status, 400);
    });
  });

  it("with a foreign session id gets nothing", async () => {
    for (const sid of ["", "a", "../../etc", "%00", "x".repeat(5000)]) {
      const response = await server.request("socket.io", { query: `EIO=4&transport=polling&sid=${sid}`, method: "POST", body: "40" });
      assert.deepEqual(await response.json(), { code: 1, message: "Session ID unknown" });
    }
    // A session of the other path is foreign too.
    const sid = await server.open("engine.io");
    assert.equal((await server.request("socket.io", { sid })).status, 400);
  });

  it("may not send two POSTs at once", async () => {
    const sid = await server.open("engine.io");
    const first = connect(server.port, "127.0.0.1");
    first.on("error", () => {});
    first.write(`POST /engine.io/?EIO=4&transport=polling&sid=${sid} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n4`);
    // The head of the first has arrived once the server says so.
    for (;;) {
      const response = await server.request("engine.io", { sid, method: "POST", body: "4b" });
      if (response.status === 400) break;
    }
    assert.equal((await server.request("engine.io", { sid })).status, 400);
    first.destroy();
  });
});
