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
