// The console in a browser.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { blankPage } from './browser.mjs';
import { until } from './until.mjs';

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

export const WIDE = { width: 1280, height: 820 };
export const PHONE = { width: 360, height: 740 };
export const VIEWS = ['overview', 'topics', 'connections', 'live', 'history', 'publish', 'presence', 'code'];

/// The address of a view of a topic.
export const address = (hub, view, topic = 'news') => `${hub.origin}/console/#/${view}?topic=${encodeURIComponent(topic)}`;

/// The console, at a view.
export async function openConsole(t, hub, view, { topic, token, ...options } = {}) {
  const page = await blankPage(t, {
    viewport: WIDE, locale: 'en-GB', permissions: ['clipboard-read', 'clipboard-write'], ...options,
  });
  if (token) await page.addInitScript(token => sessionStorage.setItem('tidings.token', token), token);
  const answer = await page.goto(address(hub, view, topic));
  assert.equal(answer.status(), 200);
  await page.locator('main h1').waitFor();
  return page;
}

/// Goes to a view by its address, as a link does.
export async function show(page, hub, view, topic = 'news') {
  await page.goto(address(hub, view, topic));
  await page.locator(`main.${view} h1`).waitFor();
}

/// Waits until the tail in view is open: what is published from then on comes.
export function tailing(page) {
  return page.locator('main .feed .dot.open').waitFor();
}

/// Waits until the list shows `count` events; answers their texts, in order.
export async function listed(page, count) {
  const rows = page.locator('main .row');
  await until(`${count} events in the list`, async () => await rows.count() >= count);
  return rows.allInnerTexts();
}

/// Waits until `locator` says something that `test` takes; answers that.
export function says(locator, test) {
  let text;
  return until(() => `a text like ${test}; it says ${JSON.stringify(text)}`, async () => {
    text = await locator.innerText();
    return test.test(text) && text;
  });
}

/// Holds that axe finds nothing wrong with the page as it is.
export async function accessible(page, what) {
  // Evaluated, not added to the page: its policy runs only scripts of its own.
  // It stays for as long as the page isn't loaded again.
  if (!await page.evaluate(() => 'axe' in globalThis)) await page.evaluate(await readFile(AXE, 'utf8'));
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
  }));
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(node => node.html).join(' | ')}`);
  assert.deepEqual(found, [], what);
}

/// Holds that nothing stands out of the window to the side.
export async function fits(page, what) {
  const { content, window } = await page.evaluate(() => ({
    content: document.documentElement.scrollWidth, window: innerWidth,
  }));
  assert.ok(content <= window, `${what}: ${content} px in a window of ${window}`);
}
