import assert from 'node:assert/strict';
import test from 'node:test';
import { Rosters } from '../dist/presence.js';

const ann = { id: 'a', since: '2026-01-01T00:00:00.000Z', as: 'Ann' };
const bob = { id: 'b', since: '2026-01-01T00:00:01.000Z', data: { name: 'Bob' } };
const cid = { id: 'c', since: '2026-01-01T00:00:02.000Z' };

/// Holds that `said`, told in order, gives `expected`: for each what it changes,
/// as `count: members +joined -left`, or null.
function check(said, expected) {
  const rosters = new Rosters();
  const ids = members => (members ? members.map(({ id }) => id).join('') : '?');
  const out = said.map(data => {
    const presence = rosters.take(typeof data === 'string' ? data : JSON.stringify({ topic: 't', ...data }));
    return presence && `${presence.count}: ${ids(presence.members)} +${ids(presence.joined)} -${ids(presence.left)}`;
  });
  assert.deepEqual(out, expected);
  return rosters;
}

test('a snapshot, then who comes and goes', () => {
  const rosters = check([
    { seq: 3, count: 2, members: [ann, bob] },
    { seq: 4, count: 3, joined: [cid], left: [] },
    { seq: 5, count: 2, joined: [], left: ['a'] },
  ], ['2: ab +ab -', '3: abc +c -', '2: bc + -a']);
  assert.deepEqual(rosters.all()[0].members, [bob, cid]);
});

test('a change that the snapshot has already changes nothing', () => {
  check([
    { seq: 3, count: 1, members: [ann] },
    { seq: 2, count: 2, joined: [bob], left: [] },
    { seq: 3, count: 1, joined: [], left: ['b'] },
    { seq: 4, count: 2, joined: [cid], left: [] },
  ], ['1: a +a -', null, null, '2: ac +c -']);
});

test('another snapshot, after a reconnect, tells what it differs by', () => {
  check([
    { seq: 3, count: 2, members: [ann, bob] },
    { seq: 1, count: 2, members: [bob, cid] },
    { seq: 2, count: 1, joined: [], left: ['b'] },
  ], ['2: ab +ab -', '2: bc +c -a', '1: c + -b']);
});

test('where there are many, there is a number; and a list again when there are few', () => {
  check([
    { seq: 1, count: 500, members: null },
    { seq: 2, count: 498, joined: 3, left: 5 },
    { seq: 3, count: 2, members: [ann, bob] },
    { seq: 4, count: 101, joined: 99, left: 0 },
    { seq: 5, count: 102, joined: [cid], left: [] },
  ], ['500: ? + -', '498: ? + -', '2: ab + -', '101: ? + -', '102: ? + -']);
});

test('topics are apart, and what is no presence changes nothing', () => {
  const rosters = check([
    { seq: 1, count: 1, members: [ann] },
    { topic: 'u', seq: 1, count: 1, members: [bob] },
    { topic: 'v', seq: 9, count: 1, joined: [cid], left: [] },
    'null', '[]', '{', '{"topic":1}',
  ], ['1: a +a -', '1: b +b -', null, null, null, null, null]);
  assert.deepEqual(rosters.all().map(({ topic, members }) => [topic, members]), [['t', [ann]], ['u', [bob]]]);
});

test('its snapshots tell another all of it', () => {
  const rosters = check([{ seq: 7, count: 2, members: [ann, bob] }, { topic: 'u', seq: 8, count: 900, members: null }], ['2: ab +ab -', '900: ? + -']);
  const other = new Rosters();
  rosters.snapshots().forEach(data => other.take(data));
  assert.deepEqual(other.all(), rosters.all());
});
