for (const [name, ending] of [['CR CR', '\r\r'], ['CRLF CR', '\r\n\r'], ['LF CR', '\n\r']]) {
  promise_test(async (t) => {
    const gate = newKey();
    const source = open(t, stream(body(`data:1${ending}`), wait(gate), body('\ndata:2\n\n'), end));
    const all = untilEnd(source);
    assert_equals((await once(source, 'message')).data, '1');
    // Only now does another byte come, which belongs to the CR.
    await release(gate);
    assert_same(await all, [['message', '1', ''], ['message', '2', '']]);
  }, `d5: ${name} ends an event without another byte`);
}
gives('d5: CRLF over two chunks is one line ending', ['data:1\r', '\ndata:2\r', '\n\r', '\n'],
  [['message', '1\n2', '']]);
