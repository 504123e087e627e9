promise_test(async () => {
  const response = await fetch(serve(type('text/plain'), header('X-Own: 1'), body('aé')));
  assert_same([response.status, response.ok, response.type, response.redirected, response.bodyUsed],
    [200, true, 'basic', false, false]);
  assert_same([response.headers.get('x-own'), response.headers.get('Content-Type')], ['1', 'text/plain']);
  assert_true(response.url.startsWith(`${here}/serve`));
  assert_equals(await response.text(), 'aé');
  assert_true(response.bodyUsed);
  await assert_rejects(TypeError, response.text());
}, 'a response');
promise_test(async () => {
  assert_same(await (await fetch(serve(body('{"a":1}')))).json(), { a: 1 });
  const buffer = await (await fetch(serve(bytes(1, 2, 3)))).arrayBuffer();
  assert_array_equals([...new Uint8Array(buffer)], [1, 2, 3]);
  const missing = await fetch(serve(status(404), body('x')));
  assert_same([missing.status, missing.ok], [404, false]);
  assert_equals((await fetch(serve(status(204)))).body, null);
}, 'bodies and statuses');
promise_test(async () => {
  const own = newKey();
  await fetch(serve(key(own)), {
    method: 'post', body: new URLSearchParams({ a: 'ü' }), headers: { 'X-Own': '1', Cookie: 'forbidden=1' },
  });
  const [{ method, headers, body: sent }] = await requests(own);
  assert_same([method, sent, headers['x-own'], headers.cookie], ['POST', 'a=%C3%BC', '1', undefined]);
  assert_equals(headers['content-type'], 'application/x-www-form-urlencoded;charset=UTF-8');
  assert_equals(headers.origin, here);
  await assert_rejects(TypeError, fetch('/x', { body: 'x' }));
  await assert_rejects(TypeError, fetch('/x', { method: 'TRACE' }));
  await assert_rejects(TypeError, fetch('http://['));
}, 'a request');
promise_test(async () => {
  const gate = newKey();
  const response = await fetch(serve(body('a'), wait(gate), body('b')));
  const reader = response.body.getReader();
  assert_array_equals([...(await reader.read()).value], [97]);
  await release(gate);
  assert_array_equals([...(await reader.read()).value], [98]);
  assert_true((await reader.read()).done);
}, 'a body comes as it comes');
promise_test(async () => {
  const own = newKey();
  const controller = new AbortController();
  const response = await fetch(serve(body('a'), hold, key(own)), { signal: controller.signal });
  const reader = response.body.getReader();
  await reader.read();
  const reading = reader.read();
  controller.abort();
  await assert_rejects('AbortError', reading);
  await closed(own);
  await assert_rejects('AbortError', fetch('/x', { signal: AbortSignal.abort() }));
}, 'aborting');
promise_test(async () => {
  const own = newKey();
  const response = await fetch(serve(body('a'), hold, key(own)));
  await response.body.cancel();
  await closed(own);
  const cutOff = await fetch(serve(body('a'), cut));
  await assert_rejects(TypeError, cutOff.text());
  await assert_rejects(TypeError, fetch(serve(drop)));
}, 'cancelling, and bodies that break off');
promise_test(async () => {
  const own = newKey();
  const holding = fetch(serve(wait('never'), hold, key(own)));
  const response = await holding;
  const text = response.text();
  stop();
  await assert_rejects(TypeError, text);
}, 'stop() aborts fetches');
promise_test(async () => {
  const target = serve(body('there'));
  const to = (...steps) => serve(status(302), header(`Location: ${target}`), ...steps);
  const response = await fetch(to());
  assert_same([response.redirected, response.url, await response.text()], [true, here + target, 'there']);
  await assert_rejects(TypeError, fetch(to(), { redirect: 'error' }));
  const manual = await fetch(to(), { redirect: 'manual' });
  assert_same([manual.type, manual.status, manual.url], ['opaqueredirect', 0, here + to()]);
  const own = newKey();
  const posted = serve(status(303), header(`Location: ${serve(key(own))}`));
  await fetch(posted, { method: 'POST', body: 'x' });
  assert_same((await requests(own)).map(({ method, body: sent }) => [method, sent]), [['GET', '']]);
}, 'redirects');
promise_test(async () => {
  await assert_rejects(TypeError, fetch(`${elsewhere}${serve(body('x'))}`));
  await assert_rejects(TypeError, fetch(`${elsewhere}${serve(allow)}`, { mode: 'same-origin' }));
  const response = await fetch(`${elsewhere}${serve(allow, header('X-Own: 1'), type('text/plain'), body('x'))}`);
  assert_same([response.type, response.headers.get('x-own'), response.headers.get('content-type')],
    ['cors', null, 'text/plain']);
  const opaque = await fetch(`${elsewhere}${serve(body('x'))}`, { mode: 'no-cors' });
  assert_same([opaque.type, opaque.status, opaque.body], ['opaque', 0, null]);
}, 'other origins');
promise_test(async () => {
  const own = newKey();
  const methods = header('Access-Control-Allow-Methods: PUT');
  const names = header('Access-Control-Allow-Headers: x-own');
  const init = { method: 'PUT', headers: { 'X-Own': '1' } };
  const url = (...steps) => `${elsewhere}${serve(key(own), allow, ...steps)}`;
  await fetch(url(methods, names), init);
  const [preflight, request] = await requests(own);
  assert_same([preflight.method, preflight.headers['access-control-request-method'],
    preflight.headers['access-control-request-headers']], ['OPTIONS', 'PUT', 'x-own']);
  assert_same([request.method, request.headers['x-own']], ['PUT', '1']);
  await assert_rejects(TypeError, fetch(url(methods), init));
  await assert_rejects(TypeError, fetch(url(names), init));
}, 'preflights');
promise_test(async () => {
  const echoed = async (base, credentials) =>
    (await fetch(`${base}${serve(allow, echo('cookie'))}`, { credentials })).text();
  await fetch(serve(header('Set-Cookie: f=1; Path=/')));
  assert_equals(await echoed(here), 'data:f=1\n\n');
  assert_equals(await echoed(here, 'omit'), 'data:(none)\n\n');
  assert_equals(await echoed(nextDoor), 'data:(none)\n\n');
  assert_equals(await echoed(nextDoor, 'include'), 'data:f=1\n\n');
  document.cookie = 'g=2; Path=/';
  assert_equals(document.cookie, 'f=1; g=2');
  assert_equals(await echoed(here), 'data:f=1; g=2\n\n');
}, 'cookies');
test(() => {
  const headers = new Headers({ 'X-B': ' 2 ', 'x-a': '1' });
  headers.append('X-a', '3');
  assert_same([...headers], [['x-a', '1, 3'], ['x-b', '2']]);
  headers.set('x-a', '4');
  headers.delete('X-B');
  assert_same([headers.get('X-A'), headers.has('x-b')], ['4', false]);
  assert_throws(TypeError, () => headers.set('a b', 'x'));
  assert_throws(TypeError, () => headers.set('a', 'x\ny'));
  const request = new Request('/x', { method: 'put', body: 'x', headers });
  assert_same([request.url, request.method, request.mode, request.credentials, request.headers.get('x-a')],
    [`${here}/x`, 'PUT', 'cors', 'same-origin', '4']);
  const response = new Response('x', { status: 201, headers: { a: 'b' } });
  assert_same([response.status, response.type, response.headers.get('a')], [201, 'default', 'b']);
  assert_equals(Response.error().type, 'error');
}, 'Headers, Request, Response');
