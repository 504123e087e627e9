// npm's `better-sse`, with its channel: `node better_sse.mjs ADDRESS PORT`.

import http from 'node:http';
import { createInterface } from 'node:readline';
import { setImmediate } from 'node:timers/promises';
import { createChannel, createSession } from 'better-sse';

const [address, port] = process.argv.slice(2);
const channel = createChannel();

async function publish(request) {
  if (request.headers['content-type'] !== 'application/x-ndjson') {
    let data = '';
    for await (const text of request.setEncoding('utf8')) data += text;
    channel.broadcast(data);
    return;
  }
  for await (const line of createInterface({ input: request })) {
    channel.broadcast(JSON.parse(line).data);
    // What is written in one turn waits for its end: sockets are to get it now.
    await setImmediate();
  }
}

const server = http.createServer(async (request, response) => {
  if (request.method === 'GET') {
    channel.register(await createSession(request, response));
    return;
  }
  await publish(request);
  response.writeHead(204).end();
});
server.listen({ port: Number(port), host: address, backlog: 16384 });
