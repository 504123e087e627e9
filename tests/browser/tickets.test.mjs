// A page that can set no header opens its EventSource with a ticket, and comes
// back with the same URL, as an EventSource does.

import assert from 'node:assert/strict';
import test from 'node:test';
import { pageOf } from './support/browser.mjs';
import { closedHub, token } from './support/closed.mjs';
import { LIMIT } from './support/until.mjs';
import { watch } from './support/watch.mjs';

/// The URL of a stream, with a ticket that the page has got for itself.
function ticketed(page) {
  return page.evaluate(async token => {
    const answer = await fetch('/tickets', { method: 'POST', headers: { Authorization: `Bearer ${token}` } });
    const { ticket } = await answer.json();
    return `/t/news?ticket=${ticket}`;
  }, token());
}

test('it resumes after kill -9 and after a stop, each time exactly', LIMIT, async t => {
  const hub = await closedHub(t);
  const page = await pageOf(t, hub);
  const watcher = await watch(page, await ticketed(page));
  await watcher.opened();
  await hub.publish('news', '1');
  await watcher.received(1);
  await hub.kill();
  await watcher.lost();
  await hub.start();
  await hub.publish('news', '2');
  await watcher.received(2);
  await hub.terminate();
  await watcher.lost();
  await hub.start();
  await hub.publish('news', '3');
  await watcher.received(3);
  await watcher.expectExactly(hub, 'news', ['1', '2', '3']);
});

test('a copied URL opens no second stream, and the first goes on', LIMIT, async t => {
  const hub = await closedHub(t);
  const page = await pageOf(t, hub);
  const url = await ticketed(page);
  const first = await watch(page, url);
  await first.opened();
  const second = await watch(await pageOf(t, hub), url);
  await second.until('a refusal that is final', ({ gaveUp }) => gaveUp);
  assert.equal((await second.state()).opens, 0);
  await hub.publish('news', '1');
  await first.expectExactly(hub, 'news', ['1']);
  const without = await watch(page, '/t/news');
  await without.until('a refusal that is final', ({ gaveUp }) => gaveUp);
});
