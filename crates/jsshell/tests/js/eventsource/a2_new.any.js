test(() => {
  assert_throws(TypeError, () => EventSource('/x'));
  assert_equals(EventSource.length, 1);
  assert_equals(EventSource.name, 'EventSource');
}, 'a2: callable only with new');
