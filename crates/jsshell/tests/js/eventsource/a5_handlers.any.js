promise_test(async (t) => {
  const source = open(t, stream(body('data:x\n\n'), hold));
  const order = [];
  const note = (name) => (event) => order.push(`${name} ${event.type}`);
  source.addEventListener('message', note('first'));
  source.onmessage = note('replaced');
  source.addEventListener('message', note('last'));
  source.addEventListener('message', { handleEvent: note('object') });
  const removed = note('removed');
  source.addEventListener('message', removed);
  source.removeEventListener('message', removed);
  source.onmessage = note('handler');
  await once(source, 'message');
  assert_same(order, ['first message', 'handler message', 'last message', 'object message']);
}, 'a5: listeners in the order of their registration, a handler in that of its first');
test((t) => {
  const source = open(t, '/x');
  for (const name of ['onopen', 'onmessage', 'onerror']) {
    assert_equals(source[name], null);
    for (const value of [() => {}, {}, []]) {
      source[name] = value;
      assert_equals(source[name], value, name);
    }
    for (const value of [1, 'x', undefined, null, true]) {
      source[name] = value;
      assert_equals(source[name], null, name);
    }
  }
}, 'a5: a handler is an object or null');
test((t) => {
  const source = open(t, '/x');
  assert_true(source instanceof EventTarget);
  const seen = [];
  source.onmessage = function (event) {
    seen.push(event.isTrusted, event.data, this === source, event.target === source);
  };
  source.dispatchEvent(new MessageEvent('message', { data: 'own' }));
  assert_same(seen, [false, 'own', true, true]);
}, 'a5: a script may dispatch events of its own, which are not trusted');
promise_test(async (t) => {
  const source = open(t, stream(body('data:x\n\n'), hold));
  const error = new Error('of the handler');
  const reported = once(globalThis, 'error');
  addEventListener('error', (event) => event.preventDefault(), { once: true });
  source.onmessage = () => { throw error; };
  const [event] = await Promise.all([reported, once(source, 'message')]);
  assert_equals(event.error, error);
  assert_equals(source.readyState, EventSource.OPEN);
}, 'a5: a handler that throws is reported, and stops nothing');
promise_test(async (t) => {
  const source = open(t, stream(body('data:x\n\n'), hold));
  const order = [];
  source.addEventListener('message', () => {
    order.push('first');
    Promise.resolve().then(() => order.push('microtask'));
  });
  source.addEventListener('message', () => order.push('second'));
  await once(source, 'message');
  assert_same(order, ['first', 'microtask', 'second']);
}, 'a5: microtasks run behind each listener');
