// What the client's page says of htmx, as it stands there.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import { blankPage } from './support/browser.mjs';
import { fileOf } from './support/guide.mjs';
import { startHub } from './support/hub.mjs';
import { LIMIT, until } from './support/until.mjs';

const CLIENT = new URL('../../web/client/', import.meta.url);

/// The page of the README, with htmx before it.
async function pageOfReadme() {
  const readme = await readFile(new URL('README.md', CLIENT), 'utf8');
  const [, inner] = /^```html\n(.*?)^```$/ms.exec(readme);
  return `<!doctype html><script src="/htmx.js"></script><body>${inner}`;
}

for (const [version, file] of [['4', 'htmx.org/dist/htmx.js'], ['2', 'htmx2/dist/htmx.js']]) {
  test(`htmx ${version} fetches anew what an event says has changed`, LIMIT, async t => {
    const hub = await startHub(t);
    const page = await blankPage(t);
    let news = 0;
    const files = {
      '/page': ['text/html', await pageOfReadme()],
      '/htmx.js': ['text/javascript', await fileOf(file)],
      '/tidings.js': ['text/javascript', await readFile(new URL('bundle/tidings.js', CLIENT), 'utf8')],
      '/news': ['text/html', () => `<li>fetched ${news += 1}</li>`],
    };
    for (const [path, [contentType, body]] of Object.entries(files)) {
      await page.route(`${hub.origin}${path}`, route =>
        route.fulfill({ contentType, body: typeof body === 'function' ? body() : body }));
    }
    await page.goto(`${hub.origin}/page`);
    const item = () => page.textContent('li').catch(() => '');
    await until('the first news', async () => await item() === 'fetched 1');
    const subscribers = async () => /^tidings_subscribers (\d+)$/m.exec((await hub.get('/metrics')).text)[1];
    await until('a stream', async () => await subscribers() === '1');
    await hub.publish('news', 'something');
    await until('news anew', async () => await item() === 'fetched 2');
    assert.deepEqual(page.complaints.filter(text => !text.startsWith('Failed to load')), []);
  });
}
