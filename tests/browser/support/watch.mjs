// An EventSource in a page, and what it has seen.

import assert from 'node:assert/strict';
import { until } from './until.mjs';

const GAP = 'tidings:gap';

/// Opens an EventSource in `page`. Events named in `names` are noted besides
/// those without a name and the hub's gaps.
export async function watch(page, url, { names = [], withCredentials = false } = {}) {
  const seen = await page.evaluateHandle(([url, names, withCredentials]) => {
    const source = new EventSource(url, { withCredentials });
    const seen = { source, events: [], opens: 0, errors: 0, gaveUp: false };
    for (const name of names) {
      source.addEventListener(name, e => {
        seen.events.push({ type: e.type, data: e.data, id: e.lastEventId });
      });
    }
    source.onopen = () => { seen.opens += 1; };
    source.onerror = () => {
      seen.errors += 1;
      seen.gaveUp ||= source.readyState === EventSource.CLOSED;
    };
    return seen;
  }, [url, ['message', GAP, ...names], withCredentials]);
  return new Watch(seen);
}

class Watch {
  #seen;

  constructor(seen) {
    this.#seen = seen;
  }

  /// All events so far, as `{type, data, id}`.
  events() {
    return this.#seen.evaluate(seen => seen.events);
  }

  /// How it goes: `{count, opens, errors, gaveUp, readyState}`.
  state() {
    return this.#seen.evaluate(({ source, events, opens, errors, gaveUp }) => ({
      count: events.length, opens, errors, gaveUp, readyState: source.readyState,
    }));
  }

  /// Waits until its state satisfies `test`.
  until(what, test) {
    let state;
    return until(() => `${what}; it has ${JSON.stringify(state)}`, async () => test(state = await this.state()));
  }

  /// Waits until it was connected (again) `times` times.
  opened(times = 1) {
    return this.until(`connection ${times}`, ({ opens }) => opens >= times);
  }

  /// Waits until it knows that it lost its connection.
  lost() {
    return this.until('a lost connection', ({ readyState }) => readyState === 0);
  }

  /// Waits for `count` events.
  received(count) {
    return this.until(`${count} events`, state => state.count >= count);
  }

  /// Publishes a last event to `topic`, waits for it, and holds that exactly
  /// the events `expected` came before it, each as its data or as
  /// `{type, data}`: none lost, doubled or out of order, and no gap.
  async expectExactly(hub, topic, expected) {
    const last = await hub.publish(topic, 'the last');
    await until(async () => `the last event; ${JSON.stringify(await this.state())}`, async () =>
      this.#seen.evaluate((seen, id) => seen.events.at(-1)?.id === id, last.id));
    const whole = expected.map(e => (typeof e === 'string' ? { type: 'message', data: e } : e));
    const events = await this.events();
    assert.deepEqual(events.slice(0, -1).map(({ type, data }) => ({ type, data })), whole);
    assert.equal((await this.state()).gaveUp, false, 'the EventSource gave up');
  }

  close() {
    return this.#seen.evaluate(seen => seen.source.close());
  }
}
