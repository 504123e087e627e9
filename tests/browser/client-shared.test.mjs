// @tidings/client with one connection for all tabs.

import assert from 'node:assert/strict';
import test from 'node:test';
import { pageOf } from './support/browser.mjs';
import { open, streams } from './support/client.mjs';
import { request } from './support/http.mjs';
import { startHub } from './support/hub.mjs';
import { LIMIT, until } from './support/until.mjs';

const SHARED = { topics: 'news', shared: true };

/// Another tab of the same browser, with the same site.
async function tabBeside(page, hub) {
  const tab = await page.context().newPage();
  await tab.goto(`${hub.origin}/livez`);
  return tab;
}

/// So many tabs, each with a watch, opened one after the other, the one with the connection first.
async function tabs(t, hub, count, options = SHARED) {
  const page = await pageOf(t, hub);
  const all = [];
  for (let i = 0; i < count; i += 1) {
    const tab = i === 0 ? page : await tabBeside(page, hub);
    const seen = await open(tab, '/', options);
    await seen.isOpen();
    all.push({ page: tab, seen });
  }
  return all;
}

test('seven tabs have one connection, and each is given each event once', LIMIT, async t => {
  const hub = await startHub(t);
  const all = await tabs(t, hub, 7);
  assert.equal(await streams(hub), 1);
  const stop = hub.keepPublishing('news');
  for (const { seen } of all) await seen.received(30);
  const published = await stop();
  for (const { seen } of all) await seen.expectExactly(hub, 'news', published);
  assert.equal(await streams(hub), 1);
});

test('a tab that closes hands over: the others lose, double and reorder nothing', LIMIT, async t => {
  const hub = await startHub(t);
  const all = await tabs(t, hub, 5);
  const stop = hub.keepPublishing('news');
  while (all.length > 1) {
    const { page } = all.shift();
    const { length } = await all[0].seen.data();
    await all[0].seen.received(length + 10);
    await page.close();
    const more = (await all[0].seen.data()).length + 10;
    for (const { seen } of all) await seen.received(more);
  }
  await all[0].seen.expectExactly(hub, 'news', await stop());
  await until('one stream', async () => await streams(hub) === 1);
});

test('close() in the tab that has the connection leaves the others theirs', LIMIT, async t => {
  const hub = await startHub(t);
  const [first, second, third] = await tabs(t, hub, 3);
  await hub.publish('news', '1');
  await third.seen.received(1);
  await first.seen.close();
  await hub.publish('news', '2');
  await third.seen.received(2);
  await second.seen.close();
  await third.seen.expectExactly(hub, 'news', ['1', '2']);
  await third.seen.close();
  await until('no stream', async () => await streams(hub) === 0);
  assert.deepEqual(await first.seen.data(), ['1']);
});

test('a tab that dies hands over, and so does a hub that does', LIMIT, async t => {
  const hub = await startHub(t);
  const [first, second, third] = await tabs(t, hub, 3);
  const stop = hub.keepPublishing('news');
  await second.seen.received(20);
  // Its process ends, with nothing said to anybody.
  const crashed = new Promise(resolve => first.page.on('crash', resolve));
  first.page.goto('chrome://crash').catch(() => {});
  await crashed;
  let { length } = await third.seen.data();
  await third.seen.received(length + 20);
  await hub.crash();
  ({ length } = await third.seen.data());
  await third.seen.received(length + 20);
  const published = await stop();
  await second.seen.expectExactly(hub, 'news', published);
  await third.seen.expectExactly(hub, 'news', published);
});

/// Two minutes later, as far as `page` can tell: what it does at intervals, it does now.
async function clockOf(page) {
  await page.evaluate(() => {
    const now = performance.now.bind(performance);
    const later = { ms: 0, ticks: [] };
    performance.now = () => now() + later.ms;
    window.setInterval = tick => later.ticks.push(tick);
    window.later = later;
  });
  return () => page.evaluate(() => {
    window.later.ms += 120_000;
    for (const tick of window.later.ticks) tick();
  });
}

/// Stops all that runs in `page`; gives back what lets it go on.
async function freeze(page) {
  const debug = await page.context().newCDPSession(page);
  await debug.send('Debugger.enable');
  const paused = new Promise(resolve => debug.once('Debugger.paused', resolve));
  await debug.send('Debugger.pause');
  // It stops at the next thing it does.
  page.evaluate(() => {}).catch(() => {});
  await paused;
  return async () => {
    await debug.send('Debugger.resume');
    await debug.send('Debugger.disable');
  };
}

test('a tab that freezes is passed over, and comes back without loss', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await pageOf(t, hub);
  const first = await open(page, '/', { ...SHARED, silence: 0 });
  await first.isOpen();
  const other = await tabBeside(page, hub);
  const minutesPass = await clockOf(other);
  const second = await open(other, '/', { ...SHARED, silence: 0 });
  await second.isOpen();
  await hub.publish('news', '1');
  await second.received(1);
  const thaw = await freeze(page);
  await hub.publish('news', '2');
  await minutesPass();
  await second.received(2);
  await hub.publish('news', '3');
  await second.received(3);
  await thaw();
  await first.received(3);
  await until('one stream', async () => await streams(hub) === 1);
  await second.expectExactly(hub, 'news', ['1', '2', '3']);
  await first.expectExactly(hub, 'news', ['1', '2', '3']);
});

test('who finds a tab that has frozen goes on without it', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await pageOf(t, hub);
  const first = await open(page, '/', { ...SHARED, silence: 0 });
  await first.isOpen();
  const other = await tabBeside(page, hub);
  const minutesPass = await clockOf(other);
  const thaw = await freeze(page);
  const second = await open(other, '/', { ...SHARED, silence: 0 });
  await minutesPass();
  await minutesPass();
  await second.isOpen();
  await hub.publish('news', '1');
  await second.received(1);
  await thaw();
  await first.received(1);
  await until('one stream', async () => await streams(hub) === 1);
  for (const seen of [first, second]) await seen.expectExactly(hub, 'news', ['1']);
});

/// The page is left, and kept for the way back; or shown again.
const leave = (page, type) => page.evaluate(type => {
  window.dispatchEvent(new PageTransitionEvent(type, { persisted: true }));
}, type);

test('a page that is left hands over, and is told what it missed when it is shown again', LIMIT, async t => {
  const hub = await startHub(t);
  const [first, second] = await tabs(t, hub, 2);
  await hub.publish('news', '1');
  await first.seen.received(1);
  await leave(first.page, 'pagehide');
  await hub.publish('news', '2');
  await second.seen.received(2);
  assert.deepEqual(await first.seen.data(), ['1']);
  await leave(first.page, 'pageshow');
  await first.seen.received(2);
  await leave(second.page, 'pagehide');
  await hub.publish('news', '3');
  await first.seen.received(3);
  await leave(second.page, 'pageshow');
  for (const { seen } of [first, second]) await seen.expectExactly(hub, 'news', ['1', '2', '3']);
  await until('one stream', async () => await streams(hub) === 1);
});

test('a page that has missed more than the others keep is told a gap', LIMIT, async t => {
  const hub = await startHub(t);
  const [first, second] = await tabs(t, hub, 2);
  await hub.publish('news', '1');
  await second.seen.received(1);
  await leave(second.page, 'pagehide');
  const lines = Array.from({ length: 3_000 }, (_, i) => JSON.stringify({ data: `${i}` })).join('\n');
  const headers = { 'Content-Type': 'application/x-ndjson' };
  await request('POST', `${hub.origin}/t/news`, { headers, body: lines });
  await first.seen.received(3_001);
  await leave(second.page, 'pageshow');
  await second.seen.until('a gap', ({ gaps }) => gaps.length === 1);
  await second.seen.expectExactly(hub, 'news', ['1', 'unknown']);
});

test('who comes later and wants what is past is given what the others had', LIMIT, async t => {
  const hub = await startHub(t);
  for (const data of ['1', '2']) await hub.publish('news', data);
  const [first] = await tabs(t, hub, 1, { ...SHARED, since: 'earliest' });
  await first.seen.received(2);
  await hub.publish('news', '3');
  await first.seen.received(3);
  const later = await open(await tabBeside(first.page, hub), '/', { ...SHARED, since: 'earliest' });
  await later.received(3);
  await first.page.close();
  await later.expectExactly(hub, 'news', ['1', '2', '3']);
  await until('one stream', async () => await streams(hub) === 1);
});

test('what one tab is refused for good closes them all', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await pageOf(t, hub);
  const tab = await tabBeside(page, hub);
  const [first, second] = await Promise.all([page, tab].map(tab => open(tab, '/', { topics: 'a//b', shared: true })));
  for (const seen of [first, second]) {
    await seen.until('the end', ({ state }) => state === 'closed');
    assert.equal((await seen.seen()).errors[0].code, 'invalid-topic');
  }
});

/// `page` doesn't hear the words of other tabs that are of this kind, or the
/// link of the event with this data.
async function deafen(page, kind, data = null) {
  await page.evaluate(([kind, data]) => {
    const { set } = Object.getOwnPropertyDescriptor(BroadcastChannel.prototype, 'onmessage');
    const isLost = word => word.kind === kind && (data === null || word.link.event?.data === data);
    Object.defineProperty(BroadcastChannel.prototype, 'onmessage', {
      set(handler) {
        set.call(this, event => { if (!isLost(event.data)) handler(event); });
      },
    });
  }, [kind, data]);
}

/// The topic that all watch ends: holds that `seen` was given `expected`, and the end.
async function expectTheEnd(seen, expected) {
  await seen.until('the end', ({ state }) => state === 'closed');
  const { ends, errors } = await seen.seen();
  assert.deepEqual([await seen.data(), ends], [expected, [{ topic: 'news' }, { topic: null }]]);
  assert.deepEqual(errors.filter(({ fatal }) => fatal), []);
}

test('the end of all topics closes no tab that lacks an event: it gets it from the hub', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await pageOf(t, hub);
  const [next, behind] = [await tabBeside(page, hub), await tabBeside(page, hub)];
  // What the one is told last is lost; nobody hears it ask.
  await deafen(behind, 'link', '2');
  await deafen(next, 'behind');
  const all = [];
  for (const tab of [page, next, behind]) {
    const seen = await open(tab, '/', SHARED);
    await seen.isOpen();
    all.push(seen);
  }
  const [, second, third] = all;
  await hub.publish('news', '1');
  await third.received(1);
  await hub.publish('news', '2');
  await second.received(2);
  await page.close();
  await second.until('a connection of its own', ({ states }) => states.filter(state => state === 'open').length === 2);
  await hub.publish('news', '3', { query: 'close=1' });
  await expectTheEnd(second, ['1', '2', '3']);
  await expectTheEnd(third, ['1', '2', '3']);
});

test('the end of all topics closes no tab that hasn’t been let in yet', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await pageOf(t, hub);
  const past = { ...SHARED, since: 'earliest' };
  await deafen(page, 'hello');
  const first = await open(page, '/', past);
  await first.isOpen();
  await hub.publish('news', '1');
  const later = await open(await tabBeside(page, hub), '/', past);
  // It hears what the first tab is told.
  await hub.crash();
  await later.until('an open connection', ({ state }) => state === 'open');
  await hub.publish('news', '2', { query: 'close=1' });
  await expectTheEnd(first, ['1', '2']);
  await expectTheEnd(later, ['1', '2']);
});

test('those that mustn’t share don’t', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await pageOf(t, hub);
  for (const shared of ['ann', 'bob', 'ann']) await (await open(page, '/', { ...SHARED, shared })).isOpen();
  assert.equal(await streams(hub), 2);
});
