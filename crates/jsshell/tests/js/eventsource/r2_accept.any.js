promise_test(async (t) => {
  const source = open(t, stream(echo('accept'), end));
  assert_equals((await once(source, 'message')).data, 'text/event-stream');
}, 'r2: Accept: text/event-stream');
