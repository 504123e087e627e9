// The console: what an operator sees of a hub, and does with it.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { blankPage } from './support/browser.mjs';
import { address, listed, openConsole, says, show, tailing } from './support/console.mjs';
import { startHub } from './support/hub.mjs';
import { LIMIT, until } from './support/until.mjs';

const run = promisify(execFile);

// Where `cargo xtask test` installs what the Python lines import.
const PYTHON = fileURLToPath(new URL('../interop/.venv/bin/python', import.meta.url));

test('the start page leads to it', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await blankPage(t);
  await page.goto(hub.origin);
  await page.click('a[href="/console/"]');
  await page.locator('main.overview h1').waitFor();
  const bare = await hub.get('/console');
  assert.deepEqual([bare.status, bare.headers.location], [308, 'console/']);
});

/// What `button` of `part` puts on the clipboard.
async function clipboardOf(page, part, button) {
  // It says so for a moment only.
  await Promise.all([part.getByText('Copied').waitFor(), button.click()]);
  return page.evaluate(() => navigator.clipboard.readText());
}

test('a tail shows events as they come, whole when chosen', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await openConsole(t, hub, 'live', { topic: 'orders/*' });
  await tailing(page);
  const { id } = await hub.publish('orders/42', '{"total":12345678901234567890,"paid":true}', { query: 'event=paid' });
  await hub.publish('orders/7', 'two\nlines 🌊');
  const rows = await listed(page, 2);
  assert.match(rows[0], /orders\/7.*message.*two ⏎ lines 🌊/s);
  assert.match(rows[1], /orders\/42.*paid.*"total"/s);
  await page.locator('main .row').nth(1).click();
  const detail = page.locator('main .detail');
  assert.match(await detail.innerText(), new RegExp(id));
  assert.match(await detail.locator('pre').innerText(), /"total": 12345678901234567890,\n {2}"paid": true/);
  assert.equal(await clipboardOf(page, detail, detail.getByRole('button', { name: 'Copy' })), '{"total":12345678901234567890,"paid":true}');
  await detail.getByRole('link', { name: 'History from here' }).click();
  await page.locator('main.history .pager').getByText('0 events').waitFor();
  assert.deepEqual(page.complaints, []);
});

test('a tail pauses, searches and is cleared', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await openConsole(t, hub, 'live');
  await tailing(page);
  await hub.publish('news', 'apple');
  await listed(page, 1);
  await page.getByRole('button', { name: 'Pause' }).click();
  await hub.publish('news', 'pear');
  await page.getByText('1 event came since').waitFor();
  assert.equal((await listed(page, 1)).length, 1);
  await page.getByRole('button', { name: 'Resume' }).click();
  await listed(page, 2);
  await page.getByRole('searchbox').fill('APP');
  await page.getByText('1 match').waitFor();
  assert.equal(await page.locator('main .row mark').innerText(), 'app');
  await page.getByRole('searchbox').fill('nothing like it');
  await page.getByText('Nothing that is kept matches').waitFor();
  await page.getByRole('searchbox').fill('');
  await page.getByRole('button', { name: 'Clear' }).click();
  await page.getByText('Events appear here').waitFor();
  await hub.publish('news', 'plum');
  assert.match((await listed(page, 1))[0], /plum/);
});

test('a tail begins in the past, and goes on behind a hub that was lost', LIMIT, async t => {
  const hub = await startHub(t);
  await hub.publish('news', 'earlier');
  const page = await openConsole(t, hub, 'live');
  await page.getByLabel('From').selectOption('last:100');
  assert.match((await listed(page, 1))[0], /earlier/);
  await tailing(page);
  await hub.crash();
  await hub.publish('news', 'later');
  assert.match((await listed(page, 2))[0], /later/);
  await hub.crash(() => hub.wipe());
  await page.locator('main .row.gap').waitFor();
  await tailing(page);
});

test('a tail stays calm however much comes', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await openConsole(t, hub, 'live', { topic: 'flood/**' });
  await tailing(page);
  // How long the page does not answer at worst, and what the list is made of.
  await page.evaluate(() => {
    const seen = globalThis.seen = { changes: 0, rows: 0 };
    new MutationObserver(() => {
      seen.changes += 1;
      seen.rows = Math.max(seen.rows, document.querySelectorAll('main .row').length);
    }).observe(document.querySelector('main .space'), { childList: true, subtree: true });
  });
  const EVENTS = 40_000;
  const body = Array.from({ length: EVENTS }, (_, n) => JSON.stringify({ topic: `flood/${n % 7}`, data: `number ${n} ${'x'.repeat(100)}` })).join('\n');
  const answer = await page.evaluate(async body => {
    const reply = await fetch('../events', { method: 'POST', body, headers: { 'Content-Type': 'application/x-ndjson' } });
    return reply.json();
  }, body);
  assert.equal(answer.published, EVENTS);
  await page.getByText('40,000 received').waitFor();
  await says(page.locator('main .row').first(), new RegExp(`number ${EVENTS - 1} `));
  await says(page.locator('main .tally'), /\b2,000 kept/);
  const { rows, changes } = await page.evaluate(() => globalThis.seen);
  assert.ok(rows > 0 && rows < 80, `${rows} rows in the page at once`);
  assert.ok(changes < EVENTS / 100, `${changes} times drawn for ${EVENTS} events`);
  assert.deepEqual(page.complaints, []);
});

test('history goes by pages, forth and back', LIMIT, async t => {
  const hub = await startHub(t);
  for (let n = 1; n <= 120; n += 1) await hub.publish('news', `number ${n}.`);
  const page = await openConsole(t, hub, 'history');
  await page.getByLabel('Per page').selectOption('50');
  const pager = page.locator('main .pager');
  await pager.getByText('Page 1 · 50 events').waitFor();
  await says(page.locator('main .row').first(), /number 1\./);
  await page.getByRole('button', { name: 'Next' }).click();
  await pager.getByText('Page 2 · 50 events').waitFor();
  await says(page.locator('main .row').first(), /number 51\./);
  await page.getByRole('button', { name: 'Next' }).click();
  await pager.getByText('Page 3 · 20 events').waitFor();
  await pager.getByText('This is the end').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Next' }).isDisabled(), true);
  await page.getByRole('button', { name: 'Previous' }).click();
  await pager.getByText('Page 2 · 50 events').waitFor();
  await page.getByRole('searchbox').fill('number 77.');
  await says(page.locator('main .row').first(), /number 77\./);
  await page.getByRole('searchbox').fill('');
  await page.locator('select').first().selectOption('last:100');
  await page.getByRole('button', { name: 'Read' }).click();
  await says(page.locator('main .row').first(), /number 21\./);
});

test('the form publishes, and tells what was refused', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await openConsole(t, hub, 'publish', { topic: 'orders/a b#42' });
  await page.getByLabel('Data').fill('{"a":1}');
  await page.getByRole('button', { name: 'Lay out as JSON' }).click();
  await page.getByLabel('Name').fill('paid');
  await page.getByRole('button', { name: 'Publish', exact: true }).click();
  await page.getByText(/Published as td-/).waitFor();
  assert.deepEqual(await hub.history('orders/a b#42'), ['{\n  "a": 1\n}']);
  await page.getByLabel('Data').fill('by keyboard');
  await page.getByLabel('Data').press('Control+Enter');
  await until('the second event', async () => (await hub.history('orders/a b#42'))[1] === 'by keyboard');
  await page.getByLabel('Name').fill('tidings:gap');
  await page.getByRole('button', { name: 'Publish', exact: true }).click();
  await page.locator('.refusal').getByText('invalid-event').waitFor();
  assert.equal((await hub.history('**')).length, 2);
  await show(page, hub, 'publish', 'orders/*');
  await page.getByText('to publish, name one topic').waitFor();
});

test('nothing of an event is taken for HTML', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await openConsole(t, hub, 'live', { topic: '**' });
  await tailing(page);
  const attack = '<img src=x onerror="document.title=1"><script>document.title=1</script>';
  const query = `event=${encodeURIComponent(attack)}&id=${encodeURIComponent(attack)}`;
  await hub.publish(encodeURIComponent(attack), attack, { query });
  await hub.publish('json', JSON.stringify({ [attack]: attack }));
  const [json, text] = await listed(page, 2);
  assert.equal(text.split(attack).length - 1, 3, `topic, name and data as text: ${text}`);
  assert.ok(json.includes('<img'), json);
  for (const row of [0, 1]) {
    await page.locator('main .row').nth(row).click();
    await page.locator('main .detail pre').getByText('<img', { exact: false }).first().waitFor();
  }
  await page.getByRole('searchbox').fill('<img');
  await page.locator('main mark').first().waitFor();
  for (const view of ['history', 'publish', 'presence', 'code', 'topics']) {
    await show(page, hub, view, attack);
    assert.equal(await page.locator('main img, main script').count(), 0, view);
  }
  assert.match(await page.title(), /Tidings$/);
});

// Nothing may escape the quotes of the shell, nor those of JavaScript and Python.
const TOPICS = ['news', 'orders/42', "it's/ü b", '"$(echo no)" `echo no` \\ ; #/&'];

/// What the button beside a line puts on the clipboard.
async function copied(page, name) {
  const line = page.locator(`[data-line=${name}]`);
  const text = await clipboardOf(page, line, line.getByRole('button'));
  assert.equal(text, await line.locator('pre').innerText());
  return text;
}

for (const topic of TOPICS) {
  test(`its curl and JavaScript lines do what they say: ${JSON.stringify(topic)}`, LIMIT, async t => {
    const hub = await startHub(t);
    const page = await openConsole(t, hub, 'code', { topic });
    const { stdout } = await run('sh', ['-c', await copied(page, 'curl-publish')]);
    assert.equal(JSON.parse(stdout).topic, topic);
    assert.deepEqual(await hub.history(topic), ['hello']);
    const past = await run('sh', ['-c', await copied(page, 'curl-history')]);
    assert.deepEqual(JSON.parse(past.stdout).events.map(({ data }) => data), ['hello']);
    const curl = spawn('sh', ['-c', `exec ${await copied(page, 'curl-watch')}`], { stdio: ['ignore', 'pipe', 'ignore'] });
    t.after(() => curl.kill('SIGKILL'));
    let text = '';
    curl.stdout.on('data', part => { text += part; });
    const other = await blankPage(t);
    const lines = [];
    other.on('console', line => line.type() === 'log' && lines.push(line.text()));
    await other.goto(`${hub.origin}/livez`);
    await other.addScriptTag({ content: await copied(page, 'javascript') });
    await until('the opening block', () => /^id: /m.test(text));
    await until('the page to watch', () => other.evaluate(() => events.readyState === EventSource.OPEN));
    const { id } = await hub.publish(topic.split('/').map(encodeURIComponent).join('/'), 'for all');
    await until('the event in curl', () => /^data: for all$/m.test(text));
    await until('the event in the page', () => lines.includes(`${id} for all`));
  });
}

for (const topic of TOPICS) {
  test(`its Python lines do what they say: ${JSON.stringify(topic)}`, LIMIT, async t => {
    if (!existsSync(PYTHON)) return t.skip(`${PYTHON} is missing`);
    const hub = await startHub(t);
    const page = await openConsole(t, hub, 'code', { topic });
    const python = spawn(PYTHON, ['-u', '-c', await copied(page, 'python-watch')], { stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(() => python.kill('SIGKILL'));
    let text = '';
    python.stdout.on('data', part => { text += part; });
    await until('Python to watch', async () => await hub.watchers(topic) === 1);
    const { stdout } = await run(PYTHON, ['-c', await copied(page, 'python-publish')]);
    const id = /td-[\w-]+/.exec(stdout)[0];
    await until('the event in Python', () => text.includes(`${id} message hello`));
    assert.deepEqual(await hub.history(topic), ['hello']);
    return undefined;
  });
}

test('an address can be given to somebody else', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await openConsole(t, hub, 'code', { topic: 'orders/*' });
  assert.equal(await page.getByLabel('Topic or pattern').inputValue(), 'orders/*');
  await page.getByLabel('Topic or pattern').fill('a//b');
  assert.equal(await page.getByRole('button', { name: 'View' }).isDisabled(), true);
  await page.getByLabel('Topic or pattern').fill('other');
  await page.getByRole('button', { name: 'View' }).click();
  await until('the address', async () => page.url() === address(hub, 'code', 'other'));
  await page.goBack();
  await says(page.locator('main h1'), /orders\/\*/);
});

test('it shows who is there, and does not count itself', LIMIT, async t => {
  const hub = await startHub(t, { TIDINGS_PRESENCE_GRACE: '0s' });
  const page = await openConsole(t, hub, 'presence');
  await page.getByText('Nobody is here').waitFor();
  const others = await blankPage(t);
  await others.goto(`${hub.origin}/livez`);
  await others.evaluate(() => {
    globalThis.ann = new EventSource('/t/news?as=Ann');
    globalThis.attack = new EventSource(`/t/news?as=${encodeURIComponent('<img src=x onerror=alert(1)>')}`);
  });
  await page.locator('main .members').getByText('Ann').waitFor();
  await page.locator('main .members').getByText('<img src=x').waitFor();
  await page.getByText('2 members').waitFor();
  await page.getByText('2 streams').waitFor();
  await others.evaluate(() => globalThis.ann.close());
  await page.locator('main .changes .left').getByText('Ann').waitFor();
  await page.getByText('1 member', { exact: true }).waitFor();
  assert.equal(await page.locator('main img').count(), 0);
  await show(page, hub, 'presence', 'orders/*');
  await page.getByText('Presence is of one topic').waitFor();
});

test('a topic is closed from it, said where it is watched, and opened again', LIMIT, async t => {
  const hub = await startHub(t);
  await hub.publish('answer/1', 'first');
  const [watching, page] = [await openConsole(t, hub, 'live', { topic: 'answer/1' }), await openConsole(t, hub, 'publish', { topic: 'answer/1' })];
  await tailing(watching);
  await page.getByRole('button', { name: 'Close the topic' }).click();
  await page.getByRole('button', { name: 'Keep it open' }).click();
  await page.getByRole('button', { name: 'Close the topic' }).click();
  await page.getByRole('button', { name: 'Close it', exact: true }).click();
  await page.getByText(/Closed; its end is td-/).waitFor();
  await watching.locator('main .row.end').waitFor();
  await watching.getByText('this topic has ended').waitFor();
  await page.getByLabel('Data').fill('again');
  await page.getByRole('button', { name: 'Publish', exact: true }).click();
  await page.locator('main .refusal').getByText('topic-closed').waitFor();
  await page.getByRole('button', { name: 'Publish, and open the topic again' }).click();
  await page.getByText(/Published as td-/).waitFor();
  assert.deepEqual(await hub.history('answer/1'), ['first', 'again']);
});

test('from an event of the history one goes on behind it', LIMIT, async t => {
  const hub = await startHub(t);
  for (let n = 1; n <= 4; n += 1) await hub.publish('news', `number ${n}.`);
  const page = await openConsole(t, hub, 'history');
  await listed(page, 4);
  await page.locator('main .row').nth(1).click();
  await page.getByRole('link', { name: 'History from here' }).click();
  await page.locator('main .pager').getByText('2 events').waitFor();
  await says(page.locator('main .row').first(), /number 3\./);
  assert.match((await listed(page, 2)).join('\n'), /number 3\.[\s\S]*number 4\./);
  assert.match(page.url(), /since=td-/);
});
