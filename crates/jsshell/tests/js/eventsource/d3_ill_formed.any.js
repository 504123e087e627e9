const data = bytes(0x64, 0x61, 0x74, 0x61, 0x3a);
for (const [name, ill, expected] of [
  ['a lone continuation byte', [0x80], '\ufffd'],
  ['a cut sequence before a letter', [0xe2, 0x82, 0x41], '\ufffdA'],
  ['an encoded surrogate', [0xed, 0xa0, 0x80], '\ufffd\ufffd\ufffd'],
  ['an overlong slash', [0xc0, 0xaf], '\ufffd\ufffd'],
  ['a byte that never is', [0xff], '\ufffd'],
  ['beyond the last code point', [0xf4, 0x90, 0x80, 0x80], '\ufffd\ufffd\ufffd\ufffd'],
]) {
  gives(`d3: ${name}`, [data, bytes(...ill), '\n\n'], [['message', expected, '']]);
  gives(`d3: ${name}, byte by byte`, [data, ...ill.map((byte) => bytes(byte)), '\n\n'],
    [['message', expected, '']]);
}
gives('d3: a sequence over two chunks', [data, bytes(0xf0, 0x9f), bytes(0x98, 0x80), '\n\n'],
  [['message', '😀', '']]);
