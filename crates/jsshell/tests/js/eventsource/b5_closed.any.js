promise_test(async (t) => {
  const own = newKey();
  const source = open(t, stream(body('data:1\n\ndata:2\n\ndata:3\n\n'), hold, key(own)));
  const seen = [];
  source.onmessage = (event) => {
    seen.push(event.data);
    source.close();
  };
  source.onerror = t.unreached_func('an error after close()');
  await closed(own);
  assert_same(seen, ['1']);
}, 'b5: close() in a handler stops the events that came with it');
promise_test(async (t) => {
  const own = newKey();
  const source = open(t, stream(body('data:1\n\n'), hold, key(own)));
  source.onopen = () => source.close();
  source.onmessage = t.unreached_func('an event after close()');
  await closed(own);
}, 'b5: so it does in onopen');
