promise_test(async (t) => {
  const url = stream(body('retry:1\n'), next, type(), next, type(), end, key(newKey()));
  const source = open(t, url);
  const order = [];
  source.onopen = () => order.push('open');
  source.onerror = () => order.push('error');
  await once(source, 'end');
  assert_same(order, ['open', 'error', 'open', 'error', 'open']);
}, 't5: the error of a connection precedes the open of the next');
