const resumed = (t, block) => {
  const url = stream(body(`retry:1\n${block}\n\n`), next, type(), echo('last-event-id'), end,
    key(newKey()));
  return untilEnd(open(t, url)).then((events) => events.at(-1)[1]);
};
promise_test(async (t) => {
  const source = open(t, stream(echo('last-event-id'), end));
  assert_equals((await once(source, 'message')).data, '(none)');
}, 'r4: no Last-Event-ID on the first request');
for (const [block, expected] of [
  ['id:1', '1'],
  ['id:…😀', '…😀'],
  ['id: 1 ', '1'],
  ['id:1\n\nid:', '(none)'],
  ['data:x', '(none)'],
]) {
  promise_test(async (t) => {
    assert_equals(await resumed(t, block), expected);
  }, `r4: after ${JSON.stringify(block)}`);
}
