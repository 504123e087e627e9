// A web site of another origin than the hub's.

import { once } from 'node:events';
import http from 'node:http';

/// Serves one empty page; answers its origin.
export async function startSite(t) {
  const server = http.createServer((_, reply) => {
    reply.writeHead(200, { 'Content-Type': 'text/html', 'Set-Cookie': 'of-the-site=1' });
    reply.end('<!doctype html><title>another site</title><link rel="icon" href="data:,">');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}
