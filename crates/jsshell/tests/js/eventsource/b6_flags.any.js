promise_test(async (t) => {
  const source = open(t, stream(body('retry:100000\ndata:x\n\n')));
  const events = await Promise.all([once(source, 'open'), once(source, 'message'), once(source, 'error')]);
  for (const event of events) {
    assert_true(event.isTrusted, event.type);
    assert_false(event.bubbles);
    assert_false(event.cancelable);
    assert_equals(event.target, source);
  }
  const [opened, message, error] = events;
  for (const plain of [opened, error]) {
    assert_equals(plain.constructor, Event);
    assert_false('data' in plain);
    assert_false(Object.hasOwn(plain, 'data'));
  }
  assert_true(message instanceof MessageEvent);
  assert_true(message instanceof Event);
}, 'b6: trusted, neither bubbling nor cancelable; no data but in messages');
