const time = async (t, line) => {
  const source = open(t, stream(body(`retry:1234\n${line}\n`), end));
  await once(source, 'end');
  return source.reconnectionTime;
};
for (const [line, expected] of [
  ['retry:2000', 2000],
  ['retry: 2000', 2000],
  ['retry:0000002000', 2000],
  ['retry:0', 0],
  ['retry:', 1234],
  ['retry', 1234],
  ['retry:-1', 1234],
  ['retry:+1', 1234],
  ['retry:1.5', 1234],
  ['retry:1e3', 1234],
  ['retry:10s', 1234],
  ['retry:  1', 1234],
  ['retry:1 ', 1234],
  ['retry:0x10', 1234],
  ['retry:\u0663', 1234],
]) {
  promise_test(async (t) => {
    assert_equals(await time(t, line), expected);
  }, `f8: ${JSON.stringify(line)}`);
}
promise_test(async (t) => {
  const huge = await time(t, 'retry:99999999999999999999999');
  assert_true(huge >= 1234 && Number.isFinite(huge), 'saturated, and no error');
}, 'f8: more than any number holds');
promise_test(async (t) => {
  const gate = newKey();
  const source = open(t, stream(body('retry:77\n'), body('event:now\ndata\n'), wait(gate), body('\n')));
  await once(source, 'open');
  while (source.reconnectionTime !== 77) await new Promise((resolve) => setTimeout(resolve, 1));
  await release(gate);
}, 'f8: it takes effect at once, before its block ends');
