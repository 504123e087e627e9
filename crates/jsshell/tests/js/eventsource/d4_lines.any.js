for (const [name, newline] of [['LF', '\n'], ['CR', '\r'], ['CRLF', '\r\n']]) {
  gives(`d4: lines end at ${name}`, [`data:1${newline}data:2${newline}${newline}`],
    [['message', '1\n2', '']]);
}
gives('d4: all of them in one stream', ['data:1\rdata:2\ndata:3\r\n\rdata:4\r\r\n'],
  [['message', '1\n2\n3', ''], ['message', '4', '']]);
for (const [name, character] of [
  ['NEL', '\u0085'], ['VT', '\v'], ['FF', '\f'], ['LS', '\u2028'], ['PS', '\u2029'],
]) {
  gives(`d4: ${name} is content`, [`data:1${character}2\n\n`],
    [['message', `1${character}2`, '']]);
}
