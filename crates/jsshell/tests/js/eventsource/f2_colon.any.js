gives('f2: one space is stripped', ['data: 1\ndata:  2\ndata:3\n\n'], [['message', '1\n 2\n3', '']]);
gives('f2: a tab is not', ['data:\t1\n\n'], [['message', '\t1', '']]);
gives('f2: the first colon splits', ['data:a:b\ndata::c\n\n'], [['message', 'a:b\n:c', '']]);
