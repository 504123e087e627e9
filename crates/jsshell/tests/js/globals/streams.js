const listOf = async (readable) => {
  const all = [];
  for await (const chunk of readable) all.push(chunk);
  return all;
};
const readableOf = (...chunks) => new ReadableStream({
  start(controller) {
    for (const chunk of chunks) controller.enqueue(chunk);
    controller.close();
  },
});
promise_test(async () => {
  let pulls = 0;
  const readable = new ReadableStream({
    pull(controller) {
      pulls += 1;
      controller.enqueue(pulls);
      if (pulls === 3) controller.close();
    },
  }, { highWaterMark: 0 });
  await null;
  assert_equals(pulls, 0);
  assert_same(await listOf(readable), [1, 2, 3]);
  assert_false(readable.locked);
}, 'pulled as it is read');
promise_test(async () => {
  const readable = readableOf('a', 'b');
  const reader = readable.getReader();
  assert_true(readable.locked);
  assert_throws(TypeError, () => readable.getReader());
  await assert_rejects(TypeError, readable.cancel());
  assert_same(await reader.read(), { value: 'a', done: false });
  reader.releaseLock();
  await assert_rejects(TypeError, reader.read());
  const other = readable.getReader();
  assert_same(await other.read(), { value: 'b', done: false });
  assert_equals((await other.read()).done, true);
  await other.closed;
}, 'readers and locks');
promise_test(async () => {
  const error = new Error('of the source');
  const failing = new ReadableStream({ pull() { throw error; } });
  await assert_rejects(error, failing.getReader().read());
  const starting = () => new ReadableStream({ start() { throw error; } });
  assert_throws(error, starting);
  let reason;
  const canceled = new ReadableStream({ cancel(why) { reason = why; } });
  await canceled.cancel('why');
  assert_equals(reason, 'why');
  assert_equals((await canceled.getReader().read()).done, true);
}, 'errors and cancellation');
promise_test(async () => {
  const [one, two] = readableOf('a', 'b').tee();
  assert_same([await listOf(one), await listOf(two)], [['a', 'b'], ['a', 'b']]);
}, 'tee');
promise_test(async () => {
  let canceled = false;
  const endless = new ReadableStream({
    pull(controller) { controller.enqueue(1); },
    cancel() { canceled = true; },
  });
  for await (const chunk of endless) if (chunk) break;
  assert_true(canceled);
  assert_same(await listOf(ReadableStream.from(['x', 'y'])), ['x', 'y']);
}, 'leaving an iteration cancels; from()');
promise_test(async () => {
  const written = [];
  const writable = new WritableStream({ write(chunk) { written.push(chunk); }, close() { written.push('end'); } });
  await readableOf(1, 2).pipeTo(writable);
  assert_same(written, [1, 2, 'end']);
  const error = new Error('of the sink');
  const failing = new WritableStream({ write() { throw error; } });
  await assert_rejects(error, readableOf(1, 2, 3).pipeTo(failing));
  let aborted;
  const broken = new ReadableStream({ start(controller) { controller.error(error); } });
  await assert_rejects(error, broken.pipeTo(new WritableStream({ abort(why) { aborted = why; } })));
  assert_equals(aborted, error);
  const controller = new AbortController();
  const endless = new ReadableStream({});
  const piping = endless.pipeTo(new WritableStream(), { signal: controller.signal });
  controller.abort();
  await assert_rejects('AbortError', piping);
}, 'pipeTo');
promise_test(async () => {
  const steps = [];
  let finish;
  const writer = new WritableStream({
    write(chunk) {
      steps.push(chunk);
      return new Promise((resolve) => { finish = resolve; });
    },
  }).getWriter();
  assert_equals(writer.desiredSize, 1);
  const first = writer.write('a');
  assert_equals(writer.desiredSize, 0);
  await null;
  finish();
  await first;
  await writer.ready;
  assert_equals(writer.desiredSize, 1);
  await writer.close();
  await writer.closed;
  await assert_rejects(TypeError, writer.write('b'));
  assert_same(steps, ['a']);
}, 'writers and backpressure');
promise_test(async () => {
  const double = new TransformStream({
    transform(chunk, controller) {
      controller.enqueue(chunk);
      controller.enqueue(chunk * 2);
    },
    flush(controller) { controller.enqueue('end'); },
  });
  assert_same(await listOf(readableOf(1, 2, 3).pipeThrough(double)), [1, 2, 2, 4, 3, 6, 'end']);
  assert_same(await listOf(readableOf(1).pipeThrough(new TransformStream())), [1]);
  const stopping = new TransformStream({ transform(chunk, controller) { controller.terminate(); } });
  assert_same(await listOf(readableOf(1, 2).pipeThrough(stopping)), []);
  const error = new Error('of the transformer');
  const failing = new TransformStream({ transform() { throw error; } });
  await assert_rejects(error, listOf(readableOf(1).pipeThrough(failing)));
}, 'TransformStream');
promise_test(async () => {
  const bytes = new TextEncoder().encode('aé');
  const pieces = readableOf(...[...bytes].map((byte) => new Uint8Array([byte])));
  assert_equals((await listOf(pieces.pipeThrough(new TextDecoderStream()))).join(''), 'aé');
  const encoded = await listOf(readableOf('a\ud83d', '\ude00').pipeThrough(new TextEncoderStream()));
  assert_equals(encoded.map((chunk) => new TextDecoder().decode(chunk)).join(''), 'a😀');
}, 'TextDecoderStream and TextEncoderStream');
promise_test(async () => {
  const readable = new ReadableStream({
    type: 'bytes',
    start(controller) {
      controller.enqueue(new Uint16Array([1]));
      assert_throws(TypeError, () => controller.enqueue('text'));
      controller.close();
    },
  });
  assert_same((await listOf(readable)).map((chunk) => chunk.length), [2]);
}, 'byte streams');
promise_test(async () => {
  const blob = new Blob(['aé', new Uint8Array([98]), new Blob(['c'])], { type: 'Text/Plain' });
  assert_same([blob.size, blob.type, await blob.text()], [5, 'text/plain', 'aébc']);
  assert_same((await listOf(blob.stream())).map((chunk) => chunk.length), [5]);
  assert_equals(await blob.slice(3).text(), 'bc');
  assert_equals(await (await new Response(blob).blob()).text(), 'aébc');
  assert_throws(TypeError, () => new Blob('text'));
}, 'Blob');
