gives('b1: a block without data sets it', ['id:1\n\ndata:a\n\n'], [['message', 'a', '1']]);
promise_test(async (t) => {
  const source = open(t, stream(body('id:1\n'), body('\n'), end, body('id:2\n'), hold, key(newKey())));
  await once(source, 'end');
  assert_equals(source.lastEventId, '1', 'the 2 stands in a block that has not ended');
}, 'b1: only the end of a block sets it');
promise_test(async (t) => {
  const url = stream(body('retry:1\nid:7\n\n'), next, type(), echo('last-event-id'), end, key(newKey()));
  assert_same(await untilEnd(open(t, url)), [['message', '7', '7']]);
}, 'b1: it is sent even if no event had it');
