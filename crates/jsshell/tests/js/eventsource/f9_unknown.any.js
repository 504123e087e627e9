gives('f9: unknown fields are ignored', ['test:x\nreconnect:1\ndata:1\nfoo\n\n'], [['message', '1', '']]);
