gives('f10: NUL is legal in data', ['data:a\0b\n\n'], [['message', 'a\0b', '']]);
gives('f10: and in a type', ['event:a\0b\ndata:1\n\n'], [['a\0b', '1', '']], 'a\0b');
