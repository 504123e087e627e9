// The pages of the guide about what runs in browsers, with their own files.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { blankPage } from './support/browser.mjs';
import { bundle, fileOf, filesOf } from './support/guide.mjs';
import { startHub } from './support/hub.mjs';
import { LIMIT, until } from './support/until.mjs';

/// A page of the hub's origin with these files on it; `/app` is the page itself.
async function pageWith(t, hub, files) {
  const page = await blankPage(t);
  await page.route(`${hub.origin}/app/**`, route => {
    const name = new URL(route.request().url()).pathname.slice('/app/'.length);
    const type = name.endsWith('.js') ? 'text/javascript' : 'text/html';
    const body = files[name];
    return route.fulfill({ status: body === undefined ? 404 : 200, contentType: type, body: body ?? '' });
  });
  await page.goto(`${hub.origin}/app/page.html`);
  return page;
}

/// Waits until the hub has so many streams.
async function streams(hub, count) {
  let text;
  await until(() => `${count} streams; ${text}`, async () => {
    text = /^tidings_subscribers .*$/m.exec((await hub.get('/metrics')).text)?.[0];
    return text === `tidings_subscribers ${count}`;
  });
}

/// Waits until the page shows exactly these items.
async function shows(page, items) {
  let found;
  await until(() => `${JSON.stringify(items)}; it shows ${JSON.stringify(found)}`, async () => {
    found = await page.locator('li').allTextContents();
    return JSON.stringify(found) === JSON.stringify(items);
  });
}

/// `window.show(customer)` renders the component of a page, `hide()` takes it away.
async function checkComponent(t, hub, page) {
  await page.evaluate(() => window.show('7'));
  await page.getByText('open').waitFor();
  await streams(hub, 1);
  await hub.publish('orders/7', 'first');
  await shows(page, ['first']);
  await hub.crash();
  await hub.publish('orders/7', 'second');
  await shows(page, ['first', 'second']);
  await streams(hub, 1);
  await page.evaluate(() => window.show('8'));
  await hub.publish('orders/7', 'third');
  await hub.publish('orders/8', 'other');
  await shows(page, ['other']);
  await streams(hub, 1);
  await page.evaluate(() => window.hide());
  await streams(hub, 0);
}

const HTML = '<!doctype html><link rel="icon" href="data:,"><div id="app"></div><script src="main.js"></script>';

async function directoryOf(t) {
  const directory = await mkdtemp(path.join(tmpdir(), 'tidings-guide-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

test('React: one stream under StrictMode, resumed, and none behind it', LIMIT, async t => {
  const hub = await startHub(t);
  const main = await bundle(await directoryOf(t), await filesOf('howto/react.md'), `
    import { StrictMode } from 'react';
    import { createRoot } from 'react-dom/client';
    import { Orders } from './react/Orders.jsx';
    const root = createRoot(document.getElementById('app'));
    window.show = (customer) => root.render(
      <StrictMode><Orders key={customer} customer={customer} /></StrictMode>);
    window.hide = () => root.render(null);
  `);
  await checkComponent(t, hub, await pageWith(t, hub, { 'page.html': HTML, 'main.js': main }));
});

test('Vue: one stream, resumed, and none behind it', LIMIT, async t => {
  const hub = await startHub(t);
  const alias = { vue: 'vue/dist/vue.esm-bundler.js' };
  const main = await bundle(await directoryOf(t), await filesOf('howto/vue.md'), `
    import { createApp, h, ref } from 'vue';
    import { Orders } from './vue/Orders.js';
    const customer = ref(null);
    const render = () => customer.value && h(Orders, { key: customer.value, customer: customer.value });
    createApp({ render }).mount('#app');
    window.show = (name) => { customer.value = name; };
    window.hide = () => { customer.value = null; };
  `, alias);
  await checkComponent(t, hub, await pageWith(t, hub, { 'page.html': HTML, 'main.js': main }));
});

test('the page of the first five minutes shows what it shows', LIMIT, async t => {
  const hub = await startHub(t);
  const { 'news.html': shown } = await filesOf('getting-started.md');
  const page = await pageWith(t, hub, { 'page.html': `<!doctype html>${shown}` });
  await streams(hub, 1);
  await hub.publish('news', 'first');
  await page.locator('#news', { hasText: 'first' }).waitFor();
  await hub.crash();
  await hub.publish('news', 'second');
  await page.locator('#news', { hasText: 'second' }).waitFor();
  assert.equal(await page.locator('#news').innerText(), 'first\nsecond\n');
});

test('a stream that was refused with 503 is opened again, with growing waits', LIMIT, async t => {
  const hub = await startHub(t);
  const { 'watch.js': shown } = await filesOf('mistakes.md');
  const page = await pageWith(t, hub, { 'page.html': HTML, 'main.js': shown });
  let refused = 0;
  await page.route(url => url.pathname === '/t/news', route => {
    refused += 1;
    return refused <= 2 ? route.fulfill({ status: 503 }) : route.continue();
  });
  // Left alone it stays so.
  const closed = await page.evaluate(() => new Promise(resolve => {
    const source = new EventSource('/t/news');
    source.onerror = () => resolve(source.readyState === EventSource.CLOSED);
  }));
  assert.equal(closed, true);
  await page.evaluate(() => {
    globalThis.heard = [];
    globalThis.end = window.watch('/t/news', event => globalThis.heard.push(event.data), 10);
  });
  const heard = expected => until(`the page to hear ${expected}`, async () => (
    await page.evaluate(() => globalThis.heard.join()) === expected
  ));
  await streams(hub, 1);
  assert.equal(refused, 3);
  await hub.publish('news', 'first');
  await heard('first');
  // Refused after it has heard something, it goes on behind that.
  refused = 0;
  await hub.crash();
  await hub.publish('news', 'second');
  await heard('first,second');
  assert.ok(refused > 2, `${refused} attempts`);
  await page.evaluate(() => globalThis.end());
  await streams(hub, 0);
});

test('a stream that is opened again ends with its topic', LIMIT, async t => {
  const hub = await startHub(t);
  const { 'watch.js': shown } = await filesOf('mistakes.md');
  const page = await pageWith(t, hub, { 'page.html': HTML, 'main.js': shown });
  await page.evaluate(() => {
    globalThis.heard = [];
    window.watch('/t/news', event => globalThis.heard.push(event.data), 10);
  });
  await streams(hub, 1);
  await hub.publish('news', 'last', { query: 'close=1' });
  await streams(hub, 0);
  await until('the last', () => page.evaluate(() => globalThis.heard.length > 0));
  assert.deepEqual(await page.evaluate(() => globalThis.heard), ['last']);
  // Nobody comes back: it was told that this is the end.
  const more = page.waitForRequest(/\/t\//, { timeout: 1000 });
  await assert.rejects(more, { name: 'TimeoutError' });
});

/// A page of htmx' that watches a hub.
async function htmxPage(t, name, scripts) {
  const hub = await startHub(t);
  const shown = (await filesOf('howto/htmx.md'))[`htmx/${name}.html`].replaceAll('"/js/', '"js/');
  const files = { 'page.html': `<!doctype html><link rel="icon" href="data:,">${shown}` };
  for (const [script, from] of Object.entries(scripts)) files[`js/${script}`] = await fileOf(from);
  const page = await pageWith(t, hub, files);
  await streams(hub, 1);
  return { hub, page };
}

/// The page shows fragments, also those that were published while the hub was
/// away; and lets go of the stream when its topic ends.
async function checkHtmx(t, name, scripts) {
  const { hub, page } = await htmxPage(t, name, scripts);
  await hub.publish('orders/html', '<li>first</li>');
  await shows(page, ['first']);
  await hub.crash();
  await hub.publish('orders/html', '<li>second</li>');
  await shows(page, ['first', 'second']);
  const closed = await hub.publish('orders/html', '<li>last</li>', { query: 'close=1' });
  assert.equal(closed.closed, true);
  await shows(page, ['first', 'second', 'last']);
  await streams(hub, 0);
  // Nobody comes back: it was told that this is the end.
  const more = page.waitForRequest(/\/t\//, { timeout: 1000 });
  await assert.rejects(more, { name: 'TimeoutError' });
}

async function checkHtmxRemoved(t, name, scripts) {
  const { hub, page } = await htmxPage(t, name, scripts);
  await page.evaluate(() => document.querySelector('div, ul').remove());
  // It may only notice when something comes.
  await hub.publish('orders/html', '<li>into the void</li>');
  await streams(hub, 0);
}

const HTMX_4 = { 'htmx.js': 'htmx.org/dist/htmx.js', 'ext/hx-sse.js': 'htmx.org/dist/ext/hx-sse.js' };
const HTMX_2 = { 'htmx.js': 'htmx2/dist/htmx.js', 'sse.js': 'htmx-ext-sse/sse.js' };

test('htmx 4 shows fragments, resumes, and ends with the topic', LIMIT, t => checkHtmx(t, '4', HTMX_4));
test('htmx 2 shows fragments, resumes, and ends with the topic', LIMIT, t => checkHtmx(t, '2', HTMX_2));
test('htmx 4 lets go of the stream with its element', LIMIT, t => checkHtmxRemoved(t, '4', HTMX_4));
test('htmx 2 lets go of the stream with its element', LIMIT, t => checkHtmxRemoved(t, '2', HTMX_2));
