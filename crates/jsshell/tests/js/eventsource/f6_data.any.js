gives('f6: each data line ends in a line feed', ['data:1\ndata:\ndata:2\ndata\n\n'],
  [['message', '1\n\n2\n', '']]);
gives('f6: data collects around other fields', ['data:1\nid:x\nevent:a\ndata:2\n\n'],
  [['a', '1\n2', 'x']], 'a');
