// A hub that ends, or that is full, never makes an EventSource give up.

import assert from 'node:assert/strict';
import test from 'node:test';
import { pageOf } from './support/browser.mjs';
import { startHub } from './support/hub.mjs';
import { LIMIT, until } from './support/until.mjs';
import { watch } from './support/watch.mjs';

// Chromium opens six connections to a host; one stays free for the page itself.
const PER_PAGE = 5;

/// Five watchers on each of `count` pages, connected.
async function watchFromPages(t, hub, count) {
  const [pages, watchers] = [[], []];
  for (let page = 0; page < count; page++) {
    pages.push(await pageOf(t, hub));
    for (let i = 0; i < PER_PAGE; i++) watchers.push(await watch(pages.at(-1), '/t/news'));
  }
  for (const watcher of watchers) await watcher.opened();
  return { pages, watchers };
}

test('twenty watchers outlive two drained hubs and get what they missed', LIMIT, async t => {
  const hub = await startHub(t, { TIDINGS_DRAIN_WINDOW: '1s' });
  const { pages, watchers } = await watchFromPages(t, hub, 4);
  const stop = hub.keepPublishing('news');
  for (let restart = 1; restart <= 2; restart++) {
    const { count } = await watchers[0].state();
    for (const watcher of watchers) await watcher.received(count + 10);
    const { code, signal } = await hub.terminate();
    assert.deepEqual({ code, signal }, { code: 0, signal: null }, hub.log);
    for (const watcher of watchers) await watcher.lost();
    await hub.start();
  }
  for (const watcher of watchers) await watcher.opened(3);
  // Chromium complains of a stream that was cut; ours ended, and then nobody listened.
  const cut = pages.flatMap(page => page.complaints).filter(line => /CHUNKED|RESET|EMPTY/.test(line));
  assert.deepEqual(cut, []);
  const published = await stop();
  assert.deepEqual(await hub.history('news'), published);
  await watchers[0].expectExactly(hub, 'news', published);
  for (const watcher of watchers) {
    await watcher.received(published.length + 1);
    assert.deepEqual(await watcher.events(), await watchers[0].events());
    assert.equal((await watcher.state()).gaveUp, false);
  }
});

test('a second signal ends the hub at once, and its watchers come back all the same', LIMIT, async t => {
  const hub = await startHub(t, { TIDINGS_DRAIN_WINDOW: '1h' });
  const { watchers } = await watchFromPages(t, hub, 1);
  await hub.publish('news', '1');
  for (const watcher of watchers) await watcher.received(1);
  const ended = hub.terminate();
  await until('the drain to begin', () => hub.log.includes('draining'));
  const { code } = await hub.terminate();
  assert.equal((await ended).code, code);
  assert.equal(code, 0, hub.log);
  for (const watcher of watchers) await watcher.lost();
  await hub.start();
  for (const watcher of watchers) await watcher.opened(2);
  for (const watcher of watchers) assert.equal((await watcher.state()).gaveUp, false);
  await watchers[0].expectExactly(hub, 'news', ['1']);
});

test('a full hub lets a watcher in once there is room, and says nothing else until then', LIMIT, async t => {
  const hub = await startHub(t, { TIDINGS_LIMITS_SUBSCRIPTIONS: '2' });
  await hub.publish('news', '1');
  const page = await pageOf(t, hub);
  const [first, second] = [await watch(page, '/t/news'), await watch(page, '/t/news')];
  await first.opened();
  await second.opened();
  const third = await watch(page, '/t/news?since=earliest');
  await third.until('three refusals', ({ errors }) => errors >= 3);
  const { count, gaveUp } = await third.state();
  assert.deepEqual({ count, gaveUp }, { count: 0, gaveUp: false });
  await hub.publish('news', '2');
  await first.close();
  await third.received(2);
  await third.expectExactly(hub, 'news', ['1', '2']);
});
