// What stands between a client and its server, in Node.
//
// Usage: node network.mjs tls CERTIFICATE            counts what arrives over TLS
//        node network.mjs redirects URL              answers /STATUS with that status and URL
//        node network.mjs proxy                      HTTP CONNECT, with proxy-chain
//        node network.mjs proxy USER PASSWORD        the same for one user
//        node network.mjs secure-proxy CERTIFICATE   the same, spoken to over TLS
//
// CERTIFICATE is a PEM file with the key. Prints `listening on HOST:PORT`, and `tls` one line
// for each client: "request", or "no TLS" if it left before that.

import { readFileSync } from "node:fs";
import { httpServer, listen, require } from "./common.mjs";

async function tls(certificate) {
  const server = httpServer(certificate);
  const refuse = (socket) => socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
  server.on("upgrade", (_, socket) => {
    console.log("request");
    refuse(socket);
  });
  server.on("tlsClientError", () => console.log("no TLS"));
  await listen(server);
}

async function redirects(url) {
  const server = httpServer();
  server.on("upgrade", (request, socket) => {
    const status = `${request.url.slice(1)} Elsewhere`;
    socket.end(`HTTP/1.1 ${status}\r\nLocation: ${url}\r\nContent-Length: 0\r\n\r\n`);
  });
  await listen(server);
}

async function proxy(options) {
  const { Server } = require("proxy-chain");
  const server = new Server({ host: "127.0.0.1", port: 0, ...options });
  await server.listen();
  console.log(`listening on 127.0.0.1:${server.port}`);
}

function openProxy(user, password) {
  const isAllowed = (given) => given.username === user && given.password === password;
  const prepareRequestFunction = (given) => ({ requestAuthentication: !isAllowed(given) });
  return proxy(user === undefined ? {} : { prepareRequestFunction });
}

function secureProxy(certificate) {
  const pem = readFileSync(certificate);
  return proxy({ serverType: "https", httpsOptions: { key: pem, cert: pem } });
}

const modes = { tls, redirects, proxy: openProxy, "secure-proxy": secureProxy };
const [mode, ...rest] = process.argv.slice(2);
await modes[mode](...rest);
