gives('b3: one trailing line feed is dropped', ['data:1\ndata:\n\ndata\ndata\n\n'],
  [['message', '1\n', ''], ['message', '\n', '']]);
