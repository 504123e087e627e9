promise_test(async (t) => {
  const own = newKey();
  const source = open(t, stream(body('data:x\n\n'), hold, key(own)));
  await once(source, 'message');
  source.onerror = t.unreached_func('an error');
  source.close();
  source.close();
  assert_equals(source.readyState, EventSource.CLOSED);
  await closed(own);
}, 'a6: close() aborts the fetch, fires nothing, and may be called twice');
promise_test(async (t) => {
  const own = newKey();
  const source = open(t, stream(body('retry:1\n'), next, hold, key(own)));
  await once(source, 'error');
  assert_equals(source.readyState, EventSource.CONNECTING);
  source.close();
  // Longer than the wait that was cut short: a later request tells.
  await once(open(t, stream(body('retry:5\n'), next, type(), end, key(newKey()))), 'end');
  assert_equals((await requests(own)).length, 1);
}, 'a6: close() cancels a reconnect');
promise_test(async (t) => {
  const own = newKey();
  const source = new EventSource(stream(hold, key(own)));
  source.onerror = t.unreached_func('an error');
  source.onopen = t.unreached_func('open');
  source.close();
  assert_equals(source.readyState, EventSource.CLOSED);
  await new Promise((resolve) => setTimeout(resolve, 10));
}, 'a6: close() before the response');
promise_test(async (t) => {
  const own = newKey();
  const source = open(t, stream(hold, key(own)));
  await once(source, 'open');
  const states = [];
  source.onerror = () => states.push(source.readyState);
  stop();
  await once(source, 'error');
  assert_same(states, [EventSource.CLOSED]);
  await closed(own);
}, 'a6: a page that is stopped aborts it, too, and says so');
