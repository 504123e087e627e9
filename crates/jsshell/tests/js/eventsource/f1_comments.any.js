gives('f1: a line that begins with a colon is ignored', [':data:1\n:\n: x\ndata:2\n:\n\n:\n\n'],
  [['message', '2', '']]);
gives('f1: a long one too', [`:${'x'.repeat(5000)}\ndata:1\n\n`], [['message', '1', '']]);
