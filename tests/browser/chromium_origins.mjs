// What a page may do with a hub, tried in headless Chromium. Orders come as lines of JSON on stdin; what came of each
// goes out as a line of JSON on stdout.
//   {"order":"try","from":"http://...","url":"http://..."}
// `from` is where the page comes from, one of: a URL; "here", this program's own server; "null", a page without an
// origin; "rebound:URL", a page that was served from there before the name in the URL came to mean the hub.
import readline from 'node:readline';
import { openPage, say } from './chromium.mjs';

const { origin, browser, end } = await openPage({}, {
  args: ['--host-resolver-rules=MAP evil.test 127.0.0.1'],
  context: { ignoreHTTPSErrors: true },
});

/** Runs inside the page. */
async function attempt(url) {
  const fetched = async (path, options) => {
    try {
      const answer = await fetch(url + path, options);
      return answer.type === 'opaque' ? 'opaque' : answer.status;
    } catch (error) {
      return error.name;
    }
  };
  const opened = (path, protocols) => new Promise((resolve) => {
    const socket = new WebSocket(url.replace('http', 'ws') + path, protocols);
    socket.onopen = () => resolve('open');
    socket.onclose = ({ code }) => resolve(code);
  });
  return {
    page: await fetched('/healthz'),
    metrics: await fetched('/metrics'),
    embedded: await fetched('/healthz', { mode: 'no-cors' }),
    admin: await fetched('/v1/admin/status', { headers: { Authorization: 'Bearer 0123456789abcdef' } }),
    hub: await opened('/v1/hub', ['sluice.v1.json']),
    mailbox: await opened('/v1/mailbox', []),
  };
}

async function visit(page, from) {
  if (from === 'null') return; // about:blank
  if (from.startsWith('rebound:')) {
    const url = from.slice('rebound:'.length);
    await page.route(url, (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html>' }));
    await page.goto(url);
    return;
  }
  await page.goto(from === 'here' ? origin : from);
}

say({ event: 'ready', origin });
const lines = readline.createInterface({ input: process.stdin });
lines.on('line', async (text) => {
  const { from, url } = JSON.parse(text);
  const page = await browser.newPage();
  await visit(page, from);
  say({ event: 'tried', ...(await page.evaluate(attempt, url)) });
  await page.close();
});
lines.on('close', () => end(0));
