// The start page: what a newcomer sees first.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import test from 'node:test';
import { promisify } from 'node:util';
import { blankPage } from './support/browser.mjs';
import { startHub } from './support/hub.mjs';
import { picture } from './support/picture.mjs';
import { LIMIT, until } from './support/until.mjs';

const WIDE = { width: 1100, height: 900 };
const PHONE = { width: 360, height: 740 };

const run = promisify(execFile);

/// The page, watching; `path` is where it was opened.
async function open(t, hub, { path = '/', ...options } = {}) {
  const page = await blankPage(t, { viewport: WIDE, permissions: ['clipboard-read', 'clipboard-write'], ...options });
  const answer = await page.goto(hub.origin + path);
  assert.equal(answer.status(), 200);
  await watching(page);
  return page;
}

function watching(page) {
  return page.locator('#state[data-state=open]').waitFor();
}

async function startWatching(page, topic, since = '') {
  await page.fill('#topic', topic);
  await page.selectOption('#since', since);
  await page.click('#watch button.main');
  await page.locator('#state[data-state=open]').getByText(topic, { exact: false }).waitFor();
}

/// Waits until the list shows `count` events; answers their text, newest first.
async function shown(page, count) {
  const items = page.locator('#events li');
  await until(`${count} events in the list`, async () => await items.count() >= count);
  return items.allInnerTexts();
}

/// What the button beside a line puts on the clipboard.
async function copied(page, id) {
  const button = page.locator(`[data-copy=${id}]`);
  // It says so for a moment only.
  await Promise.all([button.filter({ hasText: 'Copied' }).waitFor(), button.click()]);
  const text = await page.evaluate(() => navigator.clipboard.readText());
  assert.equal(text, await page.locator(`#${id}`).innerText());
  return text;
}

test('publishing on the page shows the event on the page', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await open(t, hub);
  await page.fill('#data', 'two\nlines 🌊');
  await page.fill('#event', 'tick');
  await page.click('#publish button.main');
  const [event] = await shown(page, 1);
  assert.match(event, /\bnews\b/);
  assert.match(event, /\btick\b/);
  assert.ok(event.endsWith('two\nlines 🌊'), event);
  await page.locator('#result').getByText('published as').waitFor();
  await hub.publish('news', 'from elsewhere');
  assert.match((await shown(page, 2))[0], /from elsewhere$/);
  assert.deepEqual(page.complaints, []);
});

test('it watches patterns, other topics and the past, and stops', LIMIT, async t => {
  const hub = await startHub(t);
  await hub.publish('orders/7', 'earlier');
  const page = await open(t, hub);
  await startWatching(page, 'orders/*', 'earliest');
  assert.match((await shown(page, 1))[0], /orders\/7.*\nearlier$/s);
  await hub.publish('orders/42', 'now', { query: 'event=paid' });
  assert.match((await shown(page, 2))[0], /orders\/42.*paid.*\nnow$/s);
  await startWatching(page, 'café/ü b');
  await hub.publish(encodeURI('café/ü b'), 'elsewhere');
  await until('the event', async () => /elsewhere$/.test((await shown(page, 1))[0]));
  await page.click('#stop');
  await page.locator('#state[data-state=closed]').waitFor();
  await until('no watcher', async () => /^tidings_subscribers 0$/m.test((await hub.get('/metrics')).text));
  assert.deepEqual(page.complaints, []);
});

test('a topic’s address opened in a browser shows the page for that topic', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await open(t, hub, { path: '/t/orders/a%20b%2342' });
  assert.equal(await page.inputValue('#topic'), 'orders/a b#42');
  await page.fill('#data', 'hello');
  await page.click('#publish button.main');
  assert.match((await shown(page, 1))[0], /orders\/a b#42/);
  assert.deepEqual(await hub.history('orders/a b#42'), ['hello']);
});

test('an event that is refused says why', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await open(t, hub);
  await page.fill('#event', 'tidings:gap');
  await page.click('#publish button.main');
  await page.locator('#result').getByText('not valid').waitFor();
  assert.deepEqual(await hub.history('**'), []);
});

test('nothing of an event is taken for HTML', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await open(t, hub);
  await startWatching(page, '**');
  const attack = '<img src=x onerror="document.title=1"><script>document.title=1</script>';
  const query = `event=${encodeURIComponent(attack)}&id=${encodeURIComponent(attack)}`;
  await hub.publish(encodeURIComponent(attack), attack, { query });
  const [event] = await shown(page, 1);
  assert.equal(event.split(attack).length - 1, 4, `topic, name, id and data as text: ${event}`);
  assert.equal(await page.locator('#events img, #events script').count(), 0);
  for (const id of ['topic', 'event', 'data']) await page.fill(`#${id}`, attack);
  assert.equal(await page.locator('pre *').count(), 0);
  assert.equal(await page.title(), 'Tidings');
  assert.deepEqual(page.complaints, []);
});

// [topic, event name, data]: nothing may escape the quotes of the shell.
const PUBLISHED = [
  ['news', '', 'hello'],
  ['orders/42', 'tick', 'two\nlines 🌊'],
  ["it's/ü b", "o'clock", `' "$(echo no)" \`echo no\` \\ !! %41 & ; #`],
  ['news', '', '@/etc/hostname'],
  ['news', '', ''],
];

for (const [topic, name, data] of PUBLISHED) {
  test(`the curl line to publish does so: ${JSON.stringify([topic, name, data])}`, LIMIT, async t => {
    const hub = await startHub(t);
    const page = await open(t, hub);
    await startWatching(page, topic);
    await page.fill('#data', data);
    await page.fill('#event', name);
    const { stdout } = await run('sh', ['-c', await copied(page, 'curl-publish')]);
    assert.equal(JSON.parse(stdout).topic, topic);
    const [event] = await shown(page, 1);
    assert.ok(event.includes(`  ${topic}  ${name || 'message'}  `), event);
    assert.deepEqual(await hub.history(topic), [data]);
  });
}

// [topic or pattern, from when, where an event goes then]
const WATCHED = [
  ['news', '', 'news'],
  ["it's/ü b", 'earliest', "it's/ü b"],
  ['orders/*', '10m', 'orders/42'],
  ['**', 'last:20', 'anything'],
];

for (const [selector, since, topic] of WATCHED) {
  test(`the curl line to watch does so: ${JSON.stringify([selector, since])}`, LIMIT, async t => {
    const hub = await startHub(t);
    const page = await open(t, hub);
    await startWatching(page, selector, since);
    const curl = spawn('sh', ['-c', `exec ${await copied(page, 'curl-watch')}`], { stdio: ['ignore', 'pipe', 'ignore'] });
    t.after(() => curl.kill('SIGKILL'));
    let text = '';
    curl.stdout.on('data', part => { text += part; });
    await until('the opening block', () => /^id: /m.test(text));
    await hub.publish(encodeURI(topic), 'for curl');
    await until('the event in curl', () => /^data: for curl$/m.test(text));
  });
}

// [topic or pattern, event name]
const SCRIPTS = [['news', ''], ['news', 'tick'], ["it's/ü b", `"o'clock`], ['orders/*', 'tick']];

for (const [selector, name] of SCRIPTS) {
  test(`the JavaScript listens: ${JSON.stringify([selector, name])}`, LIMIT, async t => {
    const hub = await startHub(t);
    const page = await open(t, hub);
    await startWatching(page, selector, 'earliest');
    await page.fill('#event', name);
    const script = await copied(page, 'javascript');
    const other = await blankPage(t);
    const lines = [];
    other.on('console', line => line.type() === 'log' && lines.push(line.text()));
    await other.goto(`${hub.origin}/livez`);
    await other.addScriptTag({ content: script });
    const topic = encodeURI(selector.replace('*', '42'));
    const { id } = await hub.publish(topic, 'for the script', { query: name && `event=${encodeURIComponent(name)}` });
    await until('the line on the console', () => lines.length > 0);
    assert.deepEqual(lines, [`${id} for the script`]);
  });
}

test('a pattern has no line to publish with', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await open(t, hub);
  await startWatching(page, 'orders/*');
  assert.equal((await run('sh', ['-c', await copied(page, 'curl-publish')])).stdout, '');
  assert.deepEqual(await hub.history('**'), []);
});

test('it keeps watching when the hub is lost, and shows what it missed', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await open(t, hub);
  await hub.publish('news', '1');
  await shown(page, 1);
  await hub.kill();
  await page.locator('#state[data-state=connecting]').waitFor();
  await hub.start();
  await hub.publish('news', '2');
  const events = await shown(page, 2);
  assert.deepEqual(events.map(event => event.split('\n').at(-1)), ['2', '1']);
  await watching(page);
});

test('it tells of a gap', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await open(t, hub);
  await hub.publish('news', '1');
  await shown(page, 1);
  await hub.crash(() => hub.wipe());
  await shown(page, 2);
  assert.equal(await page.locator('#events .gap').count(), 1);
});

// [name, viewport, colours]
const LOOKS = [
  ['wide-light', WIDE, 'light'],
  ['wide-dark', WIDE, 'dark'],
  ['phone-light', PHONE, 'light'],
  ['phone-dark', PHONE, 'dark'],
];

for (const [name, viewport, colorScheme] of LOOKS) {
  test(`it can be read and used: ${name}`, LIMIT, async t => {
    const hub = await startHub(t);
    const page = await open(t, hub, { viewport, colorScheme });
    await hub.publish('news', 'hello');
    await hub.publish('news', `{"total":${'9'.repeat(200)}}`, { query: 'event=paid' });
    await hub.publish('news', 'a longer text that goes on and on, as texts do, so that it has to break somewhere\nand a second line');
    await shown(page, 3);
    await page.click('#publish button.main');
    await shown(page, 4);
    const { content, window } = await page.evaluate(() => ({
      content: document.documentElement.scrollWidth, window: innerWidth,
    }));
    assert.ok(content <= window, `${content} px in a window of ${window}`);
    for (const control of await page.locator('input, textarea, select, button').all()) {
      const box = await control.boundingBox();
      assert.ok(box.x >= 0 && box.x + box.width <= viewport.width, `${await control.evaluate(e => e.outerHTML)} stands out`);
      assert.ok(box.height >= 24, `${await control.evaluate(e => e.outerHTML)} is too small to hit`);
    }
    const ink = await page.evaluate(() => getComputedStyle(document.body).color);
    const bright = /rgb\((\d+)/.exec(ink)[1] > 127;
    assert.equal(bright, colorScheme === 'dark', ink);
    await picture(page, `start-page-${name}`);
    assert.deepEqual(page.complaints, []);
  });
}

test('it can be used with the keyboard, and every control has a name', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await open(t, hub);
  for (const control of await page.locator('input, textarea, select, button').all()) {
    const name = await control.evaluate(e => (e.labels?.[0] ?? e).innerText.trim());
    assert.notEqual(name, '', await control.evaluate(e => e.outerHTML));
  }
  await page.focus('#topic');
  await page.keyboard.press('ControlOrMeta+A');
  await page.keyboard.type('typed');
  await page.keyboard.press('Enter');
  await page.locator('#state').getByText('watching typed').waitFor();
  await watching(page);
  await page.focus('#event');
  await page.keyboard.type('tick');
  await page.keyboard.press('Enter');
  assert.match((await shown(page, 1))[0], /typed {2}tick/);
});
