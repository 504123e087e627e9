// An EventSource that loses its hub comes back by itself and gets exactly what
// it missed.

import assert from 'node:assert/strict';
import test from 'node:test';
import { pageOf } from './support/browser.mjs';
import { startHub } from './support/hub.mjs';
import { LIMIT } from './support/until.mjs';
import { watch } from './support/watch.mjs';

const GAP = 'tidings:gap';

const numbers = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => `${from + i}`);

async function publishAll(hub, topic, all) {
  for (const data of all) await hub.publish(topic, data);
}

test('after kill -9 it gets what was published while it was away', LIMIT, async t => {
  const hub = await startHub(t);
  const watcher = await watch(await pageOf(t, hub), '/t/news');
  await watcher.opened();
  await publishAll(hub, 'news', numbers(1, 3));
  await watcher.received(3);
  await hub.kill();
  await watcher.lost();
  await hub.start();
  await publishAll(hub, 'news', numbers(4, 6));
  await watcher.opened(2);
  await publishAll(hub, 'news', numbers(7, 9));
  await watcher.expectExactly(hub, 'news', numbers(1, 9));
});

test('it resumes behind ids that publishers gave, whatever they hold', LIMIT, async t => {
  const hub = await startHub(t);
  const watcher = await watch(await pageOf(t, hub), '/t/news');
  await watcher.opened();
  const ids = ['order-7', '… ü 🌊', '0', 'a:b'];
  for (const id of ids) {
    const before = await watcher.state();
    await hub.publish('news', `with ${id}`, { query: `id=${encodeURIComponent(id)}` });
    await watcher.received(before.count + 1);
    assert.equal((await watcher.events()).at(-1).id, id);
    await hub.crash();
    await hub.publish('news', `after ${id}`);
    await watcher.received(before.count + 2);
  }
  await watcher.expectExactly(hub, 'news', ids.flatMap(id => [`with ${id}`, `after ${id}`]));
});

test('five kills in a row under a publisher that goes on lose, double and reorder nothing', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await pageOf(t, hub);
  const watchers = [
    await watch(page, '/t/news'),
    await watch(page, '/events?topic=*&topic=news&topic=**'),
    await watch(page, '/events?topic=**&since=earliest'),
  ];
  for (const watcher of watchers) await watcher.opened();
  const stop = hub.keepPublishing('news');
  for (let kill = 1; kill <= 5; kill++) {
    const { count } = await watchers[0].state();
    await watchers[0].received(count + 30);
    await hub.crash();
  }
  const { count } = await watchers[0].state();
  await watchers[0].received(count + 30);
  const all = await stop();
  assert.deepEqual(await hub.history('news'), all, 'the log has each event once');
  await watchers[0].expectExactly(hub, 'news', all);
  for (const watcher of watchers.slice(1)) {
    await watcher.received(all.length + 1);
    assert.deepEqual(await watcher.events(), await watchers[0].events());
  }
});

test('a connection lost before its first event resumes where it began', LIMIT, async t => {
  const hub = await startHub(t);
  await hub.publish('quiet', 'before');
  const page = await pageOf(t, hub);
  const network = await page.context().newCDPSession(page);
  await network.send('Network.enable');
  // The block that carries the position fires no event in the page. Other
  // requests of the page (its icon) receive data too.
  const opening = new Promise(resolve => {
    let stream = null;
    network.on('Network.requestWillBeSent', ({ requestId, request }) => {
      if (request.url.endsWith('/t/quiet')) stream = requestId;
    });
    network.on('Network.dataReceived', ({ requestId }) => { if (requestId === stream) resolve(); });
  });
  const watcher = await watch(page, '/t/quiet');
  await opening;
  assert.equal((await watcher.state()).count, 0);
  await hub.kill();
  await watcher.lost();
  await hub.start();
  await hub.publish('quiet', 'while away');
  await watcher.received(1);
  await hub.crash();
  await watcher.expectExactly(hub, 'quiet', ['while away']);
});

test('a quiet topic resumes exactly while others are busy', LIMIT, async t => {
  const hub = await startHub(t);
  const watcher = await watch(await pageOf(t, hub), '/t/quiet');
  await watcher.opened();
  await hub.publish('quiet', '1');
  await watcher.received(1);
  for (let turn = 2; turn <= 4; turn++) {
    await publishAll(hub, 'busy', numbers(1, 50));
    await hub.kill();
    await watcher.lost();
    await hub.start();
    await publishAll(hub, 'busy', numbers(1, 50));
    await hub.publish('quiet', `${turn}`);
    await watcher.received(turn);
  }
  await watcher.expectExactly(hub, 'quiet', numbers(1, 4));
});

// [where it starts, which of ten earlier events the first connection gets]
const STARTS = [
  ['', []],
  ['since=10m', numbers(1, 10)],
  ['since=earliest', numbers(1, 10)],
  ['since=last:3', numbers(8, 10)],
  ['since=last:10000', numbers(1, 10)],
];

for (const [query, replayed] of STARTS) {
  test(`first connection from '${query}', and a reconnect does not replay again`, LIMIT, async t => {
    const hub = await startHub(t);
    for (const data of numbers(1, 10)) {
      await hub.publish('news', data);
      await hub.publish('other', data);
    }
    const watcher = await watch(await pageOf(t, hub), `/t/news?${query}`);
    await watcher.opened();
    await watcher.received(replayed.length);
    await hub.publish('news', 'live');
    await watcher.received(replayed.length + 1);
    await hub.crash();
    await hub.publish('news', 'after');
    await watcher.received(replayed.length + 2);
    await hub.crash();
    await watcher.expectExactly(hub, 'news', [...replayed, 'live', 'after']);
  });
}

test('since=ID begins behind that event', LIMIT, async t => {
  const hub = await startHub(t);
  await hub.publish('news', '1');
  const { id } = await hub.publish('news', '2');
  await publishAll(hub, 'news', numbers(3, 5));
  const watcher = await watch(await pageOf(t, hub), `/t/news?since=${id}`);
  await watcher.received(3);
  await hub.crash();
  await watcher.expectExactly(hub, 'news', numbers(3, 5));
});

test('a page that comes back to another log is told of the gap, once', LIMIT, async t => {
  const hub = await startHub(t);
  const watcher = await watch(await pageOf(t, hub), '/t/news');
  await watcher.opened();
  await publishAll(hub, 'news', numbers(1, 3));
  await watcher.received(3);
  await hub.kill();
  await watcher.lost();
  await hub.wipe();
  await hub.start();
  await publishAll(hub, 'news', ['new 1', 'new 2']);
  await watcher.received(6);
  const gap = (await watcher.events())[3];
  assert.equal(gap.type, GAP);
  assert.equal(JSON.parse(gap.data).reason, 'foreign');
  assert.notEqual(gap.id, '');
  for (let kill = 0; kill < 2; kill++) await hub.crash();
  const rest = ['new 1', 'new 2'].map(data => ({ type: 'message', data }));
  const began = numbers(1, 3).map(data => ({ type: 'message', data }));
  await watcher.expectExactly(hub, 'news', [...began, { type: GAP, data: gap.data }, ...rest]);
});

test('the id of a gap is enough to go on from: no second gap, nothing again', LIMIT, async t => {
  const hub = await startHub(t);
  const watcher = await watch(await pageOf(t, hub), '/t/news');
  await watcher.opened();
  await hub.publish('news', '1');
  await watcher.received(1);
  await hub.crash(() => hub.wipe());
  await watcher.received(2);
  const gap = (await watcher.events())[1];
  assert.equal(gap.type, GAP);
  await hub.kill();
  await watcher.lost();
  await hub.start();
  await hub.publish('news', '2');
  const message = data => ({ type: 'message', data });
  await watcher.expectExactly(hub, 'news', [message('1'), { type: GAP, data: gap.data }, message('2')]);
});
