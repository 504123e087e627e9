const bom = [0xef, 0xbb, 0xbf];
gives('d2: one BOM is stripped', [bytes(...bom), 'data:1\n\n'], [['message', '1', '']]);
gives('d2: also one byte at a time', [...bom.map((byte) => bytes(byte)), 'data:1\n\n'],
  [['message', '1', '']]);
gives('d2: a second BOM is content', [bytes(...bom, ...bom), 'data:1\n\ndata:2\n\n'],
  [['message', '2', '']]);
gives('d2: so is a later one', ['data:1\n\n', bytes(...bom), 'data:2\n\ndata:3\n\n'],
  [['message', '1', ''], ['message', '3', '']]);
promise_test(async (t) => {
  const url = stream(body('retry:1\n'), next, type(), bytes(...bom), body('data:1\n\n'), end);
  const source = open(t, `${url}&${key(newKey())}`);
  assert_equals((await once(source, 'message')).data, '1');
}, 'd2: each connection may begin with one');
