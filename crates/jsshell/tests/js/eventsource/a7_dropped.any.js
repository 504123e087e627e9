promise_test(async () => {
  const own = newKey();
  new EventSource(stream(body('data:x\n\n'), hold, key(own)));
  await once(new EventSource(stream(end, hold)), 'end').then(({ target }) => target.close());
  // It has not been asked for, or was let go: nobody listens.
  if ((await requests(own)).length > 0) await closed(own);
}, 'a7: one that nobody holds is aborted');
promise_test(async () => {
  const own = newKey();
  let gone;
  await new Promise((resolve) => {
    const source = new EventSource(stream(body('data:x\n\n'), hold, key(own)));
    gone = new WeakRef(source);
    source.addEventListener('message', resolve, { once: true });
  });
  await closed(own);
  assert_equals(gone.deref(), undefined);
}, 'a7: also after its last listener was removed');
promise_test(async () => {
  const event = await new Promise((resolve) => {
    new EventSource(stream(body('data:x\n\n'), hold)).onmessage = (heard) => resolve(heard);
  });
  event.target.close();
}, 'a7: one that somebody listens to lives');
promise_test(async () => {
  const own = newKey();
  const other = {};
  // Each holds the other, and nothing holds both.
  other.source = new EventSource(stream(hold, key(own)));
  other.source.other = other;
  await once(other.source, 'open');
  gc();
  assert_equals(other.source.readyState, EventSource.OPEN, 'held by this very test');
  other.source.close();
  await closed(own);
}, 'a7: what is held survives a collection');
promise_test(async () => {
  const own = newKey();
  await (async () => {
    const other = {};
    other.source = new EventSource(stream(hold, key(own)));
    other.source.other = other;
    await once(other.source, 'open');
  })();
  // The task that fired `open` is over by then.
  await new Promise((resolve) => setTimeout(resolve));
  gc();
  await closed(own);
}, 'a7: a cycle that nobody holds is collected, and aborted');
