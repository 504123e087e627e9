// A server of event streams that says exactly what a test wants, and keeps what
// it was asked.

import { once } from 'node:events';
import http from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

/// Serves `answers` in turn, the last one again and again: each is a function of
/// the reply and the request, or the text of a stream that ends behind it.
export async function serve(t, ...answers) {
  const asked = [];
  const server = http.createServer((request, reply) => {
    asked.push({ method: request.method, url: request.url, headers: request.headers });
    request.resume();
    const answer = answers[Math.min(asked.length, answers.length) - 1];
    if (typeof answer === 'function') return answer(reply, request);
    reply.writeHead(200, { 'Content-Type': 'text/event-stream' });
    reply.end(answer);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { asked, server, url: `http://127.0.0.1:${server.address().port}/stream` };
}

/// An answer that goes on.
export const open = text => reply => {
  reply.writeHead(200, { 'Content-Type': 'text/event-stream' });
  reply.write(text);
};

export const status = (code, headers = {}, body = '') => reply => reply.writeHead(code, headers).end(body);

const PATIENCE_MS = 60_000;

/// Waits for a condition; fails after a minute.
export async function until(what, condition) {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; await pause(5)) {
    if (await condition()) return;
  }
  throw new Error(`waited ${PATIENCE_MS / 1000} s for ${what}`);
}
