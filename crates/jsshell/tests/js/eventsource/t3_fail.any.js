promise_test(async (t) => {
  const own = newKey();
  const url = stream(body('retry:1\ndata:x\n\n'), next, status(204), key(own));
  const source = open(t, url);
  const states = [];
  source.onerror = () => states.push(source.readyState);
  await once(source, 'error');
  await once(source, 'error');
  assert_same(states, [EventSource.CONNECTING, EventSource.CLOSED]);
  await once(open(t, stream(body('retry:5\n'), next, type(), end, key(newKey()))), 'end');
  assert_equals((await requests(own)).length, 2);
  assert_equals(states.length, 2);
}, 't3: CLOSED, one error, and no other attempt');
