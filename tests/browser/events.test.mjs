// What arrives in an EventSource is what was published.

import assert from 'node:assert/strict';
import test from 'node:test';
import { pageOf } from './support/browser.mjs';
import { startHub } from './support/hub.mjs';
import { request } from './support/http.mjs';
import { LIMIT } from './support/until.mjs';
import { watch } from './support/watch.mjs';

const MIB = 1 << 20;

// [what, as it is published, as it arrives; the same if missing]
const DATA = [
  ['plain text', 'hello'],
  ['no data at all', ''],
  ['a line feed only', '\n'],
  ['lines that end with LF', 'a\nb\n\nc'],
  ['lines that end with CRLF', 'a\r\nb\r\n\r\nc', 'a\nb\n\nc'],
  ['lines that end with CR', 'a\rb\r\rc', 'a\nb\n\nc'],
  ['every kind of line end', 'a\r\nb\rc\nd\r\n', 'a\nb\nc\nd\n'],
  ['line ends at the end', 'a\n\n\n'],
  ['a space at the beginning', ' a\n  b'],
  ['a tab at the beginning', '\ta'],
  ['emoji and other astral text', '🌊 👩‍👩‍👧 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 \u{10FFFF}'],
  ['text that looks like fields', 'event: x\nid: 1\n: comment\nretry: 1\ndata: y'],
  ['a byte order mark', '\uFEFFa'],
  ['what is a line end elsewhere only', 'a\u0085b\u2028c\u2029d\u000Be\u000C'],
  ['U+0000', 'a\u0000b'],
  ['1 MiB in one line', 'x'.repeat(MIB)],
  ['1 MiB in lines', `${'é'.repeat(63)}\n\n`.repeat(MIB / 128)],
];

test('data arrives as it was published, line ends as LF', LIMIT, async t => {
  const hub = await startHub(t);
  const watcher = await watch(await pageOf(t, hub), '/t/news');
  await watcher.opened();
  const ids = [];
  for (const [, data] of DATA) ids.push((await hub.publish('news', data)).id);
  await watcher.received(DATA.length);
  const events = await watcher.events();
  DATA.forEach(([what, data, arrives = data], i) => {
    // Not deepEqual: 1 MiB of difference would help nobody.
    assert.ok(events[i].data === arrives, `${what}: ${JSON.stringify(events[i].data.slice(0, 99))}`);
    assert.equal(events[i].type, 'message', what);
    assert.equal(events[i].id, ids[i], what);
  });
  assert.equal(new Set(ids).size, DATA.length);
  await watcher.expectExactly(hub, 'news', DATA.map(([, data, arrives = data]) => arrives));
});

test('events with a name reach the listeners of that name only', LIMIT, async t => {
  const hub = await startHub(t);
  const names = ['tick', 'ünï 🌊', 'a:b c'];
  const watcher = await watch(await pageOf(t, hub), '/t/news', { names });
  await watcher.opened();
  const published = ['tick', null, 'unheard', 'ünï 🌊', null, 'a:b c'];
  for (const [i, name] of published.entries()) {
    await hub.publish('news', `${i}`, { query: name ? `event=${encodeURIComponent(name)}` : '' });
  }
  const heard = published
    .map((name, i) => ({ type: name ?? 'message', data: `${i}` }))
    .filter(({ type }) => type !== 'unheard');
  await watcher.expectExactly(hub, 'news', heard);
});

test('many events of several publishers arrive in the order of the log', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await pageOf(t, hub);
  const watchers = [await watch(page, '/t/news'), await watch(page, '/t/news')];
  for (const watcher of watchers) await watcher.opened();
  const publisher = async (name, count) => {
    for (let i = 0; i < count; i++) await hub.publish('news', `${name}${i}`);
  };
  const lines = Array.from({ length: 500 }, (_, i) => `${JSON.stringify({ data: `n${i}` })}\n`).join('');
  const stream = request('POST', `${hub.origin}/t/news`, { headers: { 'Content-Type': 'application/x-ndjson' }, body: lines });
  await Promise.all([publisher('a', 100), publisher('b', 100), stream]);
  assert.equal(JSON.parse((await stream).text).published, 500);
  const order = await hub.history('news');
  assert.equal(order.length, 700);
  for (const name of ['a', 'b', 'n']) {
    const own = order.filter(data => data.startsWith(name));
    assert.deepEqual(own, own.map((_, i) => `${name}${i}`));
  }
  await watchers[0].expectExactly(hub, 'news', order);
  await watchers[1].received(order.length + 1);
  assert.deepEqual(await watchers[0].events(), await watchers[1].events());
});

test('an event of the page itself comes back to it', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await pageOf(t, hub);
  const watcher = await watch(page, '/t/caf%C3%A9/%F0%9F%8C%8A');
  await watcher.opened();
  const answer = await page.evaluate(async () => {
    const reply = await fetch('/t/café/🌊', { method: 'POST', body: 'from the page' });
    return { status: reply.status, ...await reply.json() };
  });
  assert.equal(answer.status, 200);
  assert.equal(answer.topic, 'café/🌊');
  await watcher.received(1);
  assert.deepEqual(await watcher.events(), [{ type: 'message', data: 'from the page', id: answer.id }]);
});

// [what is watched, which of the events below arrive]
const SELECTIONS = [
  ['topic=news', ['news']],
  ['topic=news&topic=orders/42', ['news', 'orders/42']],
  ['topic=orders/*', ['orders/42', 'orders/7']],
  ['topic=orders/*&topic=news', ['news', 'orders/42', 'orders/7']],
  ['topic=*/42', ['orders/42']],
  ['topic=orders/**', ['orders/42', 'orders/7', 'orders/7/lines/1']],
  ['topic=orders/*&topic=orders/42&topic=**', ['news', 'orders', 'orders/42', 'orders/7', 'orders/7/lines/1']],
];

for (const [query, arrives] of SELECTIONS) {
  test(`several topics and patterns: ${query}`, LIMIT, async t => {
    const hub = await startHub(t);
    const watcher = await watch(await pageOf(t, hub), `/events?${query}&topic=end`);
    await watcher.opened();
    for (const topic of ['news', 'orders', 'orders/42', 'orders/7', 'orders/7/lines/1']) await hub.publish(topic, topic);
    await watcher.expectExactly(hub, 'end', arrives);
  });
}

test('envelope=json names topic, event, id and time, and only the hub’s own events stay bare', LIMIT, async t => {
  const hub = await startHub(t);
  const watcher = await watch(await pageOf(t, hub), '/events?topic=**&envelope=json', { names: ['tick'] });
  await watcher.opened();
  const before = Date.now();
  const published = [['news', 'a\r\nb "🌊"', null], ['orders/42', '{"total":1}', 'tick']];
  const ids = [];
  for (const [topic, data, event] of published) {
    ids.push((await hub.publish(topic, data, { query: event ? `event=${event}` : '' })).id);
  }
  await watcher.received(2);
  const events = await watcher.events();
  published.forEach(([topic, data, event], i) => {
    assert.equal(events[i].type, 'message');
    assert.equal(events[i].id, ids[i]);
    const { time, ...envelope } = JSON.parse(events[i].data);
    const text = data.replaceAll('\r\n', '\n');
    assert.deepEqual(envelope, { topic, event: event ?? 'message', id: ids[i], data: text });
    assert.ok(Math.abs(new Date(time) - before) < 60_000, time);
  });
});
