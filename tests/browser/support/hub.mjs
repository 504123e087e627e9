// A hub as a process of its own, with a directory of its own.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { request } from './http.mjs';
import { startProcess } from './process.mjs';
import { until } from './until.mjs';

const BINARY = process.env.TIDINGS_BIN
  ?? fileURLToPath(new URL('../../../target/debug/tidings', import.meta.url));

const SETTINGS = {
  // Short, so that a test that loses its hub several times stays short.
  TIDINGS_STREAM_RETRY: '100ms',
  // A disk on which much else is being written keeps publishers waiting.
  TIDINGS_PUBLISH_TIMEOUT: '60s',
};

/// Starts a hub on a free port; the test's end ends it and removes its data.
export async function startHub(t, env = {}) {
  const data = await mkdtemp(path.join(tmpdir(), 'tidings-browser-'));
  const hub = new Hub(data, env);
  t.after(async () => {
    await hub.kill();
    await rm(data, { recursive: true, force: true });
  });
  await hub.start();
  return hub;
}

class Hub {
  #process = null;
  #listen = '127.0.0.1:0';

  constructor(data, env) {
    this.data = data;
    this.env = env;
  }

  /// Starts the process where it was, or for the first time on a free port,
  /// and waits until it serves.
  async start() {
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('TIDINGS_'));
    const env = { ...Object.fromEntries(inherited), ...SETTINGS, ...this.env };
    this.#process = await startProcess(BINARY, ['serve', '--listen', this.#listen, '--data', this.data], env);
    const first = this.#process.line;
    this.#listen = /http:\/\/([\d.]+:\d+)/.exec(first)?.[1];
    if (!this.#listen) throw new Error(`the first line names no address: ${first}`);
    this.origin = `http://${this.#listen}`;
    // Only with TLS among its settings.
    this.secureOrigin = /https:\/\/[\d.]+:\d+/.exec(first)?.[0];
    this.port = Number(this.#listen.split(':')[1]);
    await until('the hub to be ready', async () => (await this.get('/readyz')).status === 200);
  }

  /// What it has logged, for messages of failed tests.
  get log() {
    return this.#process?.log ?? '';
  }

  /// `kill -9`, and waits until the process is gone.
  async kill() {
    return this.#process?.end('SIGKILL');
  }

  /// Kills it and starts it again on the same port and, unless `between`
  /// removes it, the same data.
  async crash(between = async () => {}) {
    await this.kill();
    await between();
    await this.start();
  }

  /// SIGTERM; resolves to how it ended.
  async terminate() {
    return this.#process.end('SIGTERM');
  }

  async wipe() {
    await rm(this.data, { recursive: true });
  }

  get(route, headers = {}) {
    return request('GET', this.origin + route, { headers });
  }

  /// Publishes `data` to `topic`, with a query such as `event=tick`; answers
  /// the hub's answer, and rejects unless it is 200.
  async publish(topic, data, { query = '', headers = {} } = {}) {
    const url = `${this.origin}/t/${topic}${query && `?${query}`}`;
    const answer = await request('POST', url, { headers, body: data });
    if (answer.status !== 200) throw new Error(`publishing answered ${answer.status}: ${answer.text}`);
    return JSON.parse(answer.text);
  }

  /// Publishes through kills: again under the same key until it is answered.
  publishSurely(topic, data, key) {
    return until('an event to be taken in', async () => {
      try {
        return await this.publish(topic, data, { headers: { 'Idempotency-Key': key } });
      } catch (error) {
        // The connection broke: the hub is away.
        if (error.code) return null;
        throw error;
      }
    });
  }

  /// Publishes 1, 2, 3, … to `topic`, each surely and once, until the function
  /// it answers is called; that resolves to all of them.
  keepPublishing(topic) {
    const published = [];
    let stopped = false;
    const ended = (async () => {
      while (!stopped) {
        published.push(`${published.length + 1}`);
        await this.publishSurely(topic, published.at(-1), `number-${published.length}`);
      }
    })();
    // Whoever stops it hears of its failure.
    ended.catch(() => {});
    return async () => {
      stopped = true;
      await ended;
      return published;
    };
  }

  /// How many streams watch `topic`. Those by which a page looks at the hub
  /// itself aren't among them.
  async watchers(topic) {
    const answer = await this.get(`/presence?topic=${encodeURIComponent(topic)}`);
    if (answer.status !== 200) throw new Error(`presence answered ${answer.status}: ${answer.text}`);
    return JSON.parse(answer.text).watchers;
  }

  /// The data of all events that a topic or pattern has, as the hub's history tells.
  async history(topic) {
    const data = [];
    for (let page = null; page?.more !== false;) {
      const since = page ? `since=${page.cursor}&` : '';
      const answer = await this.get(`/events?${since}limit=1000&topic=${encodeURIComponent(topic)}`, { Accept: 'application/json' });
      if (answer.status !== 200) throw new Error(`history answered ${answer.status}: ${answer.text}`);
      page = JSON.parse(answer.text);
      data.push(...page.events.map(event => event.data));
    }
    return data;
  }
}
