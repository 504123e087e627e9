for (const code of [301, 302, 303, 307, 308]) {
  promise_test(async (t) => {
    const own = newKey();
    const target = newKey();
    const location = stream(body('retry:1\n'), key(target));
    const url = serve(status(code), header(`Location: ${location}`), next, type(), end, key(own));
    await once(open(t, url), 'end');
    assert_equals((await requests(own)).length, 2);
    assert_equals((await requests(target)).length, 1);
  }, `r6: a reconnect asks where it was made for, after a ${code}`);
}
