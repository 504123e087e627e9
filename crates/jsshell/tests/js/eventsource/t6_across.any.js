promise_test(async (t) => {
  const url = stream(body('retry:3\nid:7\n\n'), next, type(), next, type(), echo('last-event-id'), end,
    key(newKey()));
  const source = open(t, url);
  const events = await untilEnd(source);
  assert_same(events, [['message', '7', '7']]);
  assert_equals(source.reconnectionTime, 3);
  assert_equals(source.lastEventId, '7');
}, 't6: reconnection time and last event ID live across connections');
