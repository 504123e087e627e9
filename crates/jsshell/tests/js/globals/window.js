test(() => {
  assert_true(self === globalThis && window === globalThis && this === globalThis);
  assert_true(globalThis instanceof EventTarget);
  assert_equals(location.pathname, '/dir/page.html');
  assert_equals(location.origin, `http://page.test:${location.port}`);
  assert_same([location.protocol, location.hostname], ['http:', 'page.test']);
  assert_equals(location.host, `page.test:${location.port}`);
  assert_true(location.search.startsWith('?other='));
  assert_same([location.hash, String(location)], ['', location.href]);
  assert_same([GLOBAL.isWindow(), GLOBAL.isWorker(), GLOBAL.isShadowRealm()], [true, false, false]);
}, 'the global object');
async_test((t) => {
  onload = t.step_func_done((event) => {
    assert_equals(event.type, 'load');
    assert_true(event.isTrusted);
    assert_equals(document.readyState, 'complete');
  });
  assert_equals(typeof onload, 'function');
}, 'load comes when the scripts have been evaluated');
test(() => {
  const error = new DOMException('why', 'SyntaxError');
  assert_same([error.name, error.message, error.code], ['SyntaxError', 'why', 12]);
  assert_equals(DOMException.ABORT_ERR, 20);
  assert_true(error instanceof DOMException && error instanceof Error);
}, 'DOMException');
promise_test(async () => {
  const error = new RangeError('reported');
  const seen = new Promise((resolve) => {
    addEventListener('error', (event) => {
      event.preventDefault();
      resolve(event);
    }, { once: true });
  });
  setTimeout(() => { throw error; });
  const event = await seen;
  assert_equals(event.error, error);
  assert_true(event.message.includes('reported'));
  assert_true(event.filename.endsWith('window.js') && event.lineno > 0);
}, 'an uncaught exception is reported, and may be canceled');
promise_test(async () => {
  const args = await new Promise((resolve) => {
    onerror = (...all) => {
      resolve(all);
      return true;
    };
    reportError(new Error('own'));
  });
  onerror = null;
  assert_equals(args.length, 5);
  assert_equals(args[4].message, 'own');
}, 'onerror of the global object has five arguments');
promise_test(async () => {
  const event = await new Promise((resolve) => {
    addEventListener('unhandledrejection', (own) => {
      own.preventDefault();
      resolve(own);
    }, { once: true });
    Promise.reject(7);
  });
  assert_equals(event.reason, 7);
  const failed = Promise.reject(8);
  failed.catch(() => {});
  assert_true(event.promise instanceof Promise);
}, 'unhandledrejection');
promise_test(async () => {
  const order = [];
  setTimeout((...args) => order.push(args), 2, 'b', 1);
  setTimeout(() => order.push('a'), 0);
  const never = setTimeout(() => order.push('never'), 1);
  clearTimeout(never);
  clearTimeout('x');
  await new Promise((resolve) => {
    let left = 3;
    const id = setInterval(() => {
      left -= 1;
      if (left > 0) return;
      clearInterval(id);
      setTimeout(resolve, 3);
    }, 1);
  });
  assert_same(order, ['a', ['b', 1]]);
}, 'timers');
promise_test(async () => {
  const order = [];
  queueMicrotask(() => order.push('microtask'));
  order.push('script');
  await null;
  assert_same(order, ['script', 'microtask']);
}, 'queueMicrotask');
test(() => {
  const value = { a: [1, new Date(5)], m: new Map([[1, new Set([2])]]), b: new Uint8Array([1]) };
  value.self = value;
  const copy = structuredClone(value);
  assert_true(copy !== value && copy.self === copy);
  assert_same([copy.a[1].getTime(), copy.m.get(1).has(2), copy.b[0]], [5, true, 1]);
  assert_throws('DataCloneError', () => structuredClone(() => {}));
  assert_equals(atob(btoa('abc')), 'abc');
  assert_true(performance.now() >= 0);
}, 'structuredClone, atob, btoa, performance');
test(() => {
  const code = (text) => serve(type('text/javascript'), body(text));
  importScripts(code('var imported = 1;'), code('imported += 1;'));
  assert_equals(imported, 2);
  assert_throws('NetworkError', () => importScripts(serve(status(404))));
  assert_throws('SyntaxError', () => importScripts('http://['));
  assert_throws(ReferenceError, () => importScripts(code('thereIsNoSuchThing;')));
}, 'importScripts');
test(() => {
  for (const [where, length] of [
    [EventSource, 1], [EventSource.prototype.close, 0], [Event, 1], [MessageEvent, 1],
    [MessageEvent.prototype.initMessageEvent, 1], [EventTarget.prototype.addEventListener, 2],
    [AbortSignal, 0], [URL, 1], [URLSearchParams.prototype.has, 1], [ReadableStream, 0],
    [ReadableStream.prototype.pipeTo, 1], [fetch, 1], [setTimeout, 1],
  ]) {
    assert_equals(where.length, length, where.name);
  }
  for (const type of [EventSource, Event, EventTarget, URL, ReadableStream, Response, Blob]) {
    assert_equals(type.prototype[Symbol.toStringTag], type.name);
    assert_false(Object.keys(globalThis).includes(type.name), 'interfaces are not enumerable');
  }
  assert_true(Object.keys(EventSource.prototype).includes('onmessage'), 'their members are');
  assert_throws(TypeError, () => { Event.prototype.cancelBubble = true; });
}, 'interfaces have the shape that Web IDL gives them');
