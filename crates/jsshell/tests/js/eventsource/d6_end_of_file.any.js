for (const [name, rest] of [
  ['an incomplete event', 'data:lost\n'],
  ['an incomplete line', 'data:lost'],
  ['half a field name', 'da'],
]) {
  promise_test(async (t) => {
    const own = newKey();
    const url = stream(body(`retry:1\nid:1\ndata:kept\n\nid:2\n${rest}`), next,
      type(), body('data:new\n\n'), echo('last-event-id'), end, key(own));
    assert_same(await untilEnd(open(t, url)),
      [['message', 'kept', '1'], ['message', 'new', '1'], ['message', '1', '1']]);
  }, `d6: ${name} is dropped at the end, its id too`);
}
