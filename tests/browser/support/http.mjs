// One request on a connection of its own, so that no pooled connection of a
// hub that was killed is in the way.

import http from 'node:http';

/// Answers `{status, headers, text}`; rejects if the connection breaks.
export function request(method, url, { headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const sent = http.request(url, { method, headers, agent: false }, reply => {
      const parts = [];
      reply.on('data', part => parts.push(part));
      reply.on('error', reject);
      reply.on('end', () => {
        resolve({ status: reply.statusCode, headers: reply.headers, text: Buffer.concat(parts).toString() });
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
