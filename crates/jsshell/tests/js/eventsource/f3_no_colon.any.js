gives('f3: a line without a colon is a name', ['data\ndata:x\ndata\n\n'], [['message', '\nx\n', '']]);
gives('f3: an unknown one is nothing', ['x\ndata:1\n\n'], [['message', '1', '']]);
