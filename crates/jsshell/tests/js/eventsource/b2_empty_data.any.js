gives('b2: no data, no event', ['event:a\n\nid:1\n\n\n\n: x\n\ndata:b\n\n'], [['message', 'b', '1']], 'a');
gives('b2: data: alone is an event', ['data:\n\ndata\n\n'], [['message', '', ''], ['message', '', '']]);
