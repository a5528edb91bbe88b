// Socket.IO by hand: the packets as they are on the wire.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Server } from "./server.mjs";

let server;
before(async () => (server = await Server.start({ options: ["--connect-timeout", "1000"] })));
after(() => server.stop());

async function opened() {
  const socket = server.connect("socket.io");
  await socket.next();
  return socket;
}

const TWO = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}';

describe("a namespace", () => {
  for (const [sent, prefix, auth] of [
    ["40", "40", "{}"],
    ['40{"token":"123"}', "40", '{"token":"123"}'],
    ["40/custom,", "40/custom,", "{}"],
    ["40/custom", "40/custom,", "{}"],
    ['40/custom,{"token":"abc"}', "40/custom,", '{"token":"abc"}'],
  ]) {
    it(`is joined with ${sent}`, async () => {
      const socket = await opened();
      socket.send(sent);
      const answer = await socket.nextPacket();
      assert.ok(answer.startsWith(prefix), answer);
      assert.deepEqual(Object.keys(JSON.parse(answer.slice(prefix.length))), ["sid"]);
      assert.equal(await socket.nextPacket(), `${prefix.replace("0", "2")}["auth",${auth}]`);
      socket.close();
    });
  }

  it("may be unknown, or for members", async () => {
    const socket = await opened();
    socket.send("40/random");
    assert.equal(await socket.nextPacket(), '44/random,{"message":"Invalid namespace"}');
    socket.send("40/members,{}");
    assert.deepEqual(JSON.parse((await socket.nextPacket()).slice("44/members,".length)), {
      message: "Members only",
      data: ["ask", "us"],
    });
    socket.send('40/members,{"as":"member"}');
    assert.match(await socket.nextPacket(), /^40\/members,/);
    socket.close();
  });

  it("has to be joined in time", async () => {
    const socket = await opened();
    const packets = (async () => {
      for (;;) await socket.nextPacket();
    })();
    await Promise.race([socket.ended, packets]);
  });

  it("is left, and the session stays", async () => {
    const socket = await (server.connect("socket.io").join());
    socket.send("41");
    assert.equal(await socket.next(), "2");
    socket.close();
  });

  it("is left alone", async () => {
    const socket = await server.connect("socket.io").join();
    socket.send("40/custom");
    await socket.nextPacket();
    await socket.nextPacket();
    socket.send("41/custom");
    socket.send('42["message","message to main namespace"]');
    assert.equal(await socket.nextPacket(), '42["message-back","message to main namespace"]');
    socket.close();
  });

  it("can be taken from a client, which may come back", async () => {
    const socket = await server.connect("socket.io").join();
    socket.send('42["leave-me"]');
    socket.send('42["message","under way"]');
    assert.equal(await socket.nextPacket(), "41");
    socket.send("40");
    assert.match(await socket.nextPacket(), /^40\{/);
    assert.equal(await socket.nextPacket(), '42["auth",{}]');
    socket.close();
  });
});

describe("an event", () => {
  const cases = [
    ['42["message",1,"2",{"3":[true]}]', '42["message-back",1,"2",{"3":[true]}]'],
    ['42["message"]', '42["message-back"]'],
    ['42["message",1.0,{"b":1,"a":2}, "é😀"]', '42["message-back",1.0,{"b":1,"a":2}, "é😀"]'],
    ['42456["message-with-ack",1,"2",{"3":[false]}]', '43456[1,"2",{"3":[false]}]'],
    ['420["message-with-ack"]', "430[]"],
  ];
  for (const [sent, expected] of cases) {
    it(`${sent} is answered`, async () => {
      const socket = await server.connect("socket.io").join();
      socket.send(sent);
      assert.equal(await socket.nextPacket(), expected);
      socket.close();
    });
  }

  for (const [sent, expected] of [
    [`452-["message",${TWO}]`, `452-["message-back",${TWO}]`],
    [`452-789["message-with-ack",${TWO}]`, `462-789[${TWO}]`],
  ]) {
    it(`${sent} is answered with its attachments`, async () => {
      const socket = await server.connect("socket.io").join();
      const attachments = [Buffer.from([1, 2, 3]), Buffer.from([4, 5, 6])];
      for (const packet of [sent, ...attachments]) socket.send(packet);
      for (const packet of [expected, ...attachments]) assert.deepEqual(await socket.nextPacket(), packet);
      socket.close();
    });
  }

  it("with attachments passes long-polling", async () => {
    const sid = await server.open("socket.io");
    await server.post("socket.io", sid, "40", `452-["message",${TWO}]`, "bAQID", "bBAUG");
    const [, ...packets] = await server.get("socket.io", sid);
    // It comes a moment later, with the others or alone.
    const auth = '42["auth",{}]';
    if (!packets.includes(auth)) packets.push(...(await server.get("socket.io", sid)));
    assert.deepEqual(packets, [`452-["message-back",${TWO}]`, "bAQID", "bBAUG", auth]);
  });
});

describe("the connection is closed after", () => {
  const joinedFirst = ["4abc", "4", "42{}", "42[]", '42abc["message-with-ack",1]', "40", '42/custom,["message"]', "43[]", '44{"message":"x"}'];
  for (const packet of joinedFirst) {
    it(`${packet}`, async () => {
      const socket = await server.connect("socket.io").join();
      socket.send(packet);
      await socket.ended;
    });
  }

  for (const packet of ["4abc", '42["message"]', "41", "40[]"]) {
    it(`${packet} in place of CONNECT`, async () => {
      const socket = await opened();
      socket.send(packet);
      await socket.ended;
    });
  }
});
