for (const [url, expected] of [
  ['', location.href],
  ['x?y', `${here}/dir/x?y`],
  ['/x', `${here}/x`],
  ['//other.test/x', 'http://other.test/x'],
  ['http://A.test:80/../x', 'http://a.test/x'],
  ['x y', `${here}/dir/x%20y`],
  [null, `${here}/dir/null`],
  [undefined, `${here}/dir/undefined`],
  [1, `${here}/dir/1`],
  [{ toString: () => '/object' }, `${here}/object`],
  [new URL('http://a.test/x'), 'http://a.test/x'],
  ['\ud800', `${here}/dir/%EF%BF%BD`],
]) {
  test((t) => {
    assert_equals(open(t, url).url, expected);
  }, `a1: the URL ${JSON.stringify(String(url))}`);
}
test(() => {
  for (const url of ['http://', 'http://a b/', 'http://[/', '//x:99999/']) {
    assert_throws('SyntaxError', () => new EventSource(url), url);
  }
}, 'a1: what is no URL throws at once');
test(() => {
  assert_throws(TypeError, () => new EventSource());
  assert_throws(TypeError, () => new EventSource(Symbol()));
  assert_throws(TypeError, () => new EventSource('x', 1));
  const error = new RangeError('of the URL');
  assert_throws(error, () => new EventSource({ toString() { throw error; } }));
}, 'a1: arguments that cannot be converted');
test((t) => {
  for (const [init, expected] of [
    [undefined, false], [null, false], [{}, false],
    [{ withCredentials: undefined }, false], [{ withCredentials: true }, true],
    [{ withCredentials: 'x' }, true], [{ withCredentials: 0 }, false],
    [{ get withCredentials() { return 1; } }, true],
  ]) {
    assert_equals(open(t, '/x', init).withCredentials, expected);
  }
}, 'a1: withCredentials');
