// The console where there is much of something: depth, length, tabs; and where
// there is too little: an answer.

import assert from 'node:assert/strict';
import test from 'node:test';
import { PHONE, WIDE, address, fits, listed, openConsole, show, tailing } from './support/console.mjs';
import { startHub } from './support/hub.mjs';
import { LIMIT, until } from './support/until.mjs';

const LONG = `long/${'x'.repeat(4000)}`;

/// Waits until the hub has so many streams.
async function streams(hub, count) {
  let text;
  await until(() => `${count} streams; ${text}`, async () => {
    text = /^tidings_subscribers .*$/m.exec((await hub.get('/metrics')).text)?.[0];
    return text === `tidings_subscribers ${count}`;
  });
}

// [what it is, data, what of it is in the page]
const HEAVY = [
  ['deeper than can be laid out', '['.repeat(20_000) + ']'.repeat(20_000), 40_000],
  ['one string of quotes, cut', `["${'\\"'.repeat(99_900)}"]`, 100_000],
];

for (const [what, data, length] of HEAVY) {
  test(`an event can be opened, and another after it: ${what}`, LIMIT, async t => {
    const hub = await startHub(t);
    const page = await openConsole(t, hub, 'live', { topic: 'heavy' });
    await tailing(page);
    await hub.publish('heavy', data);
    await listed(page, 1);
    await page.locator('main .row').first().click();
    const pre = page.locator('main .detail pre');
    await until('the data', async () => (await pre.textContent()).length === length);
    await hub.publish('heavy', 'light');
    await listed(page, 2);
    await page.locator('main .row').getByText('light').click();
    await until('the other', async () => await pre.textContent() === 'light');
    assert.deepEqual(page.complaints, []);
  });
}

test('what is published again because the answer was lost is published once', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await openConsole(t, hub, 'publish');
  await page.route(`${hub.origin}/t/news`, async route => {
    await route.fetch();
    await route.abort();
  }, { times: 1 });
  const press = () => page.getByRole('button', { name: 'Publish', exact: true }).click();
  await page.getByLabel('Data').fill('once');
  await press();
  await page.locator('main .refusal').waitFor();
  assert.deepEqual(await hub.history('news'), ['once']);
  await press();
  await page.getByText(/Published as td-/).waitFor();
  assert.deepEqual(await hub.history('news'), ['once']);
  // What was answered is over: the same again is another event.
  await press();
  await until('the second event', async () => (await hub.history('news')).length === 2);
});

test('tabs of the console leave connections for others', LIMIT, async t => {
  const hub = await startHub(t);
  const first = await openConsole(t, hub, 'live');
  await tailing(first);
  const tabs = [first];
  for (let n = 1; n < 4; n += 1) {
    const tab = await first.context().newPage();
    await tab.goto(address(hub, 'live'));
    await tailing(tab);
    tabs.push(tab);
  }
  // A tail for each, and one for what the hub tells of itself.
  await streams(hub, 5);
  for (const tab of tabs) await tab.locator('.hub-line').getByText(/up \d+/).waitFor();
  await first.close();
  await streams(hub, 4);
  await hub.publish('news', 'for all');
  for (const tab of tabs.slice(1)) await listed(tab, 1);
  await show(tabs[1], hub, 'overview');
  await until('points in the chart', async () => Number(await tabs[1].locator('main .plot').first().getAttribute('data-points')) >= 2);
});

/// Says to the page that its tab is out of view, or in view again.
const hide = (page, hidden) => page.evaluate(hidden => {
  Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
  document.dispatchEvent(new Event('visibilitychange'));
}, hidden);

test('a tail lets go while its tab is out of view, and misses nothing', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await openConsole(t, hub, 'live');
  await tailing(page);
  await hub.publish('news', 'first');
  await listed(page, 1);
  await streams(hub, 2);
  await hide(page, true);
  await streams(hub, 1);
  await hub.publish('news', 'second');
  await hub.publish('news', 'last', { query: 'close=1' });
  await hide(page, false);
  await page.getByText('this topic has ended').waitFor();
  assert.deepEqual((await listed(page, 4)).map(row => /first|second|last|tidings:end/.exec(row)?.[0]), ['tidings:end', 'last', 'second', 'first']);
  // What has ended isn't asked for again.
  const none = assert.rejects(page.waitForRequest(/topic=news/, { timeout: 1000 }), { name: 'TimeoutError' });
  await hide(page, true);
  await hide(page, false);
  await none;
});

for (const [name, viewport] of [['wide', WIDE], ['phone', PHONE]]) {
  test(`a topic as long as may be leaves room for the rest: ${name}`, LIMIT, async t => {
    const hub = await startHub(t);
    const page = await openConsole(t, hub, 'topics', { viewport, topic: LONG });
    await page.getByText('Nothing has been published since').waitFor();
    await hub.publish(LONG, 'there');
    await hub.publish('short', 'there');
    await until('both topics', async () => await page.locator('main tbody tr').count() === 2);
    await fits(page, 'topics');
    const { content, box } = await page.locator('main .table').evaluate(table => ({ content: table.scrollWidth, box: table.clientWidth }));
    assert.ok(content <= box, `the table has ${content} px in ${box}`);
    for (const view of ['live', 'history']) {
      await show(page, hub, view, LONG);
      await fits(page, view);
      if (view === 'live') await page.getByLabel('From').selectOption('last:100');
      await listed(page, 1);
      const { height } = await page.locator('main .scroll').boundingBox();
      assert.ok(height >= 200, `${view}: the list is ${height} px high`);
      await page.locator('main .row').first().click();
      await page.locator('main .detail').waitFor();
    }
  });
}

test('another page of history begins at its top', LIMIT, async t => {
  const hub = await startHub(t);
  for (let n = 1; n <= 120; n += 1) await hub.publish('news', `number ${n}.`);
  const page = await openConsole(t, hub, 'history');
  await page.getByLabel('Per page').selectOption('50');
  await page.locator('main .pager').getByText('Page 1 · 50 events').waitFor();
  await page.locator('main .scroll').evaluate(list => { list.scrollTop = list.scrollHeight; });
  await page.locator('main .row').getByText('number 50.').waitFor();
  await page.getByRole('button', { name: 'Next' }).click();
  await page.locator('main .row').getByText('number 51.').waitFor();
  await until('the top', () => page.locator('main .scroll').evaluate(list => list.scrollTop === 0));
});
