test(() => {
  const event = new Event('x', { bubbles: true, cancelable: true });
  assert_same([event.type, event.bubbles, event.cancelable, event.composed], ['x', true, true, false]);
  assert_same([event.target, event.currentTarget, event.eventPhase, event.isTrusted], [null, null, 0, false]);
  assert_equals(typeof event.timeStamp, 'number');
  assert_true(Object.hasOwn(event, 'isTrusted'), 'unforgeable');
  assert_same([Event.AT_TARGET, event.AT_TARGET], [2, 2]);
  assert_equals(String(event), '[object Event]');
  assert_throws(TypeError, () => new Event());
  assert_throws(TypeError, () => Event('x'));
  assert_throws(TypeError, () => Event.prototype.type);
}, 'Event');
test(() => {
  const target = new EventTarget();
  const seen = [];
  target.addEventListener('x', (event) => {
    event.preventDefault();
    seen.push(event.target === target, event.currentTarget === target, event.eventPhase);
  });
  const event = new Event('x', { cancelable: true });
  assert_false(target.dispatchEvent(event));
  assert_true(event.defaultPrevented);
  assert_true(target.dispatchEvent(new Event('y')));
  assert_same(seen, [true, true, 2]);
  assert_same([event.currentTarget, event.eventPhase], [null, 0]);
}, 'dispatchEvent');
test(() => {
  const target = new EventTarget();
  const order = [];
  const note = (name) => () => order.push(name);
  const twice = note('twice');
  target.addEventListener('x', twice);
  target.addEventListener('x', twice);
  target.addEventListener('x', note('once'), { once: true });
  target.addEventListener('x', note('capture'), true);
  const controller = new AbortController();
  target.addEventListener('x', note('signal'), { signal: controller.signal });
  target.addEventListener('x', () => target.addEventListener('x', note('late')), { once: true });
  target.dispatchEvent(new Event('x'));
  assert_same(order.splice(0), ['capture', 'twice', 'once', 'signal']);
  controller.abort();
  target.removeEventListener('x', twice);
  target.dispatchEvent(new Event('x'));
  assert_same(order, ['capture', 'late']);
}, 'listeners: once each, options, order, changes during a dispatch');
test(() => {
  const target = new EventTarget();
  const order = [];
  target.addEventListener('x', (event) => {
    order.push(1);
    event.stopImmediatePropagation();
  });
  target.addEventListener('x', () => order.push(2));
  target.dispatchEvent(new Event('x'));
  assert_same(order, [1]);
  const again = new Event('x');
  target.addEventListener('y', () => {
    assert_throws('InvalidStateError', () => target.dispatchEvent(again));
  });
  assert_throws(TypeError, () => target.dispatchEvent({}));
  assert_throws(TypeError, () => target.addEventListener('x'));
  assert_throws(TypeError, () => target.addEventListener('x', 'code'));
}, 'stopping, and what cannot be dispatched');
test(() => {
  const message = new MessageEvent('m', { data: 1, origin: 'o', lastEventId: '7' });
  assert_same([message.data, message.origin, message.lastEventId, message.source], [1, 'o', '7', null]);
  assert_equals(new MessageEvent('m').data, null);
  assert_equals(new CustomEvent('c', { detail: 2 }).detail, 2);
  const error = new ErrorEvent('e', { message: 'm', lineno: 3, error: message });
  assert_same([error.message, error.lineno, error.error === message], ['m', 3, true]);
  assert_true(message instanceof Event);
}, 'MessageEvent, CustomEvent, ErrorEvent');
test(() => {
  const controller = new AbortController();
  const { signal } = controller;
  const seen = [];
  signal.onabort = (event) => seen.push(event.type, event.isTrusted);
  assert_false(signal.aborted);
  controller.abort();
  controller.abort();
  assert_same(seen, ['abort', true]);
  assert_equals(signal.reason.name, 'AbortError');
  assert_throws('AbortError', () => signal.throwIfAborted());
  assert_equals(AbortSignal.abort(5).reason, 5);
  const first = new AbortController();
  const any = AbortSignal.any([first.signal, new AbortController().signal]);
  first.abort('why');
  assert_equals(any.reason, 'why');
  assert_throws(TypeError, () => new AbortSignal());
}, 'AbortController');
promise_test(async () => {
  const signal = AbortSignal.timeout(1);
  await new Promise((resolve) => { signal.onabort = resolve; });
  assert_equals(signal.reason.name, 'TimeoutError');
}, 'AbortSignal.timeout');
promise_test(async () => {
  const order = [];
  const target = AbortSignal.timeout(1);
  await new Promise((resolve) => {
    setTimeout(() => {
      order.push('task');
      Promise.resolve().then(() => order.push('microtask'));
    });
    setTimeout(() => {
      order.push('next task');
      resolve();
    });
  });
  assert_false(target === null);
  assert_same(order, ['task', 'microtask', 'next task']);
}, 'microtasks run behind each task');
