// The rows of Mercure's public conformance suite, in both versions of the
// protocol: a page of the hub's origin watches without a token and publishes
// with one.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import { pageOf } from './support/browser.mjs';
import { CLAIMS, HUB_PATH, startMercureHub, token } from './support/mercure.mjs';
import { LIMIT } from './support/until.mjs';
import { watch } from './support/watch.mjs';

const ROWS = JSON.parse(
  await readFile(new URL('../../crates/conformance/rows.json', import.meta.url), 'utf8'),
);

/// POSTs a form from the page: status, type and body of the answer.
function post(page, bearer, fields) {
  return page.evaluate(async ([path, bearer, fields]) => {
    const reply = await fetch(path, {
      method: 'POST',
      headers: { Authorization: `Bearer ${bearer}` },
      body: new URLSearchParams(fields),
    });
    return { status: reply.status, type: reply.headers.get('Content-Type'), text: await reply.text() };
  }, [HUB_PATH, bearer, fields]);
}

async function check(page, dialect, row) {
  const tag = randomUUID();
  const tagged = text => text.replaceAll('TAG', tag);
  const watched = dialect === '0.x' ? row.selectors.map(text => ['topic', text]) : row.matchers;
  const query = new URLSearchParams(watched.map(([name, text]) => [name, tagged(text)]));
  const watcher = await watch(page, `${HUB_PATH}?${query}`);
  await watcher.opened();

  const id = `id-["${tag}"]`;
  const data = `The data of ${tag}:\n\n  a blank line, and two blanks\n\n\nend`;
  const bearer = token(dialect);
  const answer = await post(page, bearer, [
    ...row.topics.map(topic => ['topic', tagged(topic)]),
    ['id', id],
    ['data', data],
    ...(row.private ? [['private', 'on']] : []),
  ]);
  assert.equal(answer.status, 200, answer.text);
  assert.match(answer.type, /^text\/plain/);
  assert.equal(answer.text, id);

  // What doesn't arrive is told by a later event that does.
  const fence = await post(page, bearer, [['topic', tagged(row.fence)], ['data', 'fence']]);
  assert.equal(fence.status, 200, fence.text);
  await watcher.received(row.arrives ? 2 : 1);
  const seen = (await watcher.events()).map(({ data, id }) => ({ data, id }));
  const expected = row.arrives ? [{ data, id }] : [];
  assert.deepEqual(seen, [...expected, { data: 'fence', id: fence.text }]);
  await watcher.close();
}

for (const dialect of Object.keys(CLAIMS)) {
  test(`Mercure ${dialect}: the rows of the public suite`, LIMIT, async t => {
    const hub = await startMercureHub(t);
    const page = await pageOf(t, hub);
    assert.equal(ROWS.length, 11);
    for (const row of ROWS) {
      await t.test(row.about, LIMIT, () => check(page, dialect, row));
    }
  });
}
