// The example "clock".

import assert from 'node:assert/strict';
import test from 'node:test';
import { blankPage } from './support/browser.mjs';
import { readmeHolds, startExample } from './support/example.mjs';
import { picture } from './support/picture.mjs';
import { LIMIT, until } from './support/until.mjs';

/// The time that `page` shows, as a number.
async function shown(page) {
  const text = await page.locator('#now').getAttribute('datetime');
  return text ? Date.parse(text) : 0;
}

/// Waits until `page` shows two more seconds, each later than the one before.
async function ticks(page) {
  let last = await shown(page);
  for (let more = 0; more < 2; more += 1) {
    const before = last;
    last = await until(`a tick after ${before}`, async () => {
      const now = await shown(page);
      return now !== before && now;
    });
    assert.ok(last > before, `${last} came after ${before}`);
  }
}

test('the page shows the time, in every tab', LIMIT, async t => {
  const { urls: [origin] } = await startExample(t, 'clock');
  const pages = [await blankPage(t), await blankPage(t)];
  for (const page of pages) await page.goto(origin);
  await Promise.all(pages.map(ticks));
  await picture(pages[0], 'clock');
  for (const page of pages) assert.deepEqual(page.complaints, []);
});

test('the stream, with curl as the README says', LIMIT, async t => {
  const { urls: [origin] } = await startExample(t, 'clock');
  const three = /(^data: \w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT\n(.+\n)*\n){3}/m;
  await readmeHolds(t, 'clock', { 'http://localhost:3000': origin }, [three]);
});

test('the page goes on by itself after the app was away', LIMIT, async t => {
  const first = await startExample(t, 'clock');
  const [origin] = first.urls;
  const page = await blankPage(t);
  await page.goto(origin);
  await ticks(page);
  await first.end('SIGKILL');
  await page.locator('#state[data-state=connecting]').waitFor();
  await startExample(t, 'clock', { addresses: [`127.0.0.1:${new URL(origin).port}`] });
  await page.locator('#state[data-state=open]').waitFor();
  await ticks(page);
});
