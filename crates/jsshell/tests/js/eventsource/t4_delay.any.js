promise_test(async (t) => {
  const retry = 400;
  const source = open(t, stream(body(`retry:${retry}\n`), next, type(), end, key(newKey())));
  await once(source, 'error');
  const order = [];
  setTimeout(() => order.push('three quarters of it'), retry * 0.75);
  await once(source, 'end');
  order.push('connected again');
  assert_same(order, ['three quarters of it', 'connected again']);
}, 't4: a reconnect does not come before its time');
promise_test(async (t) => {
  const times = [40, 400].map(async (retry) => {
    const source = open(t, stream(body(`retry:${retry}\n`), next, type(), end, key(newKey())));
    await once(source, 'end');
    return retry;
  });
  assert_equals(await Promise.race(times), 40);
  await Promise.all(times);
}, 't4: nor does it take the time of another');
