promise_test(async (t) => {
  const source = open(t, stream(body('id:7\ndata:x\n\n'), end));
  const event = await once(source, 'message');
  assert_true(event instanceof MessageEvent);
  assert_equals(event.type, 'message');
  assert_equals(event.data, 'x');
  assert_equals(event.origin, location.origin);
  assert_equals(event.lastEventId, '7');
  assert_equals(event.source, null);
  assert_equals(event.ports.length, 0);
  assert_equals(event.target, source);
}, 'b4: what an event has');
promise_test(async (t) => {
  const target = `${elsewhere}${stream(allow, body('data:x\n\n'), end)}`;
  const source = open(t, serve(status(302), header(`Location: ${target}`), allow));
  const event = await once(source, 'message');
  assert_equals(event.origin, elsewhere);
  assert_true(source.url.startsWith(here));
}, 'b4: the origin is that of the URL behind redirects');
gives('b4: type and data are clear again', ['event:a\ndata:1\n\ndata:2\n\n'],
  [['a', '1', ''], ['message', '2', '']], 'a');
