const encoder = new TextEncoder();
// A ReadableStream, and what to put into it.
function feed() {
  let controller;
  let canceled;
  const readable = new ReadableStream({
    start(own) { controller = own; },
    cancel(reason) { canceled?.(reason); },
  });
  return {
    readable,
    put: (text) => controller.enqueue(encoder.encode(text)),
    putRaw: (chunk) => controller.enqueue(chunk),
    close: () => controller.close(),
    error: (reason) => controller.error(reason),
    canceled: new Promise((resolve) => { canceled = resolve; }),
  };
}
const from = (t, readable) => {
  const source = EventSource.fromReadableStream(readable);
  t.add_cleanup(() => source.close());
  return source;
};

promise_test(async (t) => {
  const { readable, put } = feed();
  const source = from(t, readable);
  assert_true(source instanceof EventSource);
  assert_equals(source.url, 'about:event-stream');
  assert_false(source.withCredentials);
  assert_equals(source.readyState, EventSource.CONNECTING);
  assert_true(readable.locked);
  await once(source, 'open');
  assert_equals(source.readyState, EventSource.OPEN);
  put('id:7\ndata:x\n\n');
  const event = await once(source, 'message');
  assert_equals(event.data, 'x');
  assert_equals(event.origin, 'null');
  assert_equals(event.lastEventId, '7');
  assert_true(event.isTrusted);
}, 'p1: events of a stream');
test(() => {
  const { readable } = feed();
  readable.getReader();
  assert_throws(TypeError, () => EventSource.fromReadableStream(readable), 'locked');
  for (const value of [undefined, null, 'x', {}, new TransformStream().writable]) {
    assert_throws(TypeError, () => EventSource.fromReadableStream(value));
  }
  assert_throws(TypeError, () => EventSource.fromReadableStream());
}, 'p1: what is no stream, and a locked one');
for (const [name, finish] of [
  ['the end', ({ close }) => close()],
  ['an error', ({ error }) => error(new Error('of the stream'))],
  ['a chunk that is no bytes', ({ putRaw }) => putRaw('data:x\n\n')],
]) {
  promise_test(async (t) => {
    const own = feed();
    const source = from(t, own.readable);
    own.put('data:x\n\ndata:lost');
    await once(source, 'message');
    finish(own);
    const error = await once(source, 'error');
    assert_false('data' in error);
    assert_equals(source.readyState, EventSource.CLOSED);
  }, `p1: ${name} fails, and never reconnects`);
}
promise_test(async (t) => {
  const own = feed();
  const source = from(t, own.readable);
  assert_equals(source.lastEventId, '');
  assert_true(source.reconnectionTime > 0);
  own.put('id:1\nretry:5\n\nevent:end\ndata\n\nid:2\n');
  await once(source, 'end');
  assert_equals(source.lastEventId, '1');
  assert_equals(source.reconnectionTime, 5);
}, 'p1: lastEventId and reconnectionTime');
promise_test(async (t) => {
  const own = feed();
  const source = from(t, own.readable);
  own.put('data:1\n\ndata:lost\nevent:lost\n');
  await once(source, 'message');
  source.reset();
  await new Promise((resolve) => setTimeout(resolve));
  own.put('data:2\n\n');
  assert_equals((await once(source, 'message')).data, '2');
}, 'p1: reset() drops what of an event has come');
promise_test(async (t) => {
  const own = feed();
  const source = from(t, own.readable);
  await once(source, 'open');
  source.onerror = t.unreached_func('an error');
  source.close();
  assert_equals(source.readyState, EventSource.CLOSED);
  await own.canceled;
}, 'p1: close() cancels the stream and fires nothing');
promise_test(async (t) => {
  const own = feed();
  const source = from(t, own.readable);
  const seen = untilEnd(source);
  for (const byte of encoder.encode('\ufeffdata:ok…\r\n\r\nevent:end\ndata\r\r')) {
    own.putRaw(new Uint8Array([byte]));
  }
  assert_same(await seen, [['message', 'ok…', '']]);
}, 'p1: byte by byte');
promise_test(async (t) => {
  const { body: readable } = await fetch(stream(body('data:x\n\n'), hold), { method: 'POST' });
  const source = from(t, readable);
  assert_equals((await once(source, 'message')).data, 'x');
}, 'p1: the body of a fetch');
promise_test(async (t) => {
  const source = from(t, new Blob(['data:x\n\nevent:end\ndata\n\n']).stream());
  const seen = untilEnd(source);
  const error = once(source, 'error');
  assert_same(await seen, [['message', 'x', '']]);
  await error;
  assert_equals(source.readyState, EventSource.CLOSED);
}, 'p1: a stream that is over already');
promise_test(async (t) => {
  const own = feed();
  const source = from(t, own.readable);
  own.putRaw(new Uint8Array(0));
  own.putRaw(encoder.encode('data:x\n').buffer);
  own.putRaw(new DataView(encoder.encode('\n').buffer));
  assert_equals((await once(source, 'message')).data, 'x');
}, 'p1: chunks are empty, buffers or views');
promise_test(async (t) => {
  const { readable, writable } = new TransformStream({
    transform: (chunk, controller) => controller.enqueue(encoder.encode(`data:${chunk}\n\n`)),
  });
  const source = from(t, readable);
  const message = once(source, 'message');
  await writable.getWriter().write('x');
  assert_equals((await message).data, 'x');
}, 'p1: behind a transform');
