// What npm has for browsers and speaks Mercure, on a page of another origin.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import test from 'node:test';
import { blankPage } from './support/browser.mjs';
import { HUB_PATH, publish, startMercureHub, token } from './support/mercure.mjs';
import { startSite } from './support/site.mjs';
import { LIMIT, until } from './support/until.mjs';

const TOPIC = 'https://example.com/books/1';

/// A file of an installed package, for a site to serve.
async function module(path) {
  const file = fileURLToPath(new URL(`./node_modules/${path}`, import.meta.url));
  return { type: 'text/javascript', body: await readFile(file) };
}

function html(body) {
  return { type: 'text/html', body: `<!doctype html><link rel="icon" href="data:,">${body}` };
}

/// A closed hub, which lets the pages of `site` watch with credentials.
function startClosedHub(t, site) {
  return startMercureHub(t, [`cors_origins ${site}`]);
}

function watchUrl(hub) {
  return `${hub.origin}${HUB_PATH}?${new URLSearchParams({ topic: TOPIC })}`;
}

function texts(page) {
  return page.evaluate(() => [...document.querySelectorAll('#list > *')].map(e => e.textContent));
}

function listed(page, expected) {
  return until(async () => `${expected}; it has ${await texts(page)}`, async () =>
    JSON.stringify(await texts(page)) === JSON.stringify(expected));
}

test('@symfony/ux-turbo, private, with a cookie, resumes', LIMIT, async t => {
  const pages = {
    '/turbo.js': await module('@hotwired/turbo/dist/turbo.es2017-esm.js'),
    '/source.js': await module('@symfony/ux-turbo/dist/mercure_stream_source_element.js'),
  };
  const site = await startSite(t, pages);
  const hub = await startClosedHub(t, site);
  pages['/'] = html(`
    <script type="importmap">{"imports": {"@hotwired/turbo": "/turbo.js"}}</script>
    <script type="module" src="/source.js"></script>
    <div id="list"></div>
    <turbo-mercure-stream-source src="${watchUrl(hub).replaceAll('&', '&amp;')}" private>
    </turbo-mercure-stream-source>`);
  const page = await blankPage(t);
  await page.context().addCookies([{
    name: 'mercureAuthorization',
    value: token('0.x', { mercure: { subscribe: [TOPIC] } }),
    url: hub.origin + HUB_PATH,
    httpOnly: true,
    sameSite: 'Strict',
  }]);
  await page.goto(site);
  const append = text => publish(hub, [
    ['topic', TOPIC],
    ['private', 'on'],
    ['data', `<turbo-stream action="append" target="list"><template><p>${text}</p></template></turbo-stream>`],
  ]);
  await page.waitForSelector('[connected]', { state: 'attached' });
  await append('one');
  await listed(page, ['one']);
  await publish(hub, [['topic', 'https://example.com/books/2'], ['data', 'not watched']]);
  await hub.crash();
  await append('two');
  await append('three');
  await listed(page, ['one', 'two', 'three']);
});

test('event-source-polyfill, with an Authorization header', LIMIT, async t => {
  const pages = {
    '/polyfill.js': await module('event-source-polyfill/src/eventsource.js'),
    '/': html('<script src="/polyfill.js"></script><div id="list"></div>'),
  };
  const site = await startSite(t, pages);
  const hub = await startClosedHub(t, site);
  const page = await blankPage(t);
  await page.goto(site);
  const bearer = token('0.x', { mercure: { subscribe: [TOPIC] } });
  await page.evaluate(([url, bearer]) => {
    const headers = { Authorization: `Bearer ${bearer}` };
    globalThis.source = new EventSourcePolyfill(url, { headers });
    source.onmessage = ({ data, lastEventId }) => {
      const line = document.createElement('p');
      line.textContent = `${data} ${lastEventId}`;
      document.querySelector('#list').append(line);
    };
    source.onopen = () => { document.title = 'open'; };
  }, [watchUrl(hub), bearer]);
  await until('an open stream', async () => await page.title() === 'open');
  const expected = [];
  const send = async (data, fields = []) => {
    const id = await publish(hub, [['topic', TOPIC], ['data', data], ['private', 'on'], ...fields]);
    expected.push(`${data} ${id}`);
  };
  await send('one');
  await send('two', [['id', 'urn:x:2']]);
  await listed(page, expected);
  await hub.crash();
  await send('three');
  await listed(page, expected);
  assert.equal(expected[1], 'two urn:x:2');
});
