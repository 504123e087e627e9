// @tidings/client and what the hub says of people and topics: who is present,
// what is closed.

import assert from 'node:assert/strict';
import test from 'node:test';
import { pageOf } from './support/browser.mjs';
import { open, streams } from './support/client.mjs';
import { startHub } from './support/hub.mjs';
import { request } from './support/http.mjs';
import { LIMIT, until } from './support/until.mjs';

async function close(hub, topic) {
  const answer = await request('DELETE', `${hub.origin}/t/${topic}`);
  assert.equal(answer.status, 200, answer.text);
}

const WAYS = [
  ['eventsource', { transport: 'eventsource' }],
  ['fetch', { transport: 'fetch' }],
  ['shared', { shared: true }],
];

for (const [way, options] of WAYS) {
  test(`${way}: the end of a topic ends the watch, with nothing lost before it`, LIMIT, async t => {
    const hub = await startHub(t);
    const page = await pageOf(t, hub);
    const seen = await open(page, '/', { topics: ['answer/1', 'answer/2'], ...options });
    await seen.isOpen();
    await hub.publish('answer/1', 'a');
    await close(hub, 'answer/1');
    await hub.publish('answer/2', 'b');
    await seen.until('the first end', ({ ends }) => ends.length === 1);
    assert.notEqual((await seen.seen()).state, 'closed');
    await close(hub, 'answer/2');
    await seen.until('the end', ({ state }) => state === 'closed');
    const { ends, errors, events } = await seen.seen();
    assert.deepEqual(ends, [{ topic: 'answer/1' }, { topic: 'answer/2' }, { topic: null }]);
    assert.deepEqual(events.map(({ data }) => data), ['a', 'b']);
    assert.ok(errors.every(({ fatal }) => !fatal), JSON.stringify(errors));
    await until('no stream', async () => await streams(hub) === 0);
    const late = await open(page, '/', { topics: ['answer/1', 'answer/2'], ...options });
    await late.until('the end', ({ state }) => state === 'closed');
    assert.deepEqual([(await late.seen()).ends, (await late.seen()).errors], [[{ topic: null }], []]);
  });

  test(`${way}: who is present is kept from a snapshot and what changes it`, LIMIT, async t => {
    const hub = await startHub(t, { TIDINGS_PRESENCE_GRACE: '0s' });
    const names = seen => seen.members.flatMap(({ members }) => members.map(member => member.as)).toSorted().join();
    const ann = await open(await pageOf(t, hub), '/', { topics: 'room', presence: true, as: 'Ann', ...options });
    await ann.until('Ann', seen => names(seen) === 'Ann');
    const bobs = await pageOf(t, hub);
    const bob = await open(bobs, '/', { topics: 'room', presence: true, as: 'Bob', ...options });
    for (const seen of [ann, bob]) await seen.until('both', seen => names(seen) === 'Ann,Bob');
    await bobs.close();
    await ann.until('Bob to leave', seen => names(seen) === 'Ann');
    const { presence, events } = await ann.seen();
    const said = presence.map(({ topic, joined, left }) => [topic, ...joined.map(({ as }) => `+${as}`), ...left.map(({ as }) => `-${as}`)].join(' '));
    assert.deepEqual(said, ['room +Ann', 'room +Bob', 'room -Bob']);
    assert.deepEqual(events, []);
  });
}

test('tabs that share are one person, and each knows who is present', LIMIT, async t => {
  const hub = await startHub(t);
  const options = { topics: 'room', presence: true, as: 'Ann', shared: true };
  const page = await pageOf(t, hub);
  const first = await open(page, '/', options);
  await first.until('Ann', ({ members }) => members[0]?.count === 1);
  const tab = await page.context().newPage();
  await tab.goto(`${hub.origin}/livez`);
  const second = await open(tab, '/', options);
  await second.until('Ann', ({ members }) => members[0]?.count === 1);
  assert.equal(await streams(hub), 1);
  const { members: [{ members: [{ id }] }] } = await first.seen();
  await page.close();
  await second.until('a connection of its own', ({ states }) => states.filter(state => state === 'open').length === 2);
  await until('one stream', async () => await streams(hub) === 1);
  const { members: [room], presence } = await second.seen();
  assert.deepEqual([room.count, room.members[0].id], [1, id]);
  assert.ok(presence.every(({ left }) => left.length === 0), 'nobody was told that Ann had gone');
});

for (const [way, options] of WAYS) {
  test(`${way}: what the hub says of itself comes with its topic, without an id, beside what is published`, LIMIT, async t => {
    const hub = await startHub(t);
    const seen = await open(await pageOf(t, hub), '/', { topics: ['$sys/stats', 'news'], ...options });
    await seen.until('two readings', ({ events }) => events.filter(({ topic }) => topic === '$sys/stats').length >= 2);
    const { id } = await hub.publish('news', 'one');
    await hub.crash();
    await hub.publish('news', 'two');
    const news = ({ events }) => events.filter(({ topic }) => topic === 'news');
    await seen.until('both', seen => news(seen).length === 2);
    const now = await seen.seen();
    assert.deepEqual(news(now).map(({ data }) => data), ['one', 'two']);
    assert.equal(news(now)[0].id, id);
    const reading = now.events.find(({ topic }) => topic === '$sys/stats');
    assert.equal(reading.id, null);
    assert.equal(typeof JSON.parse(reading.data).uptime, 'number');
    assert.deepEqual(now.gaps, []);
  });
}
