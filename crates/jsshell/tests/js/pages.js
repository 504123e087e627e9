// What test pages share: URLs of the server in tests/support, and waiting.
'use strict';

const here = location.origin;
const otherPort = new URLSearchParams(location.search).get('other');
// Another host, and the page's host on another port.
const elsewhere = here.replace('page.test', 'other.test');
const nextDoor = `http://page.test:${otherPort}`;

let keys = 0;
const newKey = () => `key${++keys}`;

// The steps of tests/support/steps.rs.
const percent = (value) => encodeURIComponent(value).replace(/'/g, '%27');
const step = (name) => (value = '1') => `${name}=${percent(String(value))}`;
const [status, header, body, echo, wait, key] =
  ['status', 'header', 'body', 'echo', 'wait', 'key'].map(step);
const [allow, hold, cut, drop, next] = ['allow', 'hold', 'cut', 'drop', 'next'].map((name) => `${name}=1`);
const bytes = (...all) =>
  `body=${all.map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')}`;
const type = (value = 'text/event-stream') => header(`Content-Type: ${value}`);

const serve = (...steps) => `/serve?${steps.join('&')}`;
// The usual response, before what is special about it.
const stream = (...steps) => serve(type(), ...steps);

const control = async (path) => (await fetch(`${here}${path}`)).json();
const requests = (name) => control(`/log?key=${name}`);
const release = (name) => control(`/release?name=${name}`);
const closed = (name) => control(`/closed?key=${name}`);

// An EventSource that is closed when the test is over.
function open(t, url, init) {
  const source = new EventSource(url, init);
  t.add_cleanup(() => source.close());
  return source;
}

const once = (target, name) =>
  new Promise((resolve) => target.addEventListener(name, resolve, { once: true }));

// The events of these types, up to the first of type `end`, as [type, data, id].
function untilEnd(source, ...types) {
  return new Promise((resolve) => {
    const events = [];
    for (const name of ['message', ...types]) {
      source.addEventListener(name, (event) => {
        events.push([event.type, event.data, event.lastEventId]);
      });
    }
    source.addEventListener('end', () => resolve(events));
  });
}

const end = body('event:end\ndata\n\n');

// What a stream of these chunks gives: each a text, or what bytes() made.
async function eventsOf(t, chunks, ...types) {
  const all = chunks.map((chunk) => (chunk.startsWith('body=') ? chunk : body(chunk)));
  const source = open(t, stream(...all, end));
  const events = await untilEnd(source, ...types);
  source.close();
  return events;
}

// One test: what these chunks give, as [type, data, id].
function gives(name, chunks, expected, ...types) {
  promise_test(async (t) => {
    assert_same(await eventsOf(t, chunks, ...types), expected);
  }, name);
}

// The readyState once the EventSource has failed or is to reconnect.
async function stateAfterError(t, url, init) {
  const source = open(t, url, init);
  const event = await once(source, 'error');
  assert_false(Object.hasOwn(event, 'data'), 'an error event has no data');
  assert_false('data' in event);
  return source.readyState;
}
