// Chromium's own WebSockets, in one page. Orders come as lines of JSON on stdin and name a socket by a number; what
// happens goes out as lines of JSON on stdout.
//   {"order":"open","socket":1,"url":"ws://...","protocol":"..."}   {"order":"text","socket":1,"text":"..."}
//   {"order":"close","socket":1,"code":1000,"reason":""}
//   {"order":"freeze"}, {"order":"thaw"}: the page does nothing at all between the two.
import readline from 'node:readline';
import { openPage, say } from './chromium.mjs';

/** Runs inside the page: `window.say` (out) and `window.handle` (in). */
function pageSockets() {
  const sockets = new Map();
  const orders = {
    open: ({ socket, url, protocol }) => {
      const opened = new WebSocket(url, [protocol]);
      const tell = (event, fields) => window.say({ event, socket, ...fields });
      opened.onopen = () => tell('open', { protocol: opened.protocol });
      opened.onmessage = ({ data }) => tell('message', { text: data });
      opened.onclose = ({ code, reason }) => tell('close', { code, reason });
      sockets.set(socket, opened);
    },
    text: ({ socket, text }) => sockets.get(socket).send(text),
    close: ({ socket, code, reason }) => sockets.get(socket).close(code, reason),
    freeze: () => {
      const request = new XMLHttpRequest();
      request.open('GET', '/freeze', false);
      request.send();
    },
  };
  window.handle = ({ order, ...rest }) => orders[order](rest);
}

let frozen;
const { page, origin, end } = await openPage({
  '/freeze': (response) => {
    frozen = response;
    say({ event: 'frozen' });
  },
});
await page.exposeFunction('say', say);
await page.evaluate(pageSockets);
say({ event: 'ready', origin });
const lines = readline.createInterface({ input: process.stdin });
lines.on('line', (text) => {
  const line = JSON.parse(text);
  if (line.order === 'thaw') frozen.end();
  else page.evaluate((order) => window.handle(order), line);
});
lines.on('close', () => end(0));
