// The hub over TLS, where browsers speak HTTP/2.

import assert from 'node:assert/strict';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { blankPage } from './support/browser.mjs';
import { startHub } from './support/hub.mjs';
import { LIMIT } from './support/until.mjs';
import { watch } from './support/watch.mjs';

// More than the six connections that a browser opens to a host over HTTP/1.1.
const STREAMS = 8;

// For localhost, until 2126. Nobody trusts it, and its key is no secret.
const file = name => fileURLToPath(new URL(`support/localhost/${name}.pem`, import.meta.url));

function startSecureHub(t) {
  return startHub(t, {
    TIDINGS_TLS_LISTEN: '127.0.0.1:0',
    TIDINGS_TLS_CERTIFICATE: file('certificate'),
    TIDINGS_TLS_KEY: file('key'),
  });
}

async function securePageOf(t, hub) {
  const page = await blankPage(t, { ignoreHTTPSErrors: true });
  await page.goto(`${hub.secureOrigin}/livez`);
  return page;
}

test('eight streams of a page share a connection of HTTP/2', LIMIT, async t => {
  const hub = await startSecureHub(t);
  const page = await securePageOf(t, hub);
  const protocol = await page.evaluate(() => performance.getEntriesByType('navigation')[0].nextHopProtocol);
  assert.equal(protocol, 'h2');
  const watchers = [];
  for (let i = 0; i < STREAMS; i += 1) watchers.push(await watch(page, `/t/topic-${i}`));
  for (const watcher of watchers) await watcher.opened();
  for (let i = 0; i < STREAMS; i += 1) await hub.publish(`topic-${i}`, `${i}`);
  for (const [i, watcher] of watchers.entries()) {
    await watcher.received(1);
    assert.deepEqual((await watcher.events()).map(event => event.data), [`${i}`]);
  }
});

test('a page of the hub publishes over TLS', LIMIT, async t => {
  const hub = await startSecureHub(t);
  const page = await securePageOf(t, hub);
  const watcher = await watch(page, '/t/news');
  await watcher.opened();
  const status = await page.evaluate(async () => {
    const reply = await fetch('/t/news', { method: 'POST', body: 'from the page' });
    return reply.status;
  });
  assert.equal(status, 200);
  await watcher.received(1);
  assert.deepEqual((await watcher.events()).map(event => event.data), ['from the page']);
});
