// @tidings/client in a page, against the hub, by EventSource and by fetch.

import assert from 'node:assert/strict';
import http from 'node:http';
import { once } from 'node:events';
import test from 'node:test';
import { pageOf } from './support/browser.mjs';
import { open, streams } from './support/client.mjs';
import { startHub } from './support/hub.mjs';
import { startSite } from './support/site.mjs';
import { LIMIT, until } from './support/until.mjs';

const TOPICS = { topics: ['news', 'orders/*'] };
const numbers = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => `${from + i}`);

/// The kinds of what the page asks for below `/events`, in order.
function asked(page) {
  const kinds = [];
  page.on('request', request => {
    if (new URL(request.url()).pathname === '/events') kinds.push(request.resourceType());
  });
  return kinds;
}

for (const transport of ['eventsource', 'fetch']) {
  test(`${transport}: kills under a publisher that goes on lose, double and reorder nothing`, LIMIT, async t => {
    const hub = await startHub(t);
    const page = await pageOf(t, hub);
    const kinds = asked(page);
    const seen = await open(page, '/', { ...TOPICS, transport });
    await seen.isOpen();
    const stop = hub.keepPublishing('news');
    for (let kill = 1; kill <= 3; kill += 1) {
      const { length } = await seen.data();
      await seen.received(length + 20);
      await hub.crash();
    }
    const { length } = await seen.data();
    await seen.received(length + 20);
    await seen.expectExactly(hub, 'news', await stop());
    assert.ok(kinds.every(kind => kind === transport), `${kinds}`);
  });

  test(`${transport}: names, topics, ids and times are told; a history that was lost is a gap`, LIMIT, async t => {
    const hub = await startHub(t);
    const seen = await open(await pageOf(t, hub), '/', { ...TOPICS, transport, decode: 'json' });
    await seen.isOpen();
    const { id } = await hub.publish('orders/7', '{"amount":3}', { query: 'event=price' });
    await hub.publish('orders/7', '4', { query: 'id=mine' });
    await seen.received(2);
    const { events, lastEventId } = await seen.seen();
    const { time } = events[0];
    assert.ok(Date.parse(time) > 0, time);
    assert.deepEqual(events[0], { type: 'price', topic: 'orders/7', id, time, data: { amount: 3 } });
    assert.deepEqual([events[1].type, events[1].id, lastEventId], ['message', 'mine', 'mine']);
    await hub.crash(() => hub.wipe());
    await hub.publish('news', '5');
    await seen.received(4);
    const { gaps, events: [, , gap, last] } = await seen.seen();
    assert.deepEqual([gaps.map(({ reason }) => reason), gap.type, last.data], [['unknown'], 'tidings:gap', 5]);
  });

  test(`${transport}: close() ends the connection, and a wait for one`, LIMIT, async t => {
    const hub = await startHub(t);
    const page = await pageOf(t, hub);
    const seen = await open(page, '/', { ...TOPICS, transport });
    await seen.isOpen();
    assert.equal(await streams(hub), 1);
    await seen.close();
    await until('no stream', async () => await streams(hub) === 0);
    const other = await open(page, '/', { ...TOPICS, transport });
    await other.isOpen();
    await hub.kill();
    await other.until('a lost connection', ({ state }) => state !== 'open');
    await other.close();
    const kinds = asked(page);
    await hub.start();
    const third = await open(page, '/', { ...TOPICS, transport });
    await third.isOpen();
    assert.deepEqual(kinds, [transport]);
    assert.equal(await streams(hub), 1);
  });

  test(`${transport}: what is refused for good closes it, with the hub’s own words`, LIMIT, async t => {
    const hub = await startHub(t);
    const seen = await open(await pageOf(t, hub), '/', { topics: 'a//b', transport });
    await seen.until('the end', ({ state }) => state === 'closed');
    const { errors, states } = await seen.seen();
    assert.deepEqual(errors.map(({ status, code, fatal }) => [status, code, fatal]), [[400, 'invalid-topic', true]]);
    assert.equal(states.at(-1), 'closed');
  });
}

test('an EventSource where it suffices, fetch where a header is needed', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await pageOf(t, hub);
  const kinds = asked(page);
  for (const options of [{}, { headers: { 'X-Tab': '7' } }, { shared: true }]) {
    await (await open(page, '/', { ...TOPICS, ...options })).isOpen();
  }
  assert.deepEqual(kinds, ['eventsource', 'fetch', 'fetch']);
});

test('fetch: a connection lost before its first event resumes where it began', LIMIT, async t => {
  const hub = await startHub(t);
  await hub.publish('news', 'before');
  const seen = await open(await pageOf(t, hub), '/', { ...TOPICS, transport: 'fetch' });
  await seen.until('its position', ({ lastEventId }) => lastEventId !== '');
  await hub.kill();
  await seen.until('a lost connection', ({ state }) => state !== 'open');
  await hub.start();
  await hub.publish('news', 'while away');
  await seen.expectExactly(hub, 'news', ['while away']);
});

/// A proxy before the hub, which answers 502 while `broken` says so.
async function startProxy(t, hub) {
  const proxy = { broken: false, cut: () => {} };
  const server = http.createServer((request, reply) => {
    if (proxy.broken) return reply.writeHead(502, { 'Content-Type': 'text/html' }).end('no');
    const onward = http.request(`${hub.origin}${request.url}`, { method: request.method, headers: { ...request.headers, host: new URL(hub.origin).host } }, answer => {
      reply.writeHead(answer.statusCode, answer.headers);
      answer.pipe(reply);
      proxy.cut = () => reply.destroy();
    });
    onward.on('error', () => reply.destroy());
    reply.on('close', () => onward.destroy());
    return request.pipe(onward);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => { server.closeAllConnections(); server.close(); });
  proxy.origin = `http://127.0.0.1:${server.address().port}`;
  return proxy;
}

test('eventsource: where a proxy’s 502 ends it, it goes on all the same, behind the last event', LIMIT, async t => {
  const hub = await startHub(t);
  const proxy = await startProxy(t, hub);
  const page = await pageOf(t, proxy);
  const kinds = asked(page);
  const seen = await open(page, '/', TOPICS);
  await seen.isOpen();
  for (const data of numbers(1, 3)) await hub.publish('news', data);
  await seen.received(3);
  proxy.broken = true;
  proxy.cut();
  await seen.until('502', ({ errors }) => errors.some(({ status }) => status === 502));
  await hub.publish('news', '4');
  proxy.broken = false;
  await seen.received(4);
  await seen.expectExactly(hub, 'news', numbers(1, 4));
  assert.equal((await seen.seen()).gaps.length, 0);
  assert.deepEqual([...new Set(kinds)], ['eventsource', 'fetch']);
});

test('eventsource: where such an end leaves the place unknown, it says so', LIMIT, async t => {
  const hub = await startHub(t);
  const proxy = await startProxy(t, hub);
  const seen = await open(await pageOf(t, proxy), '/', TOPICS);
  await seen.isOpen();
  proxy.broken = true;
  proxy.cut();
  await seen.until('502', ({ errors }) => errors.some(({ status }) => status === 502));
  proxy.broken = false;
  await seen.isOpen();
  assert.deepEqual((await seen.seen()).gaps, [{ reason: 'unknown', since: null }]);
});

for (const transport of ['eventsource', 'fetch']) {
  test(`${transport}: a page of another origin that the hub lists resumes, and is told what is refused`, LIMIT, async t => {
    const site = await startSite(t);
    const hub = await startHub(t, { TIDINGS_CORS_ORIGINS: site });
    const page = await pageOf(t, { origin: site });
    const seen = await open(page, hub.origin, { ...TOPICS, transport, credentials: 'include' });
    await seen.isOpen();
    await hub.publish('news', '1');
    await seen.received(1);
    await hub.crash();
    await seen.expectExactly(hub, 'news', ['1']);
    const refused = await open(page, hub.origin, { topics: 'a//b', transport });
    await refused.until('the end', ({ state }) => state === 'closed');
    assert.equal((await refused.seen()).errors[0].code, 'invalid-topic');
  });
}
