// Tabs that share a connection: whoever hands events on, and whatever is lost
// between them on the way, each tab is given each event once and in order.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Chain, START } from '../dist/chain.js';

const event = (data, topic = 't') => ({ type: 'message', topic, id: data, time: null, data });

/// A generator of pseudo-random numbers (mulberry32), so that a run can be repeated.
function seeded(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/// A log of numbered events, tabs with what each was given, and words under way
/// to each of them. Whoever leads reads the log behind its own place.
class World {
  constructor(random, tabs) {
    this.random = random;
    this.log = [];
    this.opening = 0;
    this.tabs = Array.from({ length: tabs }, () => ({ chain: new Chain(START), given: [], inbox: [] }));
    this.lead(0);
  }

  below(n) {
    return Math.floor(this.random() * n);
  }

  /// A tab leads from where it is; the hub begins with another name for the place.
  lead(leader) {
    this.leader = leader;
    const { chain } = this.tabs[leader];
    this.read = chain.place.id === '' ? 0 : Number(chain.place.id.split('~')[0]);
    this.say(chain.follow(chain.place.id, null), leader);
    this.opening += 1;
    this.hand(chain.follow(`${this.read}~${this.opening}`, null));
  }

  say(link, but) {
    this.tabs.forEach(({ inbox }, i) => i !== but && inbox.push({ link }));
  }

  hand(link) {
    this.say(link, this.leader);
    this.take(this.leader, link);
  }

  take(tab, link) {
    const { chain, given } = this.tabs[tab];
    const what = chain.take(link);
    if (what === 'new' && link.event) given.push(link.event.data);
    if (what !== 'hole' || tab === this.leader) return;
    const leader = this.tabs[this.leader].chain;
    const links = leader.behind(chain.place.key);
    assert.ok(links || chain.knows(leader.place), 'what a tab misses can be handed on');
    for (const again of links ?? []) this.take(tab, again);
  }

  publish() {
    this.log.push(`${this.log.length + 1}`);
  }

  forward() {
    if (this.read === this.log.length) return;
    const data = this.log[this.read];
    this.read += 1;
    this.hand(this.tabs[this.leader].chain.follow(data, event(data)));
  }

  deliver(tab) {
    const word = this.tabs[tab].inbox.shift();
    if (word && tab !== this.leader) this.take(tab, word.link);
  }

  step() {
    const tab = this.below(this.tabs.length);
    switch (this.below(10)) {
      case 0: return this.lead(tab);
      // What a tab that died had said may be lost to some.
      case 1: return this.tabs[tab].inbox.splice(this.below(3) + 1);
      case 2: case 3: return this.publish();
      case 4: case 5: return this.forward();
      default: return this.deliver(tab);
    }
  }
}

test('model: each event once and in order, through changes of the leader and losses', () => {
  const first = Number(process.env.TIDINGS_SEED ?? Date.now() % 1e9);
  console.log(`seeds from ${first}`);
  for (let seed = first; seed < first + 300; seed += 1) {
    const world = new World(seeded(seed), 4);
    try {
      for (let step = 0; step < 400; step += 1) world.step();
      world.publish();
      while (world.read < world.log.length) world.forward();
      world.tabs.forEach((tab, i) => { while (tab.inbox.length > 0) world.deliver(i); });
      // Whoever missed the last word of all hears of it from the next.
      world.hand(world.tabs[world.leader].chain.follow('the end', event('the end')));
      world.tabs.forEach((tab, i) => { while (tab.inbox.length > 0) world.deliver(i); });
      for (const { given } of world.tabs) assert.deepEqual(given, [...world.log, 'the end']);
    } catch (error) {
      error.message = `TIDINGS_SEED=${seed}: ${error.message}`;
      throw error;
    }
  }
});

// How many ids a server has that gives the same ones again and again.
for (const ids of [1, 2, 3, 683, 2_047, 2_048, 2_049, 2_050]) {
  test(`a server that repeats its ids after ${ids}: everybody is told each event`, () => {
    const [leader, other] = [new Chain(START), new Chain(START)];
    for (let i = 0; i < 5_000; i += 1) {
      const link = leader.follow(`v${i % ids}`, event(`${i}`));
      assert.deepEqual([leader.take(link), other.take(link)], ['new', 'new'], `event ${i}`);
    }
  });
}

test('who leads is told all that it says, and what is known is what is kept, whatever ids come again', () => {
  const first = Number(process.env.TIDINGS_SEED ?? Date.now() % 1e9);
  console.log(`seeds from ${first}`);
  for (let seed = first; seed < first + 200; seed += 1) {
    const random = seeded(seed);
    const ids = 1 + Math.floor(random() * 12);
    const chain = new Chain(START);
    for (let i = 0; i < 200; i += 1) {
      const data = `v${Math.floor(random() * ids)}`;
      // Another that leads may go on from any place that we know.
      const { links } = chain.whole;
      const at = links[Math.floor(random() * links.length * 4)];
      if (at) chain.take({ after: at.key, key: `${data} t`, id: data, event: event(data) });
      assert.equal(chain.take(chain.follow(data, event(data))), 'new', `TIDINGS_SEED=${seed}, event ${i}`);
      for (const { key } of chain.whole.links) assert.ok(chain.knows({ key }), `TIDINGS_SEED=${seed}, event ${i}`);
    }
  }
});

test('what the leader before said last comes in late: the stream gives it again, and nobody is told twice', () => {
  const chain = new Chain(START);
  for (const data of ['1', '2']) chain.take(chain.follow(data, event(data)));
  let { place } = chain;
  for (const data of ['3', '4']) chain.take(chain.follow(data, event(data)));
  const again = ['3', '4', '5'].map(data => chain.take(place = chain.follow(data, event(data), place)));
  assert.deepEqual(again, ['known', 'known', 'new']);
});

test('one id in two topics is two events', () => {
  const chain = new Chain(START);
  for (const topic of ['a', 'b']) {
    assert.equal(chain.take(chain.follow('order-7', event('x', topic))), 'new');
  }
});

test('an event that was passed over for us is given when it comes, and what we had behind it again', () => {
  const chain = new Chain(START);
  const leader = new Chain(START);
  const take = data => chain.take(data);
  for (const data of ['1', '3']) chain.take(chain.follow(data, event(data)));
  const out = ['1', '2', '3', '4'].map(data => {
    const link = leader.follow(data, event(data));
    leader.take(link);
    return take(link);
  });
  assert.deepEqual(out, ['known', 'new', 'new', 'new']);
  assert.equal(chain.place.id, '4');
  assert.deepEqual(chain.behind('1 t').map(({ id }) => id), ['2', '3', '4'], 'it hands on the way that counts');
});

test('a gap that another tab met is told, and what is behind it', () => {
  const chain = new Chain(START);
  for (const data of ['1', '2', '3']) chain.take(chain.follow(data, event(data)));
  const gap = { after: '1 t', key: '9 tidings:gap', id: '9', event: { ...event('{}'), type: 'tidings:gap', topic: null } };
  assert.equal(chain.take(gap), 'new');
  assert.equal(chain.take({ after: gap.key, key: '10 t', id: '10', event: event('10') }), 'new');
});

test('what it keeps has a bound in number and in characters', () => {
  for (const [count, size] of [[10_000, 1], [100, 100_000]]) {
    const chain = new Chain(START);
    for (let i = 1; i <= count; i += 1) chain.take(chain.follow(`${i}`, event('x'.repeat(size))));
    const { start, links } = chain.whole;
    assert.ok(links.length <= 2_048, `${links.length} links`);
    assert.ok(links.length * size <= 2 * 1024 * 1024, `${links.length} links of ${size}`);
    assert.ok(links.length >= 20);
    assert.equal(start.id, `${count - links.length}`);
    assert.equal(chain.behind('1 t'), null);
    assert.equal(chain.take({ after: '1 t', key: 'y', id: 'y', event: event('y') }), 'hole');
    assert.deepEqual(chain.behind(start.key).map(link => link.id), links.map(link => link.id));
  }
});

test('heartbeats without end on a quiet topic take no memory, and lose nothing', () => {
  const chain = new Chain(START);
  for (let i = 1; i <= 10_000; i += 1) chain.take(chain.follow(`p${i}`, null));
  assert.deepEqual(chain.whole.links, []);
  assert.equal(chain.place.id, 'p10000');
  assert.equal(chain.take({ after: '', key: 'x', id: 'x', event: event('x') }), 'new');
});

test('a tab that missed the last event hears of it from a place without an event', () => {
  const chain = new Chain(START);
  const behind = new Chain(START);
  for (const data of ['1', '2']) chain.take(chain.follow(data, event(data)));
  const place = chain.follow('p', null);
  assert.equal(behind.take(place), 'hole');
  const again = chain.behind(behind.place.key);
  assert.deepEqual(again.map(link => behind.take(link)), ['new', 'new']);
  assert.equal(behind.take(place), 'new');
  assert.deepEqual(behind.place, { key: '2 t', id: 'p' });
});
