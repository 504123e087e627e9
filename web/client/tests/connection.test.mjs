// How a watch goes: what each answer of a server leads to, and what it asks next.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Tidings, TidingsError } from '../dist/index.js';
import { open, serve, status, until } from './support/server.mjs';

/// A watch that notes everything, closed with the test.
function watch(t, url, options) {
  const tidings = new Tidings(url, options);
  const seen = { tidings, events: [], states: [], errors: [], gaps: [], ends: [] };
  tidings.on('*', event => seen.events.push(event));
  tidings.on('tidings:state', state => seen.states.push(state));
  tidings.on('tidings:error', error => seen.errors.push(error));
  tidings.on('tidings:gap', gap => seen.gaps.push(gap));
  tidings.on('tidings:end', end => seen.ends.push(end));
  t.after(() => tidings.close());
  return seen;
}

const data = seen => seen.events.map(event => event.data);
const QUICK = 'retry: 1\n\n';

test('it comes back behind the last event, and to where a stream without events began', async t => {
  const server = await serve(t, `${QUICK}id: 1\n\n`, `${QUICK}id: 2\ndata: a\n\nid: 3\ndata: cut off\n`, open('id: 3\ndata: b\n\n'));
  const seen = watch(t, server.url);
  await until('b', () => seen.events.length === 2);
  assert.deepEqual(data(seen), ['a', 'b']);
  assert.deepEqual(server.asked.map(({ headers }) => headers['last-event-id']), [undefined, '1', '2']);
  assert.deepEqual(seen.states, ['connecting', 'open', 'waiting', 'connecting', 'open', 'waiting', 'connecting', 'open']);
  assert.deepEqual(server.asked[0].headers.accept, 'text/event-stream');
  assert.equal(seen.tidings.lastEventId, '3');
});

test('an id that isn’t ASCII goes back as its UTF-8 bytes', async t => {
  const server = await serve(t, `${QUICK}id: … ü 🌊\ndata: a\n\n`, open(''));
  watch(t, server.url);
  await until('a second request', () => server.asked.length === 2);
  const bytes = Buffer.from(server.asked[1].headers['last-event-id'], 'latin1');
  assert.equal(bytes.toString('utf8'), '… ü 🌊');
});

test('204 ends it: no error, no other request', async t => {
  const server = await serve(t, `${QUICK}id: 1\ndata: a\n\n`, status(204));
  const seen = watch(t, server.url);
  await until('the end', () => seen.tidings.state === 'closed');
  assert.deepEqual(seen.ends, [{ topic: null }]);
  assert.deepEqual([seen.errors, seen.tidings.error, server.asked.length], [[], null, 2]);
});

const PROBLEM = { type: 'about:blank', title: 'Forbidden', detail: 'not for you', code: 'not-granted' };

for (const code of [400, 401, 403, 404, 410, 201]) {
  test(`${code} closes it for good, and is told with what the server says`, async t => {
    const answer = status(code, { 'Content-Type': 'application/problem+json' }, JSON.stringify(PROBLEM));
    const server = await serve(t, answer);
    const seen = watch(t, server.url);
    await until('the end', () => seen.tidings.state === 'closed');
    const { error } = seen.tidings;
    assert.ok(error instanceof TidingsError);
    assert.deepEqual([error.status, error.code, error.fatal], [code, 'not-granted', true]);
    assert.match(error.message, /not for you/);
    assert.deepEqual(seen.errors, [error]);
    assert.deepEqual(seen.states, ['connecting', 'closed']);
    assert.equal(server.asked.length, 1);
  });
}

// [what, options, the statuses that are answered, what becomes of it, how often it asks]
const UNAUTHORIZED = [
  ['a token that is got is got anew', { token: () => 'a' }, [401, 200], 'open', 2],
  ['so is a ticket', { ticket: () => 'a' }, [401, 200], 'open', 2],
  ['and a header', { headers: () => ({ Authorization: 'Basic YTpi' }) }, [401, 200], 'open', 2],
  ['once only', { token: () => 'a' }, [401, 401, 200], 'closed', 2],
  ['once only, whatever passes meanwhile', { token: () => 'a' }, [401, 503, 401, 200], 'closed', 3],
  ['once more for each connection', { token: () => 'a' }, [401, 'end', 401, 200], 'open', 4],
  ['what isn’t got stays what it is', { token: 'a' }, [401, 200], 'closed', 1],
  ['a right that is missing won’t come', { token: () => 'a' }, [403, 200], 'closed', 1],
];

for (const [what, options, statuses, expected, asked] of UNAUTHORIZED) {
  test(`401, ${what}: ${statuses}`, async t => {
    const server = await serve(t, ...statuses.map(code => {
      if (code === 'end') return `${QUICK}id: 1\ndata: a\n\n`;
      return code === 200 ? open('data: last\n\n') : status(code, { 'Retry-After': '0' });
    }));
    const seen = watch(t, server.url, options);
    const isThere = () => expected === 'closed' ? seen.tidings.state === 'closed' : data(seen).includes('last');
    await until(expected, isThere);
    assert.deepEqual([server.asked.length, seen.tidings.error?.status], [asked, expected === 'closed' ? statuses[asked - 1] : undefined]);
  });
}

test('what is no event stream closes it', async t => {
  const server = await serve(t, status(200, { 'Content-Type': 'text/html' }, 'data: a\n\n'));
  const seen = watch(t, server.url);
  await until('the end', () => seen.tidings.state === 'closed');
  assert.equal(seen.tidings.error.fatal, true);
  assert.deepEqual(seen.events, []);
});

for (const code of [408, 425, 429, 500, 502, 503]) {
  test(`${code} passes: it is told, and the stream asked for again`, async t => {
    const server = await serve(t, status(code, { 'Retry-After': '0' }), open('data: a\n\n'));
    const seen = watch(t, server.url);
    await until('an event', () => seen.events.length === 1);
    assert.deepEqual(seen.errors.map(({ status, fatal }) => [status, fatal]), [[code, false]]);
  });
}

test('a server that is away is asked again, with what was last known', async t => {
  const server = await serve(t, `${QUICK}id: 1\ndata: a\n\n`, reply => reply.destroy(), open('id: 2\ndata: b\n\n'));
  const seen = watch(t, server.url);
  // After the attempt that failed there is a wait of at most some milliseconds, as `retry` was 1.
  await until('b', () => seen.events.length === 2);
  assert.deepEqual(data(seen), ['a', 'b']);
  assert.equal(seen.errors.length, 1);
  assert.equal(server.asked[2].headers['last-event-id'], '1');
});

test('a connection that says nothing is given up', async t => {
  const server = await serve(t, open('retry: 1\nid: 1\ndata: a\n\n'), open('id: 2\ndata: b\n\n'));
  const seen = watch(t, server.url, { silence: 50 });
  await until('b', () => seen.events.length === 2);
  assert.match(seen.errors[0].message, /nothing came for/);
});

test('a comment in time keeps a connection', async t => {
  const server = await serve(t, reply => {
    open('id: 1\ndata: a\n\n')(reply);
    const beat = setInterval(() => reply.write(':\n'), 20);
    setTimeout(() => { clearInterval(beat); reply.end('data: b\n\n'); }, 2_500);
  }, open(''));
  // Not less: a busy machine may keep a process waiting.
  const seen = watch(t, server.url, { silence: 2_000 });
  await until('b', () => seen.events.length === 2);
  assert.deepEqual(seen.errors, []);
});

test('token, ticket and headers are got anew for each connection', async t => {
  const tickets = await serve(t, ...[1, 2, 3].map(n => status(201, {}, JSON.stringify({ ticket: `t${n}` }))));
  const server = await serve(t, QUICK + 'id: 1\n\n', QUICK + 'id: 2\n\n', open(''));
  let token = 0;
  watch(t, server.url, {
    ticket: tickets.url,
    token: async () => `secret-${token += 1}`,
    headers: () => ({ 'X-Tab': 'seven' }),
  });
  await until('three requests', () => server.asked.length === 3);
  assert.deepEqual(server.asked.map(({ url }) => url), ['/stream?ticket=t1', '/stream?ticket=t2', '/stream?ticket=t3']);
  assert.deepEqual(tickets.asked.map(({ method, headers }) => [method, headers.authorization]), [1, 2, 3].map(n => ['POST', `Bearer secret-${n}`]));
  assert.deepEqual(server.asked.map(({ headers }) => [headers.authorization, headers['x-tab']]), Array(3).fill([undefined, 'seven']));
});

test('a token goes into the header of each request', async t => {
  const server = await serve(t, QUICK + 'id: 1\n\n', open(''));
  watch(t, server.url, { token: 'abc' });
  await until('two requests', () => server.asked.length === 2);
  assert.deepEqual(server.asked.map(({ headers }) => headers.authorization), ['Bearer abc', 'Bearer abc']);
});

test('a ticket that is refused closes it; one that can’t be got now is asked for again', async t => {
  const tickets = await serve(t, status(503), status(401, {}, JSON.stringify({ code: 'invalid-token' })));
  const server = await serve(t, open(''));
  const seen = watch(t, server.url, { ticket: new URL(tickets.url) });
  await until('the end', () => seen.tidings.state === 'closed');
  assert.deepEqual(seen.errors.map(({ status, code, fatal }) => [status, code, fatal]), [[503, null, false], [401, 'invalid-token', true]]);
  assert.equal(server.asked.length, 0);
});

test('a function that fails is asked again', async t => {
  const server = await serve(t, open('data: a\n\n'));
  let asked = 0;
  const seen = watch(t, server.url, {
    token: () => {
      asked += 1;
      if (asked === 1) throw new Error('no token yet');
      return 'abc';
    },
  });
  await until('an event', () => seen.events.length === 1);
  assert.deepEqual(seen.errors.map(({ message }) => message), ['no token yet']);
});

test('topics make the URL of a hub’s stream; since is for the first connection alone', async t => {
  const server = await serve(t, QUICK + 'id: 1\n\n', open(''));
  watch(t, new URL('/', server.url), { topics: ['orders/*', 'a&b'], since: '10m', presence: true, as: 'Ann' });
  await until('two requests', () => server.asked.length === 2);
  const rest = 'topic=orders%2F*&topic=a%26b&envelope=json&presence=1&as=Ann';
  assert.deepEqual(server.asked.map(({ url }) => url), [`/events?${rest}&since=10m`, `/events?${rest}`]);
});

test('envelopes are opened; the hub’s own events are told by their names', async t => {
  const envelope = { topic: 'orders/7', event: 'price', id: 'x', time: '2026-01-01T00:00:00.000Z', data: '{"amount":3}' };
  const server = await serve(t, open([
    `id: x\ndata: ${JSON.stringify(envelope)}\n\n`,
    'id: y\nevent: tidings:gap\ndata: {"reason":"expired","since":"y"}\n\n',
    'id: z\nevent: tidings:end\ndata: {"topic":"orders/7"}\n\n',
    'event: tidings:connection\ndata: {"id":"1"}\n\n',
    'data: no envelope\n\n',
  ].join('')));
  const seen = watch(t, server.url, { envelope: true, decode: text => text.toUpperCase() });
  const byTopic = [];
  seen.tidings.onTopic('orders/*', event => byTopic.push(event.type));
  seen.tidings.onTopic('*', event => byTopic.push(`wrong: ${event.type}`));
  await until('all', () => seen.events.length === 2);
  assert.deepEqual(seen.events[0], { type: 'price', topic: 'orders/7', id: 'x', time: envelope.time, data: '{"AMOUNT":3}' });
  assert.deepEqual(seen.events[1], { type: 'message', topic: null, id: null, time: null, data: 'NO ENVELOPE' });
  assert.deepEqual(seen.gaps, [{ reason: 'expired', since: 'y' }]);
  assert.deepEqual(seen.ends, [{ topic: 'orders/7' }]);
  assert.deepEqual(byTopic, ['price']);
});

const END = '{"topic":"a"}';
const ENVELOPE = JSON.stringify({ topic: 'a', event: 'tidings:end', id: '1', time: '2026-01-01T00:00:00.000Z', data: END });

for (const [how, block] of [['plain', `event: tidings:end\ndata: ${END}`], ['in an envelope', `data: ${ENVELOPE}`]]) {
  test(`behind the end of what is watched (${how}) there is no wait`, async t => {
    const server = await serve(t, `retry: 3600000\nid: 1\n${block}\n\n`, status(204));
    const seen = watch(t, server.url, { envelope: true });
    await until('the end', () => seen.tidings.state === 'closed');
    assert.deepEqual([seen.ends, seen.events], [[{ topic: 'a' }, { topic: null }], []]);
    assert.equal(server.asked[1].headers['last-event-id'], '1');
  });
}

test('data that can’t be decoded is told, and the next event comes', async t => {
  const server = await serve(t, open('data: {\n\nevent: n\ndata: 1\n\n'));
  const seen = watch(t, server.url, { decode: 'json' });
  await until('an event', () => seen.events.length === 1);
  assert.deepEqual(seen.events[0].data, 1);
  assert.deepEqual(seen.errors.map(({ code, fatal }) => [code, fatal]), [['undecodable', false]]);
});

test('b5_close_in_a_handler_stops_what_came_with_it', async t => {
  const server = await serve(t, open('data: a\n\ndata: b\n\n'));
  const seen = watch(t, server.url);
  seen.tidings.on('*', () => seen.tidings.close());
  await until('the end', () => seen.tidings.state === 'closed');
  assert.deepEqual(data(seen), ['a']);
});

test('a handler that throws keeps nobody from being called', async t => {
  const complaints = t.mock.method(console, 'error', () => {});
  const server = await serve(t, open('data: a\n\ndata: b\n\n'));
  const tidings = new Tidings(server.url);
  t.after(() => tidings.close());
  const seen = [];
  tidings.on('message', () => { throw new Error('mine'); });
  const end = tidings.on('message', event => { seen.push(event.data); end(); });
  tidings.on('*', event => seen.push(event.data));
  await until('both', () => seen.length === 3);
  assert.deepEqual(seen, ['a', 'a', 'b']);
  assert.equal(complaints.mock.callCount(), 2);
});

test('close() before it begins asks for nothing; afterwards it frees connection, timers and listeners', async t => {
  const server = await serve(t, open(QUICK));
  new Tidings(server.url).close();
  const added = t.mock.fn();
  const removed = t.mock.fn();
  globalThis.addEventListener = added;
  globalThis.removeEventListener = removed;
  t.after(() => { delete globalThis.addEventListener; delete globalThis.removeEventListener; });
  const timers = () => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length;
  const before = timers();
  const open1 = watch(t, server.url);
  await until('a connection', () => open1.tidings.state === 'open');
  const connections = () => new Promise(resolve => server.server.getConnections((_, count) => resolve(count)));
  assert.equal(await connections(), 1);
  open1.tidings.close();
  await until('no connection', async () => await connections() === 0);
  const waiting = watch(t, 'http://127.0.0.1:1/');
  await until('a wait', () => waiting.tidings.state === 'waiting');
  await until('a listener', () => added.mock.callCount() === 1);
  waiting.tidings.close();
  assert.equal(removed.mock.callCount(), 1);
  assert.deepEqual(removed.mock.calls[0].arguments, added.mock.calls[0].arguments);
  await until('no timers', () => timers() <= before);
  assert.equal(server.asked.length, 1);
});

for (const state of ['connecting', 'open', 'waiting']) {
  test(`close() in the handler of '${state}' is the end: no request, no timer`, async t => {
    const server = await serve(t, QUICK + 'id: 1\n\n');
    const seen = watch(t, server.url);
    const timers = () => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length;
    const before = timers();
    let closed = false;
    seen.tidings.on('tidings:state', now => {
      if (now !== state) return;
      seen.tidings.close();
      closed = true;
    });
    await until('the end', () => closed);
    await until('no timers', () => timers() <= before);
    assert.equal(server.asked.length, state === 'connecting' ? 0 : 1);
  });
}

test('coming online ends the wait', async t => {
  let online;
  globalThis.addEventListener = (type, listener) => { if (type === 'online') online = listener; };
  globalThis.removeEventListener = () => {};
  t.after(() => { delete globalThis.addEventListener; delete globalThis.removeEventListener; });
  const server = await serve(t, 'retry: 3600000\nid: 1\ndata: a\n\n', open('data: b\n\n'));
  const seen = watch(t, server.url);
  await until('a wait', () => online);
  online();
  await until('b', () => seen.events.length === 2);
});

test('a URL that is none is refused at once', () => {
  assert.throws(() => new Tidings('http://'), TypeError);
});
