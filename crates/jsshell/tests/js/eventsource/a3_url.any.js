promise_test(async (t) => {
  const url = serve(status(301), header(`Location: ${stream(end)}`));
  const source = open(t, url);
  assert_equals(source.url, here + url);
  await once(source, 'end');
  assert_equals(source.url, here + url);
}, 'a3: url is where it was made for, not where it was redirected to');
test((t) => {
  const source = open(t, '/x');
  source.url = 'other';
  assert_equals(source.url, `${here}/x`);
}, 'a3: url is read-only');
