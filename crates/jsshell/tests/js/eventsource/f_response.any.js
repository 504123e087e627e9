// The response decision table.
const fails = (name, url) => promise_test(async (t) => {
  assert_equals(await stateAfterError(t, url), EventSource.CLOSED);
}, `f: ${name}`);

for (const code of [201, 202, 204, 205, 206, 210, 299, 400, 401, 403, 404, 408, 410, 429, 500, 502, 503, 504]) {
  fails(`${code} fails`, stream(status(code), end));
}
promise_test(async (t) => {
  const own = newKey();
  const source = open(t, stream(status(503), key(own), header('Retry-After: 0'), next, type(), end));
  source.addEventListener('end', t.unreached_func('another attempt'));
  await once(source, 'error');
  await once(open(t, stream(body('retry:5\n'), next, type(), end, key(newKey()))), 'end');
  assert_equals((await requests(own)).length, 1);
}, 'f: what has failed is never tried again, 503 either');

for (const wrong of ['text/plain', 'text/html', 'text/event-stream2', 'text/x event-stream',
  'application/json', 'text/', 'event-stream', '', 'text/event-stream,text/plain']) {
  fails(`the type ${JSON.stringify(wrong)} fails`, serve(type(wrong), end));
}
fails('no type fails', serve(end));
for (const right of ['text/event-stream', 'Text/Event-Stream', 'text/event-stream;',
  'text/event-stream;charset=utf-8', 'text/event-stream; x="y;z"', ' text/event-stream ',
  'text/event-stream;charset=windows-1252']) {
  promise_test(async (t) => {
    await once(open(t, serve(type(right), end)), 'end');
  }, `f: the type ${JSON.stringify(right)} is an event stream`);
}

for (const url of ['ftp://page.test/x', 'about:blank', 'mailto:a@page.test', 'javascript:1']) {
  fails(`${url} is futile`, url);
}

const reconnects = (name, ...steps) => promise_test(async (t) => {
  const url = serve(...steps, next, type(), end, key(newKey()));
  const source = open(t, url);
  const states = [];
  source.onerror = () => states.push(source.readyState);
  await once(source, 'end');
  assert_same(states, [EventSource.CONNECTING]);
}, `f: ${name} reconnects`);

reconnects('a clean end', type(), body('retry:1\n'));
reconnects('a connection that breaks', type(), body('retry:1\n'), cut);
promise_test(async (t) => {
  const url = stream(body('retry:1\n'), next, drop, next, type(), end, key(newKey()));
  const source = open(t, url);
  const states = [];
  source.onerror = () => states.push(source.readyState);
  await once(source, 'end');
  // The second is the connection that ended before a response.
  assert_same(states, [EventSource.CONNECTING, EventSource.CONNECTING]);
}, 'f: no response at all reconnects');
