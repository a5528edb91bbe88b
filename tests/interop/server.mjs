// Node server (ws) that puts one client through a scenario.
//
// Usage: node server.mjs SCENARIO SIZES CERTIFICATE
//
// SCENARIO is "mirror", "close" or "drop"; SIZES is JSON: [bytes, ...]; CERTIFICATE is a PEM
// file with the key, or empty for no TLS. Prints `listening on HOST:PORT`, then one line of
// JSON per check, and ends after the client.

import { once } from "node:events";
import { WebSocketServer, check, close, echo, echoFragments } from "./common.mjs";
import { fragmented, httpServer, listen, messages, ping, within } from "./common.mjs";

const [scenario, sizesText, certificate] = process.argv.slice(2);

/** Every message must come back, then the server closes with 1000. */
async function mirror(socket) {
  const sizes = JSON.parse(sizesText);
  const steps = [
    ...messages(sizes).map(([name, message]) => [name, () => echo(socket, message)]),
    ...fragmented().map(([name, parts]) => [name, () => echoFragments(socket, parts)]),
    ["ping", () => ping(socket, "are you there?")],
    ["close 1000", () => close(socket, 1000, "done")],
  ];
  for (const [name, step] of steps) {
    if (!(await check(name, step))) socket.terminate(); // the steps that are left fail at once
  }
}

/** One message, then the server closes with 1011. */
async function closeWith1011(socket) {
  await echo(socket, "one message");
  await close(socket, 1011, "on purpose");
}

/** One message, then the server cuts the TCP connection. */
async function drop(socket) {
  await echo(socket, "one message");
  socket.terminate();
}

const scenarios = { mirror, close: closeWith1011, drop };
const http = httpServer(certificate);
const server = new WebSocketServer({ server: http });
await listen(http);
const [socket] = await within(20, once(server, "connection"));
socket.on("error", () => {});
await within(120, scenarios[scenario](socket));
server.close();
http.close();
