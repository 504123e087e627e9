gives('f5: event sets the type', ['event:a\ndata:1\n\ndata:2\n\n'],
  [['a', '1', ''], ['message', '2', '']], 'a');
gives('f5: the last one holds', ['event:a\nevent:b\ndata:1\n\n'], [['b', '1', '']], 'a', 'b');
gives('f5: an empty one resets', ['event:a\nevent:\ndata:1\n\n'], [['message', '1', '']], 'a');
gives('f5: a type does not outlive its block', ['event:a\n\ndata:1\n\n'], [['message', '1', '']], 'a');
promise_test(async (t) => {
  const source = open(t, stream(body('event:error\ndata:3\n\n'), end));
  const event = await once(source, 'error');
  assert_equals(event.data, '3');
  assert_equals(source.readyState, EventSource.OPEN);
}, 'f5: an event that a server names error carries data');
