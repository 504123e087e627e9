// The lines that publish to a topic and watch it, in the languages people use.
// Whatever stands in a topic, nothing escapes the quotes it is put into.

import { isPattern, topicPath, watchPath, withParameter } from './topics';

export interface Lines {
  publish: string | null;
  watch: string;
  history: string;
  javascript: string;
  react: string;
  pythonPublish: string | null;
  pythonWatch: string;
}

/// How one comes by @tidings/client, which is in no registry: it is made in a checkout of
/// Tidings, and added to a project from there.
export const CLIENT = {
  make: 'cd web/client && npm ci && npm pack',
  add: 'npm install path/to/tidings/web/client/tidings-client-*.tgz',
};

/// Quoted for a POSIX shell.
export const shell = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/// Quoted for JavaScript and for Python, which read JSON's strings alike.
const quoted = (text: string): string => JSON.stringify(text);

/// The lines for a topic or pattern of the hub at `hub`; `guarded` says that it
/// asks for a token.
export function linesFor(hub: string, selector: string, guarded: boolean): Lines {
  const watch = hub + watchPath(selector);
  const publish = isPattern(selector) ? null : hub + topicPath(selector);
  const history = withParameter(watch, 'since', 'earliest');
  const header = guarded ? '-H "Authorization: Bearer $TOKEN" ' : '';
  return {
    publish: publish && `curl ${header}--data-raw 'hello' ${shell(publish)}`,
    watch: `curl -N ${header}${shell(watch)}`,
    history: `curl ${header}-H 'Accept: application/json' ${shell(history)}`,
    javascript: javascript(hub, selector, watch, guarded),
    react: react(hub, selector, guarded),
    pythonPublish: publish && python(publish, guarded),
    pythonWatch: pythonWatch(watch, guarded),
  };
}

function javascript(hub: string, selector: string, watch: string, guarded: boolean): string {
  if (!guarded) {
    return [
      `const events = new EventSource(${quoted(watch)});`,
      'events.onmessage = event => console.log(event.lastEventId, event.data);',
    ].join('\n');
  }
  return [
    "import { Tidings } from '@tidings/client';",
    '',
    `const events = new Tidings(${quoted(hub)}, { topics: [${quoted(selector)}], token: TOKEN });`,
    "events.on('message', event => console.log(event.id, event.data));",
  ].join('\n');
}

function react(hub: string, selector: string, guarded: boolean): string {
  const token = guarded ? ', token: TOKEN' : '';
  return [
    "import { useTidings } from '@tidings/client/react';",
    '',
    'function Newest() {',
    `  const { last, state } = useTidings(${quoted(hub)}, { topics: [${quoted(selector)}]${token} });`,
    '  return <p>{state}: {last?.data}</p>;',
    '}',
  ].join('\n');
}

const bearer = (guarded: boolean) => (guarded ? ', headers={"Authorization": f"Bearer {TOKEN}"}' : '');

function python(url: string, guarded: boolean): string {
  return `import httpx\n\nprint(httpx.post(${quoted(url)}, content="hello"${bearer(guarded)}).json())`;
}

function pythonWatch(url: string, guarded: boolean): string {
  return [
    'import httpx',
    'from httpx_sse import connect_sse',
    '',
    'with httpx.Client(timeout=60) as http:',
    `    with connect_sse(http, "GET", ${quoted(url)}${bearer(guarded)}) as stream:`,
    '        for event in stream.iter_sse():',
    '            if event.data:',
    '                print(event.id, event.event, event.data)',
  ].join('\n');
}
