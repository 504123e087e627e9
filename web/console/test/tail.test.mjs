// A tail of events: bounded, calm, and true about what it leaves out.

import assert from 'node:assert/strict';
import test from 'node:test';
import { load } from './support.mjs';

const { Ring, RING_EVENTS, RING_CHARACTERS, holds } = await load('lib/ring.ts');
const { Tail } = await load('lib/tail.ts');
const { excerpt } = await load('lib/found.ts');

const entry = (data, topic = 't') => ({ kind: 'event', topic, type: 'message', id: '', time: 0, data });
const take = (tail, ...all) => all.forEach(data => tail.take(entry(data)));
const shown = tail => tail.view.get().entries.map(({ data }) => data);

test('the newest events are kept, bounded in number', () => {
  const ring = new Ring();
  for (let n = 0; n < 3 * RING_EVENTS; n += 1) ring.add(entry(`${n}`));
  ring.add(entry('last'));
  const kept = ring.newest();
  assert.equal(kept.length, RING_EVENTS);
  assert.deepEqual([kept[0].data, kept[1].data], ['last', `${3 * RING_EVENTS - 1}`]);
  assert.equal(ring.total, 3 * RING_EVENTS + 1);
  assert.equal(new Set(kept.map(({ key }) => key)).size, RING_EVENTS);
});

test('and bounded in size, whatever the size of one', () => {
  const ring = new Ring();
  const third = 'x'.repeat(Math.ceil(RING_CHARACTERS / 3));
  for (let i = 0; i < 10; i += 1) ring.add(entry(third));
  assert.equal(ring.newest().length, 2);
  ring.add(entry('x'.repeat(RING_CHARACTERS * 2)));
  assert.equal(ring.newest().length, 1);
  ring.clear();
  ring.add(entry(third));
  ring.add(entry(third));
  assert.equal(ring.newest().length, 2);
});

test('a search looks at all that is shown of an event', () => {
  const event = { ...entry('Data', 'orders/42'), type: 'Paid', id: 'td-9' };
  for (const found of ['data', 'ORDERS'.toLowerCase(), 'paid', 'td-9']) assert.ok(holds(event, found), found);
  assert.ok(!holds(event, 'other'));
});

test('what a tail shows is what came, newest first, once it is flushed', () => {
  const tail = new Tail();
  take(tail, '1', '2');
  assert.deepEqual(shown(tail), []);
  tail.flush(0);
  assert.deepEqual(shown(tail), ['2', '1']);
});

test('a flush without anything new changes nothing that is drawn', () => {
  const tail = new Tail();
  take(tail, '1');
  tail.flush(0);
  for (let now = 200; now < 10_000; now += 200) tail.flush(now);
  const quiet = tail.view.get();
  tail.flush(10_000);
  assert.equal(tail.view.get(), quiet);
});

test('a pause holds what is shown still, and counts what comes', () => {
  const tail = new Tail();
  take(tail, '1');
  tail.flush(0);
  tail.pause(true);
  take(tail, '2', '3');
  tail.flush(200);
  assert.deepEqual(shown(tail), ['1']);
  assert.equal(tail.view.get().unseen, 2);
  tail.search('2');
  assert.deepEqual(shown(tail), [], 'a search while paused finds nothing of later');
  tail.search('');
  tail.pause(false);
  assert.deepEqual(shown(tail), ['3', '2', '1']);
  assert.equal(tail.view.get().unseen, 0);
});

test('a search narrows what is shown, now and later', () => {
  const tail = new Tail();
  take(tail, 'apple', 'pear');
  tail.flush(0);
  tail.search('APP');
  assert.deepEqual(shown(tail), ['apple']);
  take(tail, 'pineapple', 'plum');
  tail.flush(200);
  assert.deepEqual(shown(tail), ['pineapple', 'apple']);
  tail.search('');
  assert.equal(shown(tail).length, 4);
});

test('what is cleared stays away, paused or not', () => {
  const tail = new Tail();
  take(tail, '1');
  tail.flush(0);
  tail.clear();
  assert.deepEqual(shown(tail), []);
  take(tail, '2');
  tail.flush(200);
  assert.deepEqual(shown(tail), ['2']);
  tail.pause(true);
  tail.clear();
  tail.pause(false);
  assert.deepEqual(shown(tail), []);
});

test('the rate is that of the last two seconds, and falls to none', () => {
  const tail = new Tail();
  for (let now = 0; now <= 4000; now += 200) {
    take(tail, ...Array(20).fill('x'));
    tail.flush(now);
  }
  assert.ok(Math.abs(tail.view.get().rate - 100) < 1, `${tail.view.get().rate}`);
  for (let now = 4200; now <= 8000; now += 200) tail.flush(now);
  assert.equal(tail.view.get().rate, 0);
});

test('a row shows the place that the search has found', () => {
  const long = `${'a'.repeat(1000)}needle${'b'.repeat(1000)}`;
  assert.match(excerpt(long, 'NEEDLE'), /^…a{24}needleb+$/);
  assert.equal(excerpt('one\ntwo', ''), 'one ⏎ two');
  assert.ok(excerpt(long, '').length <= 400);
});
