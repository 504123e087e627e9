gives('d1: the encoding is UTF-8', ['data:ok…😀\n\n'], [['message', 'ok…😀', '']]);
promise_test(async (t) => {
  const source = open(t, serve(type('text/event-stream;charset=windows-1252'), body('data:ok…\n\n'), end));
  assert_equals((await once(source, 'message')).data, 'ok…');
}, 'd1: whatever charset the response claims');
