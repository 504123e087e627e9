// useTidings in a page of React's, under StrictMode, which mounts everything twice.

import assert from 'node:assert/strict';
import test from 'node:test';
import { pageOf } from './support/browser.mjs';
import { bundle, streams } from './support/client.mjs';
import { startHub } from './support/hub.mjs';
import { LIMIT, until } from './support/until.mjs';

const APP = `
import { StrictMode, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { useTidings } from '@tidings/client/react';

window.got = [];
window.gaps = [];
window.renders = 0;

function News({ topics, url }) {
  const { state, last, error } = useTidings(url, {
    topics,
    ...(window.plain ? {} : { headers: () => ({ 'X-Render': String(window.renders) }) }),
    onEvent: event => window.got.push(event.data),
    onGap: gap => window.gaps.push(gap.reason),
  });
  window.renders += 1;
  return <p><b>{state}</b> <i>{last?.data ?? 'nothing'}</i> <s>{error?.code ?? 'well'}</s></p>;
}

function App() {
  const [shown, show] = useState({ topics: ['news'], url: '/', mounted: true });
  window.change = next => show(before => ({ ...before, ...next }));
  return shown.mounted ? <News topics={shown.topics} url={shown.url} /> : <p>gone</p>;
}

const place = document.body.appendChild(document.createElement('div'));
createRoot(place).render(<StrictMode><App /></StrictMode>);
`;

/// The page with the component, and the requests for streams that it makes: by
/// EventSource if they are to be `plain`, otherwise by fetch.
async function mount(t, hub, { plain = false } = {}) {
  const page = await pageOf(t, hub);
  await page.evaluate(plain => { window.plain = plain; }, plain);
  const asked = [];
  page.on('request', request => {
    const { pathname } = new URL(request.url());
    if (pathname === '/events') asked.push({ kind: request.resourceType(), headers: request.headers() });
  });
  await page.addScriptTag({ content: await bundle(APP) });
  return { page, asked };
}

const shows = (page, text) => until(
  async () => `'${text}'; the page shows '${await page.textContent('p')}'`,
  async () => await page.textContent('p') === text,
);

for (const [plain, kind] of [[true, 'eventsource'], [false, 'fetch']]) {
  test(`${kind}: it opens one connection, shows what comes, and closes it when it is unmounted`, LIMIT, async t => {
    const hub = await startHub(t);
    const { page, asked } = await mount(t, hub, { plain });
    await shows(page, 'open nothing well');
    await hub.publish('news', 'one');
    await shows(page, 'open one well');
    assert.deepEqual(asked.map(({ kind }) => kind), [kind], 'one request, though it was mounted twice');
    assert.equal(await streams(hub), 1);
    assert.ok(await page.evaluate(() => window.renders) > 1);
    await page.evaluate(() => window.change({ mounted: false }));
    await shows(page, 'gone');
    await until('no stream', async () => await streams(hub) === 0);
    await page.evaluate(() => window.change({ mounted: true }));
    await shows(page, 'open nothing well');
    assert.deepEqual([asked.length, await streams(hub)], [2, 1]);
    const own = page.complaints.filter(text => !text.startsWith('Failed to load resource'));
    assert.deepEqual(own, []);
  });
}

test('each event reaches the component, also of those that come together, and over a kill', LIMIT, async t => {
  const hub = await startHub(t);
  const { page, asked } = await mount(t, hub);
  await shows(page, 'open nothing well');
  const all = Array.from({ length: 200 }, (_, i) => `${i}`);
  const lines = all.map(data => JSON.stringify({ data })).join('\n');
  const answer = await fetch(`${hub.origin}/t/news`, {
    method: 'POST', headers: { 'Content-Type': 'application/x-ndjson' }, body: lines,
  });
  assert.equal(answer.status, 200);
  await shows(page, 'open 199 well');
  await hub.crash();
  await hub.publish('news', 'after');
  await shows(page, 'open after well');
  assert.deepEqual(await page.evaluate(() => window.got), [...all, 'after']);
  assert.deepEqual(await page.evaluate(() => window.gaps), []);
  // A function among the options is the latest each time, and asked each time.
  const renders = asked.map(({ headers }) => Number(headers['x-render']));
  assert.ok(renders.at(-1) > renders[0], `${renders}`);
});

test('options that are other ones make another watch; those that are the same keep it', LIMIT, async t => {
  const hub = await startHub(t);
  const { page, asked } = await mount(t, hub);
  await shows(page, 'open nothing well');
  await page.evaluate(() => window.change({ topics: ['news'] }));
  await hub.publish('news', 'one');
  await shows(page, 'open one well');
  assert.equal(asked.length, 1);
  await page.evaluate(() => window.change({ topics: ['orders/*'] }));
  await shows(page, 'open nothing well');
  await hub.publish('news', 'two');
  await hub.publish('orders/7', 'three');
  await shows(page, 'open three well');
  assert.deepEqual(await page.evaluate(() => window.got), ['one', 'three']);
  await until('one stream', async () => await streams(hub) === 1);
  await page.evaluate(() => window.change({ url: null }));
  await until('no stream', async () => await streams(hub) === 0);
  await page.evaluate(() => window.change({ url: '/', topics: 'a//b' }));
  await shows(page, 'closed nothing invalid-topic');
  assert.equal(await streams(hub), 0);
});
