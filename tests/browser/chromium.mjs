// Headless Chromium with one page, served from loopback, and a profile of its own that goes with it.
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';

/** Tells the test something: a line of JSON. */
export const say = (line) => process.stdout.write(JSON.stringify(line) + '\n');

/**
 * Opens the page. `answers` are what its server has besides: a function of the response for each path. An error in the
 * page, or a signal, ends all of it. `args` go to Chromium, `context` to Playwright. Returns the page, its origin, the
 * browser, and `end(status)`, which ends the program.
 */
export async function openPage(answers = {}, { args = [], context = {} } = {}) {
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-chromium-'));
  const server = http.createServer((request, response) => {
    const pages = { '/': () => response.end('<!doctype html><title>peer</title>'), ...answers };
    response.setHeader('content-type', 'text/html');
    (pages[request.url] ?? (() => response.writeHead(404).end()))(response);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: '/usr/bin/chromium',
    headless: true,
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync', ...args],
    ...context,
  });
  const end = async (status) => {
    await browser.close();
    server.close();
    fs.rmSync(profile, { recursive: true, force: true, maxRetries: 10 });
    process.exit(status);
  };
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => end(1));

  const page = browser.pages()[0] ?? (await browser.newPage());
  page.on('pageerror', (error) => {
    say({ type: 'error', message: String(error) });
    end(1);
  });
  const origin = `http://127.0.0.1:${server.address().port}`;
  await page.goto(`${origin}/`);
  return { page, origin, browser, end };
}
