// A web site of another origin than the hub's.

import { once } from 'node:events';
import http from 'node:http';

const EMPTY = {
  type: 'text/html',
  body: '<!doctype html><title>another site</title><link rel="icon" href="data:,">',
};

/// Serves `pages`, each a type and a body, and else an empty one; answers its
/// origin. They may be given later.
export async function startSite(t, pages = {}) {
  const server = http.createServer((asked, reply) => {
    const { type, body } = pages[asked.url] ?? EMPTY;
    reply.writeHead(200, { 'Content-Type': type, 'Set-Cookie': 'of-the-site=1' });
    reply.end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}
