test(() => {
  const url = new URL('../x?a=1#h', 'http://user:pw@Host.test:8080/a/b/c');
  assert_equals(url.href, 'http://user:pw@host.test:8080/a/x?a=1#h');
  assert_same([url.origin, url.protocol, url.username, url.password, url.host, url.hostname, url.port],
    ['http://host.test:8080', 'http:', 'user', 'pw', 'host.test:8080', 'host.test', '8080']);
  assert_same([url.pathname, url.search, url.hash], ['/a/x', '?a=1', '#h']);
  url.port = '';
  url.pathname = 'y';
  url.searchParams.append('b', 'ü &');
  assert_equals(url.search, '?a=1&b=%C3%BC+%26');
  url.search = '?c=2';
  assert_equals(url.searchParams.get('c'), '2');
  assert_equals(JSON.stringify(url), '"http://user:pw@host.test/y?c=2#h"');
  url.protocol = 'nonsense:';
  assert_equals(url.protocol, 'http:');
}, 'URL');
test(() => {
  assert_throws(TypeError, () => new URL('x'));
  assert_throws(TypeError, () => new URL('http://['));
  assert_throws(TypeError, () => URL('http://a'));
  assert_false(URL.canParse('x'));
  assert_equals(URL.parse('x'), null);
  assert_equals(URL.parse('x', 'http://a').href, 'http://a/x');
  assert_equals(new URL('http://élève.test').host, 'xn--lve-6lad.test');
}, 'what is no URL');
test(() => {
  const params = new URLSearchParams('?b=2&a=1&b=3&c');
  assert_same([params.get('b'), params.getAll('b'), params.has('c'), params.get('x'), params.size],
    ['2', ['2', '3'], true, null, 4]);
  params.set('b', '4');
  params.delete('c');
  params.sort();
  assert_equals(String(params), 'a=1&b=4');
  assert_same([...params], [['a', '1'], ['b', '4']]);
  assert_equals(String(new URLSearchParams({ x: 1 })), 'x=1');
  assert_equals(String(new URLSearchParams([['x', 1], ['x', 2]])), 'x=1&x=2');
  assert_throws(TypeError, () => new URLSearchParams([['x']]));
}, 'URLSearchParams');
test(() => {
  const encoder = new TextEncoder();
  assert_array_equals([...encoder.encode('é\ud800')], [0xc3, 0xa9, 0xef, 0xbf, 0xbd]);
  assert_same(encoder.encodeInto('aé', new Uint8Array(2)), { read: 1, written: 1 });
  const decoder = new TextDecoder();
  const part = (...all) => decoder.decode(new Uint8Array(all), { stream: true });
  assert_equals(part(0xef, 0xbb) + part(0xbf, 0x61, 0xe2) + part(0x82, 0xac), 'a€');
  assert_equals(decoder.decode(), '');
  assert_equals(decoder.decode(new Uint8Array([0xff, 0x61]).buffer), '\ufffda');
  assert_throws(TypeError, () => new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array([0xff])));
  assert_equals(new TextDecoder('latin1').encoding, 'windows-1252');
  assert_equals(new TextDecoder('utf-8', { ignoreBOM: true }).decode(encoder.encode('\ufeffa')), '\ufeffa');
  assert_throws(RangeError, () => new TextDecoder('nonsense'));
}, 'TextEncoder and TextDecoder');
