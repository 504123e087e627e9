gives('f7: id sets the last event ID', ['id:1\ndata:a\n\ndata:b\n\n'],
  [['message', 'a', '1'], ['message', 'b', '1']]);
gives('f7: one with NUL is ignored', ['id:1\ndata:a\n\nid:2\0\ndata:b\n\nid:\0\ndata:c\n\n'],
  [['message', 'a', '1'], ['message', 'b', '1'], ['message', 'c', '1']]);
gives('f7: an empty one makes it empty', ['id:1\ndata:a\n\nid\ndata:b\n\nid:2\ndata:c\n\nid:\ndata:d\n\n'],
  [['message', 'a', '1'], ['message', 'b', ''], ['message', 'c', '2'], ['message', 'd', '']]);
gives('f7: the last one of a block holds', ['id:1\nid:2\ndata:a\n\n'], [['message', 'a', '2']]);
