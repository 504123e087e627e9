// @tidings/client in a page, as its build gives it.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from './until.mjs';

const PACKAGE = fileURLToPath(new URL('../../../web/client/', import.meta.url));
const { build } = createRequire(path.join(PACKAGE, 'package.json'))('esbuild');

/// A script that a page can take: modules of `code` as one, React included.
export async function bundle(code) {
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir: PACKAGE, loader: 'jsx' },
    bundle: true,
    format: 'iife',
    jsx: 'automatic',
    // StrictMode mounts twice only there.
    define: { 'process.env.NODE_ENV': '"development"' },
    alias: { '@tidings/client': path.join(PACKAGE, 'dist/index.js'), '@tidings/client/react': path.join(PACKAGE, 'dist/react.js') },
    write: false,
  });
  return outputFiles[0].text;
}

let script = null;

/// Opens a watch in `page`, a page of the hub's, and notes what it tells.
/// `options` are those of the client that are no functions; of `calls`, the
/// functions of the page that have the option's name are called instead.
export async function open(page, url, options = {}, calls = []) {
  script ??= bundle("import * as client from '@tidings/client'; window.client = client;");
  if (!await page.evaluate(() => 'client' in window)) await page.addScriptTag({ content: await script });
  const seen = await page.evaluateHandle(([url, options, calls]) => {
    for (const name of calls) options[name] = () => window[name]();
    const tidings = new window.client.Tidings(url, options);
    const seen = { tidings, events: [], states: [], errors: [], gaps: [], ends: [], presence: [] };
    tidings.on('*', event => seen.events.push(event));
    tidings.on('tidings:state', state => seen.states.push(state));
    tidings.on('tidings:error', ({ message, status, code, fatal }) => seen.errors.push({ message, status, code, fatal }));
    tidings.on('tidings:gap', gap => {
      seen.gaps.push(gap);
      seen.events.push({ type: 'tidings:gap', data: gap.reason });
    });
    tidings.on('tidings:end', end => seen.ends.push(end));
    tidings.on('tidings:presence', presence => seen.presence.push(presence));
    return seen;
  }, [url, options, calls]);
  return new Open(seen);
}

class Open {
  #seen;

  constructor(seen) {
    this.#seen = seen;
  }

  /// What it has been told: `{events, states, errors, gaps, ends, presence}`, and its state.
  seen() {
    return this.#seen.evaluate(({ tidings, ...seen }) => ({
      ...seen, state: tidings.state, lastEventId: tidings.lastEventId, members: tidings.presence,
    }));
  }

  async data() {
    return (await this.seen()).events.map(event => event.data);
  }

  /// Waits until what it has been told satisfies `test`.
  until(what, test) {
    let seen;
    return until(
      () => `${what}; it is ${seen.state}, has ${seen.events.length} events, ${JSON.stringify(seen.errors.slice(-3))}, ${JSON.stringify(seen.states.slice(-6))}`,
      async () => test(seen = await this.seen()),
    );
  }

  isOpen() {
    return this.until('an open connection', ({ state }) => state === 'open');
  }

  /// How many events it has been told.
  count() {
    return this.#seen.evaluate(({ events }) => events.length);
  }

  /// Waits for `count` events.
  received(count) {
    const how = async () => JSON.stringify({ ...await this.seen(), events: await this.count() });
    return until(async () => `${count} events; it is ${await how()}`, async () => await this.count() >= count);
  }

  /// Publishes a last event to `topic`, waits for it, and holds that exactly
  /// `expected` came before it: nothing lost, doubled or out of order.
  async expectExactly(hub, topic, expected) {
    const last = `the last for one: ${Math.random()}`;
    await hub.publish(topic, last);
    await this.until('the last event', ({ events }) => events.some(event => event.data === last));
    const data = await this.data();
    assert.deepEqual(data.slice(0, data.indexOf(last)).filter(text => !text.startsWith('the last for one')), expected);
  }

  close() {
    return this.#seen.evaluate(({ tidings }) => tidings.close());
  }
}

/// How many streams the hub has.
export async function streams(hub) {
  const { text } = await hub.get('/metrics');
  return Number(/^tidings_subscribers (\d+)$/m.exec(text)[1]);
}
