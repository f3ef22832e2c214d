// Drives one WebSocket of the `ws` library: `node ws_client.mjs URL [PROTOCOL]`. Orders come as lines of JSON on stdin,
// what happens goes out as lines of JSON on stdout. Certificates are not checked: the tests make their own.
import { createInterface } from "node:readline";
import WebSocket from "ws";

const [url, protocol] = process.argv.slice(2);
const say = (event, fields = {}) => process.stdout.write(JSON.stringify({ event, ...fields }) + "\n");
const socket = new WebSocket(url, protocol ? [protocol] : [], { rejectUnauthorized: false, perMessageDeflate: true });

socket.on("open", () => say("open", { protocol: socket.protocol, extensions: socket.extensions }));
socket.on("message", (data, binary) => {
  const [text, ends] = [data.subarray(0, 1000), data.subarray(-10)].map((part) => part.toString("latin1"));
  say("message", { binary, size: data.length, text, ends });
});
socket.on("ping", (data) => say("ping", { text: data.toString("latin1") }));
socket.on("pong", (data) => say("pong", { text: data.toString("latin1") }));
socket.on("close", (code, reason) => { say("close", { code, reason: reason.toString() }); process.exit(0); });
socket.on("error", (error) => say("error", { text: error.message }));
socket.on("unexpected-response", (_, response) => {
  say("refused", { status: response.statusCode, headers: response.headers });
  process.exit(0);
});

const orders = {
  text: ({ text, repeat = 1 }) => socket.send(text.repeat(repeat)),
  binary: ({ size }) => socket.send(Buffer.alloc(size, 0xa5)),
  fragments: ({ parts }) => parts.forEach((part, i) => {
    socket.send(part, { fin: i === parts.length - 1, compress: false });
    socket.ping("between");
  }),
  ping: ({ text }) => socket.ping(text),
  close: ({ code, reason }) => socket.close(code, reason),
};
createInterface({ input: process.stdin }).on("line", (line) => {
  const { order, ...rest } = JSON.parse(line);
  orders[order](rest);
});
