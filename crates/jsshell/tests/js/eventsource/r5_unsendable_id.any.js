for (const id of ['a\u0001b', '\u007f', 'a\u001bb']) {
  promise_test(async (t) => {
    const own = newKey();
    const url = stream(body(`retry:1\nid:${id}\ndata:1\n\n`), next, type(), body('data:2\n\n'), end,
      key(own));
    assert_same(await untilEnd(open(t, url)), [['message', '1', id], ['message', '2', id]]);
    assert_equals((await requests(own))[1].headers['last-event-id'], undefined);
  }, `r5: an id that no header can carry is not sent: ${JSON.stringify(id)}`);
}
