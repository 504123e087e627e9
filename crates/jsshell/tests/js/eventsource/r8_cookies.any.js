promise_test(async (t) => {
  const url = stream(header('Set-Cookie: seen=first; Path=/'), body('retry:1\n'), next, type(),
    echo('cookie'), end, key(newKey()));
  assert_same((await untilEnd(open(t, url))).map(([, data]) => data), ['seen=first']);
}, 'r8: a cookie that a stream sets is sent back');
promise_test(async (t) => {
  const url = `${elsewhere}${stream(allow, header('Set-Cookie: other=1; Path=/'),
    body('retry:1\n'), next, type(), allow, echo('cookie'), end, key(newKey()))}`;
  assert_same((await untilEnd(open(t, url))).map(([, data]) => data), ['(none)']);
}, 'r8: nor set nor sent without credentials');
promise_test(async (t) => {
  const target = `${elsewhere}${stream(allow, echo('cookie'), end)}`;
  const url = serve(status(302), header(`Location: ${target}`), allow);
  await fetch(`${elsewhere}${serve(allow, header('Set-Cookie: hop=1; Path=/'))}`, { credentials: 'include' });
  assert_equals((await once(open(t, url), 'message')).data, '(none)');
  assert_equals((await once(open(t, url, { withCredentials: true }), 'message')).data, 'hop=1');
}, 'r8: the same behind a redirect');
