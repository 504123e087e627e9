promise_test(async (t) => {
  const gate = newKey();
  const source = open(t, stream(wait(gate), body('data:x\n\n'), end));
  const order = [];
  source.onopen = () => order.push(['open', source.readyState]);
  source.onmessage = () => order.push(['message', source.readyState]);
  await once(source, 'open');
  // The head is enough, no byte of the body has come.
  assert_same(order, [['open', EventSource.OPEN]]);
  const ended = once(source, 'end');
  await release(gate);
  await ended;
  assert_same(order, [['open', EventSource.OPEN], ['message', EventSource.OPEN]]);
}, 't1: open is fired when the head has come, and readyState is OPEN by then');
