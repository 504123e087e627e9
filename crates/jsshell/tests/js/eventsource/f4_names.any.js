for (const name of ['DATA', 'Data', ' data', 'data ', 'data\0', '\0data', 'dat', 'datas']) {
  gives(`f4: ${JSON.stringify(name)} is unknown`, [`${name}:x\ndata:1\n\n`], [['message', '1', '']]);
}
