// The example `tabs`: seven tabs of one browser, in three ways.

import assert from 'node:assert/strict';
import test from 'node:test';
import { blankPage } from './support/browser.mjs';
import { startExample } from './support/example.mjs';
import { request } from './support/http.mjs';
import { picture } from './support/picture.mjs';
import { LIMIT, until } from './support/until.mjs';

/// Starts the example: where it is to be had over HTTP/1.1 and over HTTP/2.
async function start(t) {
  const { urls } = await startExample(t, 'tabs', { addresses: ['127.0.0.1:0', '127.0.0.1:0'] });
  const [plain, secure] = urls;
  return { plain, secure };
}

const text = (tab, id) => tab.textContent(`#${id}`);
const shows = (tab, id, expected) => until(
  async () => `${id} to be ${expected}; it is ${await text(tab, id)}`,
  async () => await text(tab, id) === expected,
);

/// Another tab of the browser that `page` is a tab of, at `url`.
async function openTab(page, url) {
  const tab = await page.context().newPage();
  await tab.goto(url);
  await shows(tab, 'state', 'open');
  return tab;
}

/// Seven tabs at `url`, and what each shows once all have heard something.
async function seven(t, url, { streams, protocol }) {
  const page = await blankPage(t, { ignoreHTTPSErrors: true });
  const tabs = [];
  while (tabs.length < 7) tabs.push(await openTab(page, url));
  await tabs[0].click('button');
  for (const tab of tabs) {
    await shows(tab, 'said', 'hello');
    await shows(tab, 'streams', `${streams}`);
    assert.equal(await text(tab, 'protocol'), protocol);
  }
  return tabs;
}

test('HTTP/1.1, a stream each: the seventh tab waits while six are open', LIMIT, async t => {
  const { plain } = await start(t);
  const page = await blankPage(t);
  const tabs = [];
  while (tabs.length < 6) tabs.push(await openTab(page, plain));
  await shows(tabs[0], 'streams', '6');
  let loaded = false;
  const seventh = await page.context().newPage();
  const load = seventh.goto(plain, { timeout: 0 }).then(() => { loaded = true; });
  // Not through the browser, which has no connection left for it.
  await request('POST', `${plain}/say`, { headers: { 'Content-Type': 'text/plain' }, body: 'to six' });
  for (const tab of tabs) await shows(tab, 'said', 'to six');
  assert.deepEqual([loaded, await text(tabs[0], 'streams')], [false, '6']);
  // Its own connections are taken, by six streams: what a tab says doesn't arrive either.
  await tabs[0].click('button');
  await request('POST', `${plain}/say`, { headers: { 'Content-Type': 'text/plain' }, body: '!' });
  for (const tab of tabs) await shows(tab, 'said', 'to six!');
  assert.equal(loaded, false);
  await tabs.pop().close();
  await load;
  await shows(seventh, 'state', 'open');
});

test('HTTP/2, a stream each: seven tabs work', LIMIT, async t => {
  const { secure } = await start(t);
  const tabs = await seven(t, secure, { streams: 7, protocol: 'h2' });
  await picture(tabs[0], 'example-tabs');
  await tabs[0].setViewportSize({ width: 320, height: 640 });
  assert.ok(await tabs[0].evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'it fits a narrow phone');
});

test('HTTP/1.1, one stream for all: seven tabs work, and six when the one that has it closes', LIMIT, async t => {
  const { plain } = await start(t);
  const [first, ...others] = await seven(t, `${plain}/?shared`, { streams: 1, protocol: 'http/1.1' });
  await first.close();
  await others[5].click('button');
  for (const tab of others) {
    await shows(tab, 'said', 'hellohello');
    await shows(tab, 'streams', '1');
  }
});
