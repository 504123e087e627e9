// The events that are to be sent: a file of JSON, named on the command line.

import { readFileSync } from 'node:fs';

const rows = JSON.parse(readFileSync(process.argv[2], 'utf8'));

/// What follows the event with this id; everything if there is none.
export function after(lastEventId) {
  return rows.slice(rows.findIndex(row => row.id === lastEventId) + 1);
}

/// A header's value, of which Node makes Latin-1; EventSource sends UTF-8.
export function utf8(value = '') {
  return Buffer.from(value, 'latin1').toString('utf8');
}

/// Listens on a free port and says which.
export function listen(server) {
  server.listen(0, '127.0.0.1', () => {
    process.stdout.write(`${JSON.stringify({ port: server.address().port })}\n`);
  });
}
