promise_test(async (t) => {
  const url = stream(body('retry:1\nid:7\ndata:x\n\n'), next, type(), echo('last-event-id'), end, key(newKey()));
  const source = open(t, url);
  const order = [];
  for (const name of ['open', 'message', 'error']) {
    source.addEventListener(name, (event) => order.push([name, source.readyState, event.data]));
  }
  await once(source, 'end');
  assert_same(order, [['open', 1, undefined], ['message', 1, 'x'], ['error', 0, undefined],
    ['open', 1, undefined], ['message', 1, '7']]);
}, 't2: error, CONNECTING, and on from the last event ID');
