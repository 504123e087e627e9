// An EventSource of a topic that is closed gets the rest and the end, asks once
// more, is answered 204, and stops by itself.

import assert from 'node:assert/strict';
import test from 'node:test';
import { pageOf } from './support/browser.mjs';
import { startHub } from './support/hub.mjs';
import { request } from './support/http.mjs';
import { LIMIT, until } from './support/until.mjs';
import { watch } from './support/watch.mjs';

const END = 'tidings:end';
const NAMES = { names: [END] };

/// The statuses that `page` is answered where it watches `path`, in order.
function answers(page, path) {
  const all = [];
  page.on('response', answer => new URL(answer.url()).pathname === path && all.push(answer.status()));
  return all;
}

/// Waits until `watcher` has given up, and holds that it got `expected` and the end
/// of `topic`, and was answered 204 once, last of all.
async function expectTheEnd(page, watcher, topic, expected, statuses) {
  await watcher.until('the end', ({ gaveUp }) => gaveUp);
  assert.equal((await watcher.state()).readyState, 2, 'it is CLOSED');
  const events = (await watcher.events()).map(({ type, data }) => [type, data]);
  const messages = expected.map(data => ['message', data]);
  assert.deepEqual(events, [...messages, [END, JSON.stringify({ topic })]]);
  await until('the answers', () => statuses.at(-1) === 204);
  // A request that it had begun would be before this one's answer.
  await page.evaluate(() => fetch('/livez'));
  assert.deepEqual(statuses.slice(-2), [200, 204]);
  assert.equal(statuses.filter(status => status === 204).length, 1);
}

const close = (hub, topic, last) => hub.publish(topic, last, { query: 'close=1' });

test('one that watches live asks exactly once more', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await pageOf(t, hub);
  const statuses = answers(page, '/t/answer/42');
  const watcher = await watch(page, '/t/answer/42?since=earliest', NAMES);
  await watcher.opened();
  await hub.publish('answer/42', 'once upon');
  await close(hub, 'answer/42', 'a time');
  await expectTheEnd(page, watcher, 'answer/42', ['once upon', 'a time'], statuses);
  assert.deepEqual(statuses, [200, 204]);
  assert.equal((await watcher.state()).opens, 1);
});

test('one that comes when all is over gets all of it, and one that wants nothing old gets 204', LIMIT, async t => {
  const hub = await startHub(t);
  await hub.publish('answer/42', '1');
  await close(hub, 'answer/42', '2');
  const page = await pageOf(t, hub);
  const statuses = answers(page, '/t/answer/42');
  const late = await watch(page, '/t/answer/42?since=earliest', NAMES);
  await expectTheEnd(page, late, 'answer/42', ['1', '2'], statuses);
  const nothing = await watch(page, '/events?topic=answer/42', NAMES);
  await nothing.until('the end', ({ gaveUp }) => gaveUp);
  const { count, opens, errors } = await nothing.state();
  assert.deepEqual({ count, opens, errors }, { count: 0, opens: 0, errors: 1 });
});

test('one that lost its hub gets what it missed, the end too, and stops', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await pageOf(t, hub);
  const statuses = answers(page, '/events');
  const watcher = await watch(page, '/events?topic=a&topic=b', NAMES);
  await watcher.opened();
  await hub.publish('a', '1');
  await watcher.received(1);
  await hub.kill();
  await watcher.lost();
  await hub.start();
  await request('DELETE', `${hub.origin}/t/b`);
  await close(hub, 'a', '2');
  await watcher.until('the end', ({ gaveUp }) => gaveUp);
  const events = (await watcher.events()).map(({ type, data }) => (type === END ? JSON.parse(data).topic : data));
  assert.deepEqual(events, ['1', 'b', '2', 'a']);
  await until('the answers', () => statuses.at(-1) === 204);
  assert.deepEqual(statuses.slice(-2), [200, 204]);
});

test('a pattern goes on, and a topic that is opened again gives no end', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await pageOf(t, hub);
  const pattern = await watch(page, '/t/*', NAMES);
  await pattern.opened();
  await close(hub, 'a', '1');
  await pattern.received(2);
  await hub.publish('a', '2', { query: 'reopen=1' });
  const late = await watch(page, '/t/a?since=earliest', NAMES);
  await late.expectExactly(hub, 'a', ['1', '2']);
  await pattern.expectExactly(hub, 'a', ['1', { type: END, data: '{"topic":"a"}' }, '2', 'the last']);
});
