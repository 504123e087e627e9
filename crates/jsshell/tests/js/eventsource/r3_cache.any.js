promise_test(async (t) => {
  const source = open(t, stream(echo('cache-control'), end));
  assert_equals((await once(source, 'message')).data, 'no-cache');
}, 'r3: Cache-Control: no-cache');
