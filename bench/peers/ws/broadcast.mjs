// A WebSocket server that hands every message on to everyone, with the `ws` library of ./dev setup. Nothing for clients
// of whom 64 KiB wait.
import { createRequire } from "node:module";

const require = createRequire(new URL("../../../tests/websocket/", import.meta.url));
const { WebSocketServer } = require("ws");

const HIGH = 64 * 1024;

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, backlog: 4096, perMessageDeflate: false });
server.on("connection", (client) => {
  client.on("error", () => client.terminate());
  client.on("message", (data, binary) => {
    for (const each of server.clients) if (each.bufferedAmount < HIGH) each.send(data, { binary });
  });
});
server.on("listening", () => console.log(JSON.stringify({ event: "listening", port: server.address().port })));
