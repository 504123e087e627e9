// npm's `better-sse`. Data goes as JSON, which is its default: of text it would
// send the first line only. With `http2` as the second argument it speaks that,
// without TLS and without HTTP/1.1.

import http from 'node:http';
import http2 from 'node:http2';
import { createSession } from 'better-sse';
import { after, listen, utf8 } from './table.mjs';

const { createServer } = process.argv[3] === 'http2' ? http2 : http;

listen(createServer(async (request, response) => {
  const session = await createSession(request, response, { retry: 100 });
  for (const { id, event, retry, data } of after(utf8(session.lastId))) {
    await session.batch(buffer => {
      if (retry !== null) buffer.retry(retry);
      buffer.push(data, event ?? 'message', id);
    });
  }
}));
