const to = (code, url, ...steps) => serve(status(code), header(`Location: ${url}`), ...steps);
for (const code of [301, 302, 303, 307, 308]) {
  promise_test(async (t) => {
    await once(open(t, to(code, stream(end))), 'end');
  }, `r7: ${code} is followed`);
}
for (const code of [300, 304, 305, 306]) {
  promise_test(async (t) => {
    assert_equals(await stateAfterError(t, to(code, stream(end))), EventSource.CLOSED);
  }, `r7: ${code} is not`);
}
promise_test(async (t) => {
  let url = stream(end);
  for (let hop = 0; hop < 3; hop += 1) url = to(302, url);
  await once(open(t, url), 'end');
}, 'r7: several in a row');
promise_test(async (t) => {
  await once(open(t, '/hops?n=20'), 'end');
  assert_equals(await stateAfterError(t, '/hops?n=21'), EventSource.CLOSED);
}, 'r7: 20 are followed, 21 are not');
for (const location of ['', 'http://[', 'ftp://page.test/x', 'javascript:1']) {
  promise_test(async (t) => {
    assert_equals(await stateAfterError(t, to(302, location)), EventSource.CLOSED);
  }, `r7: a Location that cannot be followed: ${JSON.stringify(location)}`);
}
promise_test(async (t) => {
  assert_equals(await stateAfterError(t, serve(status(302))), EventSource.CLOSED);
}, 'r7: no Location');
