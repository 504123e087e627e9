// Tabs that share a connection, opened, closed, left, shown again and crashed in
// an order left to chance, while the hub is killed: each has all events from its
// first to the last, once and in order.

import assert from 'node:assert/strict';
import test from 'node:test';
import { pageOf } from './support/browser.mjs';
import { open, streams } from './support/client.mjs';
import { startHub } from './support/hub.mjs';
import { LIMIT, until } from './support/until.mjs';

const STEPS = 16;
const MOST_TABS = 4;

/// A generator of pseudo-random numbers below `n` (xorshift), so that a run can be repeated.
function seeded(seed) {
  let x = (seed >>> 0) || 1;
  return n => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    x >>>= 0;
    return x % n;
  };
}

class Browser {
  constructor(hub, page) {
    this.hub = hub;
    this.context = page.context();
    this.tabs = [];
  }

  async openTab() {
    const page = await this.context.newPage();
    await page.goto(`${this.hub.origin}/livez`);
    const seen = await open(page, '/', { topics: 'news', shared: true });
    await seen.isOpen();
    this.tabs.push({ page, seen });
  }

  async crash({ page }) {
    const crashed = new Promise(resolve => page.on('crash', resolve));
    page.goto('chrome://crash').catch(() => {});
    await crashed;
  }

  /// A page that is left for another, and shown again.
  async leave({ page }, meanwhile) {
    const turn = type => page.evaluate(type => {
      window.dispatchEvent(new PageTransitionEvent(type, { persisted: true }));
    }, type);
    await turn('pagehide');
    await meanwhile();
    await turn('pageshow');
  }

  /// Does something to somebody, and says what.
  async step(below) {
    const what = this.tabs.length < 2 ? 'open' : ['open', 'close', 'leave', 'crash', 'kill'][below(5)];
    const at = below(Math.max(this.tabs.length, 1));
    switch (what) {
      case 'open':
        if (this.tabs.length < MOST_TABS) await this.openTab();
        break;
      case 'close':
        await this.tabs.splice(at, 1)[0].page.close();
        break;
      case 'crash':
        await this.crash(this.tabs.splice(at, 1)[0]);
        break;
      case 'leave':
        await this.leave(this.tabs[at], () => this.othersGoOn(this.tabs[at]));
        break;
      case 'kill':
        await this.hub.crash();
    }
    return `${what} ${at}`;
  }

  /// Waits until everybody but one has been given something new.
  async othersGoOn(but = null) {
    for (const tab of this.tabs.filter(tab => tab !== but)) {
      await tab.seen.received(await tab.seen.count() + 5);
    }
  }
}

test('model: tabs come and go at random', LIMIT, async t => {
  const seed = Number(process.env.TIDINGS_SEED ?? Date.now() % 1e9);
  console.log(`TIDINGS_SEED=${seed}`);
  const below = seeded(seed);
  const hub = await startHub(t);
  const browser = new Browser(hub, await pageOf(t, hub));
  await browser.openTab();
  const stop = hub.keepPublishing('news');
  const steps = [];
  for (let step = 0; step < STEPS; step += 1) {
    steps.push(await browser.step(below));
    await browser.othersGoOn();
  }
  const published = await stop();
  const how = `TIDINGS_SEED=${seed}: ${steps.join(', ')}`;
  for (const { seen } of browser.tabs) {
    await seen.until(`${published.at(-1)}; ${how}`, ({ events }) => events.at(-1)?.data === published.at(-1));
    const data = await seen.data();
    assert.deepEqual(data, published.slice(published.indexOf(data[0])), how);
  }
  await until('one stream', async () => await streams(hub) === 1);
});
