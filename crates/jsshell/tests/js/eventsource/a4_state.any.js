const constants = { CONNECTING: 0, OPEN: 1, CLOSED: 2 };
test((t) => {
  for (const [name, value] of Object.entries(constants)) {
    for (const object of [EventSource, EventSource.prototype]) {
      const property = Object.getOwnPropertyDescriptor(object, name);
      assert_same(property, { value, writable: false, enumerable: true, configurable: false });
    }
    assert_equals(open(t, '/x')[name], value);
  }
}, 'a4: constants on the constructor and the prototype');
promise_test(async (t) => {
  const source = open(t, stream(body('data:1\n\n'), hold));
  assert_equals(source.readyState, EventSource.CONNECTING);
  await once(source, 'open');
  assert_equals(source.readyState, EventSource.OPEN);
  source.close();
  assert_equals(source.readyState, EventSource.CLOSED);
}, 'a4: readyState');
test(() => {
  for (const name of ['url', 'withCredentials', 'readyState', 'lastEventId', 'reconnectionTime']) {
    const { get, set, enumerable } = Object.getOwnPropertyDescriptor(EventSource.prototype, name);
    assert_equals(typeof get, 'function', name);
    assert_equals(set, undefined, name);
    assert_true(enumerable, name);
    assert_throws(TypeError, () => EventSource.prototype[name], name);
  }
  assert_equals(String(Object.create(EventSource.prototype)), '[object EventSource]');
}, 'a4: attributes are accessors of the prototype');
