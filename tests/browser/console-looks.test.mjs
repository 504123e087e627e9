// The console as it is seen: wide and on a phone, light and dark, in English
// and Chinese, and by the keyboard alone.

import assert from 'node:assert/strict';
import test from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { pageOf } from './support/browser.mjs';
import { PHONE, VIEWS, WIDE, accessible, fits, listed, openConsole, show, tailing } from './support/console.mjs';
import { startHub } from './support/hub.mjs';
import { picture } from './support/picture.mjs';
import { LIMIT, until } from './support/until.mjs';

// [name, viewport, colours, language]
const LOOKS = [
  ['wide-light', WIDE, 'light', 'en-GB'],
  ['wide-dark', WIDE, 'dark', 'zh-CN'],
  ['phone-light', PHONE, 'light', 'zh-CN'],
  ['phone-dark', PHONE, 'dark', 'en-GB'],
];

const TOPICS = ['orders/40', 'orders/41', 'orders/42', 'sensors/hall-3/temperature', 'news', 'chat/rooms/general'];

/// Something to look at: events that come until the test ends, some of them
/// long, and people who are there.
async function fill(t, hub) {
  let ended = false;
  const publish = async () => {
    for (let n = 1; !ended; n += 1) {
      const data = n % 3 ? JSON.stringify({ order: n, status: 'paid', total: `${(n * 1.9).toFixed(2)} EUR`, note: 'x'.repeat(n % 200) }) : `parcel ${n} has left the depot`;
      await hub.publish(TOPICS[(n + (n >> 3)) % TOPICS.length], data, { query: n % 2 ? 'event=paid' : '' });
      await pause(5 + 20 * Math.sin(n / 40) ** 2);
    }
  };
  const publishing = publish();
  publishing.catch(() => {});
  t.after(() => { ended = true; });
  const others = await pageOf(t, hub);
  await others.evaluate(() => {
    globalThis.streams = ['Ann', 'Bo', '李雷', 'Zoë'].map(name => new EventSource(`/t/orders/42?as=${encodeURIComponent(name)}`));
  });
}

/// Waits until a view has something to show.
async function ready(page, view) {
  switch (view) {
    case 'overview': {
      const points = () => page.locator('main .plot').first().getAttribute('data-points');
      return until('a line in the charts', async () => Number(await points()) >= 8);
    }
    case 'topics': return until('topics', async () => await page.locator('main tbody tr').count() === TOPICS.length);
    case 'connections': return until('streams', async () => await page.locator('main tbody tr').count() >= 5);
    case 'presence': return until('members', async () => await page.locator('main .members li').count() === 4);
    case 'live':
    case 'history':
      await listed(page, 12);
      if (view === 'live') await page.locator('main .tools button').first().click();
      await page.locator('main .row').nth(3).click();
      return page.locator('main .detail').waitFor();
    default: return undefined;
  }
}

for (const [name, viewport, colorScheme, locale] of LOOKS) {
  test(`every view can be read and used: ${name}`, LIMIT, async t => {
    const hub = await startHub(t);
    const page = await openConsole(t, hub, 'overview', { viewport, colorScheme, locale });
    await fill(t, hub);
    // The overview last: its charts grow meanwhile.
    for (const view of VIEWS.toReversed()) {
      await show(page, hub, view, view === 'live' || view === 'history' ? 'orders/*' : 'orders/42');
      await ready(page, view);
      await fits(page, view);
      await accessible(page, `${name} ${view}`);
      await picture(page, `console-${name}-${view}`);
    }
    const ink = await page.evaluate(() => getComputedStyle(document.body).color);
    assert.equal(/rgb\((\d+)/.exec(ink)[1] > 127, colorScheme === 'dark', ink);
    assert.equal(await page.evaluate(() => document.documentElement.lang), locale === 'zh-CN' ? 'zh-CN' : 'en');
    assert.deepEqual(page.complaints, []);
  });
}

test('every control is large enough to hit on a phone', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await openConsole(t, hub, 'overview', { viewport: PHONE });
  for (const view of VIEWS) {
    await show(page, hub, view);
    const boxes = await page.locator('button:visible, input:visible, select:visible, nav a:visible').evaluateAll(all => all.map(control => {
      const { x, width, height } = control.getBoundingClientRect();
      return { x, width, height, what: control.outerHTML };
    }));
    assert.notEqual(boxes.length, 0, view);
    for (const { x, width, height, what } of boxes) {
      assert.ok(x >= 0 && x + width <= PHONE.width + 1, `${view}: ${what} stands out`);
      assert.ok(height >= 24 && width >= 24, `${view}: ${what} is too small`);
    }
  }
  await show(page, hub, 'overview');
  const plots = await page.locator('main .plot').all();
  for (const plot of plots) assert.ok((await plot.boundingBox()).width > PHONE.width * 0.8, 'a chart takes the width');
});

test('colours and language are chosen, and kept', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await openConsole(t, hub, 'overview', { colorScheme: 'light' });
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await background();
  await page.click('[data-theme-switch]');
  await page.click('[data-theme-switch]');
  await until('dark', async () => await background() !== light);
  await page.click('[data-language-switch]');
  await page.locator('h1').getByText('概览').waitFor();
  await page.reload();
  await page.locator('h1').getByText('概览').waitFor();
  assert.notEqual(await background(), light);
  await until('the title', async () => /概览/.test(await page.title()));
  await page.click('[data-language-switch]');
  await page.locator('h1').getByText('Overview').waitFor();
});

/// What has the focus.
const focused = page => page.evaluate(() => {
  const { activeElement: e } = document;
  const style = getComputedStyle(e);
  return {
    what: `${e.tagName} ${e.id} ${e.getAttribute('aria-label') ?? e.innerText ?? ''}`.trim(),
    isBody: e === document.body,
    isSeen: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
  };
});

/// More than any view has.
const MOST_STOPS = 200;

/// Presses Tab from the beginning of the page until it comes back; answers what had the focus.
async function walk(page, view) {
  await page.evaluate(() => document.activeElement.blur());
  const seen = [];
  while (seen.length < MOST_STOPS) {
    await page.keyboard.press('Tab');
    const now = await focused(page);
    if (now.isBody) break;
    assert.ok(now.isSeen, `${view}: the focus on ${now.what} can't be seen`);
    seen.push(now.what);
  }
  return seen;
}

test('the keyboard reaches everything, sees where it is, and is nowhere trapped', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await openConsole(t, hub, 'live');
  await tailing(page);
  await hub.publish('news', 'one');
  await listed(page, 1);
  const controls = page.locator('a:visible, button:visible:enabled, input:visible, select:visible, textarea:visible, [tabindex="0"]:visible');
  for (const view of VIEWS) {
    await show(page, hub, view);
    // What a view shows may come while Tab goes through it: then once more.
    const { seen, count } = await until(`${view} to stay as it is`, async () => {
      const count = await controls.count();
      const seen = await walk(page, view);
      return await controls.count() === count && { seen, count };
    });
    assert.ok(seen.length >= count, `${view}: ${seen.length} of ${count}: ${seen.join(' / ')}`);
    assert.ok(seen.length < MOST_STOPS, `${view}: Tab never comes back`);
  }
});

test('a walk with the keyboard alone', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await openConsole(t, hub, 'overview');
  const key = keys => page.keyboard.press(keys);
  await key('Tab');
  assert.match((await focused(page)).what, /Skip to the content/);
  await key('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
  await page.getByLabel('Topic or pattern').focus();
  await key('ControlOrMeta+A');
  await page.keyboard.type('typed');
  await key('Enter');
  await tailing(page);
  await hub.publish('typed', 'first');
  await hub.publish('typed', 'second');
  await listed(page, 2);
  await page.getByRole('listbox').focus();
  await key('ArrowDown');
  await page.locator('.detail pre').getByText('second').waitFor();
  await key('End');
  await page.locator('.detail pre').getByText('first').waitFor();
  const active = await page.getByRole('listbox').getAttribute('aria-activedescendant');
  assert.equal(await page.locator(`#${active}`).getAttribute('aria-selected'), 'true');
  await key('Escape');
  await page.locator('.detail').waitFor({ state: 'detached' });
  await page.locator('[data-token-switch]').focus();
  await key('Enter');
  await page.getByRole('dialog').waitFor();
  await accessible(page, 'the dialog');
  await key('Escape');
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
  assert.equal(await page.evaluate(() => document.activeElement.hasAttribute('data-token-switch')), true);
});
