// The example "people": an app, and a page of another origin.

import assert from 'node:assert/strict';
import test from 'node:test';
import { blankPage } from './support/browser.mjs';
import { readmeHolds, startExample } from './support/example.mjs';
import { request } from './support/http.mjs';
import { picture } from './support/picture.mjs';
import { startSite } from './support/site.mjs';
import { LIMIT, until } from './support/until.mjs';
import { watch } from './support/watch.mjs';

const JSON_TYPE = 'application/json';
const FORM_TYPE = 'application/x-www-form-urlencoded';

async function startPeople(t) {
  const example = await startExample(t, 'people', { addresses: ['127.0.0.1:0', '127.0.0.1:0'] });
  const [page, app] = example.urls;
  return { page, app, origin: new URL(page).origin, end: signal => example.end(signal) };
}

/// The page in a browser of its own, or in a further tab of `beside`'s.
async function open(t, { page: url }, beside = null) {
  const page = beside ? await beside.context().newPage() : await blankPage(t, { viewport: { width: 900, height: 700 } });
  await page.goto(url);
  await page.locator('#state[data-state=open]').waitFor();
  return page;
}

const items = (page, list) => page.locator(`#${list} li`).allInnerTexts();

function shows(page, list, test) {
  let seen;
  return until(() => `#${list} to be right; it is ${JSON.stringify(seen)}`, async () => test(seen = await items(page, list)));
}

const connected = (page, count) => shows(page, 'clients', seen => seen.length === count);
const listed = (page, ...names) => shows(page, 'people', people => names.every(name => people.includes(name)));

async function add(page, name) {
  await page.fill('#name', name);
  await page.click('form button');
  await until('the field to be empty again', async () => await page.inputValue('#name') === '');
}

/// `POST /addPerson` as a program sends it.
const post = (people, type, body, headers = {}) =>
  request('POST', `${people.app}/addPerson`, { headers: { 'Content-Type': type, ...headers }, body });

test('everyone sees the same list, whoever adds to it', LIMIT, async t => {
  const people = await startPeople(t);
  const pages = [await open(t, people), await open(t, people)];
  await add(pages[0], 'Ada Lovelace');
  await add(pages[1], 'Grace Hopper 🌊');
  for (const page of pages) await listed(page, 'Ada Lovelace', 'Grace Hopper 🌊');
  // Who comes later has the list at once, before anything is added.
  const late = await open(t, people);
  await listed(late, 'Ada Lovelace', 'Grace Hopper 🌊');
  assert.deepEqual(await items(late, 'people'), await items(pages[0], 'people'));
  await connected(late, 3);
  await picture(late, 'people');
  for (const page of [...pages, late]) assert.deepEqual(page.complaints, []);
});

test('a form and JSON add, and what is neither doesn’t', LIMIT, async t => {
  const people = await startPeople(t);
  const page = await open(t, people);
  assert.equal((await post(people, FORM_TYPE, 'name=By+form')).status, 201);
  assert.equal((await post(people, JSON_TYPE, '{"name":"By JSON"}')).status, 201);
  await listed(page, 'By form', 'By JSON');
  const before = await items(page, 'people');
  for (const [type, body, status] of [
    ['text/plain', 'name=x', 415],
    [JSON_TYPE, 'name=x', 400],
    [JSON_TYPE, '{"nom":"x"}', 422],
    [FORM_TYPE, 'nom=x', 422],
    [JSON_TYPE, '{"name":" "}', 422],
    [FORM_TYPE, `name=${'x'.repeat(65)}`, 422],
  ]) {
    assert.equal((await post(people, type, body)).status, status, `${type} ${body}`);
  }
  await add(page, 'the last');
  await listed(page, 'the last');
  assert.deepEqual(await items(page, 'people'), [...before, 'the last']);
});

test('who is connected: joins, leaves, and one browser is one', LIMIT, async t => {
  const people = await startPeople(t);
  const first = await open(t, people);
  await connected(first, 1);
  const second = await open(t, people);
  for (const page of [first, second]) await connected(page, 2);
  assert.deepEqual(await items(first, 'clients'), await items(second, 'clients'));
  const tab = await open(t, people, second);
  await connected(tab, 2);
  await tab.close();
  await second.context().close();
  await connected(first, 1);
});

/// A watcher of what `/connect` says, beside a page: both are one guest.
async function watchConnect(t, people) {
  const page = await open(t, people);
  const watcher = await watch(page, `${people.app}/connect`, { names: ['client'], withCredentials: true });
  await watcher.opened();
  return watcher;
}

/// What was said last: the list, or who is connected.
const lastList = events => JSON.parse(events.findLast(({ type }) => type === 'message')?.data ?? '[]');
const clients = events => events.filter(({ type }) => type === 'client').map(({ data }) => JSON.parse(data).clients);
const lastClients = events => clients(events).at(-1) ?? [];

test('a page that is reloaded has not left', LIMIT, async t => {
  const people = await startPeople(t);
  const watcher = await watchConnect(t, people);
  const page = await open(t, people);
  await connected(page, 2);
  await until('both', async () => lastClients(await watcher.events()).length === 2);
  const ids = lastClients(await watcher.events()).map(({ id }) => id);
  for (let times = 0; times < 3; times += 1) {
    await page.reload();
    await connected(page, 2);
  }
  // A third one comes, so that all that was said before has been seen.
  const third = await open(t, people);
  await connected(third, 3);
  await until('the third', async () => lastClients(await watcher.events()).length === 3);
  const said = clients(await watcher.events());
  const withBoth = said.slice(said.findIndex(list => list.length === 2));
  for (const list of withBoth) {
    for (const id of ids) assert.ok(list.some(client => client.id === id), `someone left: ${JSON.stringify(said)}`);
  }
});

test('a component that goes closes its stream, as the app sees it', LIMIT, async t => {
  const people = await startPeople(t);
  const watcher = await watchConnect(t, people);
  const page = await open(t, people);
  await connected(page, 2);
  await page.getByRole('button', { name: 'Leave' }).click();
  await until('the app to see one leave', async () => lastClients(await watcher.events()).length === 1);
  await page.getByRole('button', { name: 'Come back' }).click();
  await connected(page, 2);
  assert.deepEqual(page.complaints, []);
});

test('unnamed events carry the list, the first at once; named ones who is connected', LIMIT, async t => {
  const people = await startPeople(t);
  await post(people, JSON_TYPE, '{"name":"Ada"}');
  const watcher = await watchConnect(t, people);
  await until('both', async () => {
    const events = await watcher.events();
    return lastList(events).length > 0 && lastClients(events).length === 1;
  });
  const events = await watcher.events();
  assert.equal(lastList(events).at(-1).name, 'Ada');
  assert.deepEqual(Object.keys(lastClients(events)[0]).sort(), ['id', 'name', 'since']);
});

test('a preflight lets the page in, with credentials, and no other origin', LIMIT, async t => {
  const people = await startPeople(t);
  const preflight = origin => request('OPTIONS', `${people.app}/addPerson`, {
    headers: { Origin: origin, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'content-type' },
  });
  const { status, headers } = await preflight(people.origin);
  assert.equal(status, 200);
  assert.equal(headers['access-control-allow-origin'], people.origin);
  assert.equal(headers['access-control-allow-credentials'], 'true');
  assert.match(headers['access-control-allow-methods'], /\bPOST\b/);
  assert.match(headers['access-control-allow-headers'], /content-type/i);
  assert.match(headers.vary, /origin/i);
  const site = await startSite(t);
  assert.equal((await preflight(site)).headers['access-control-allow-origin'], undefined);

  // A page elsewhere reads nothing, and what needs no preflight adds nothing.
  const elsewhere = await blankPage(t);
  await elsewhere.goto(site);
  const watcher = await watch(elsewhere, `${people.app}/connect`, { names: ['client'], withCredentials: true });
  await watcher.until('the end', ({ gaveUp }) => gaveUp);
  const answer = await elsewhere.evaluate(url => fetch(url, {
    method: 'POST', credentials: 'include', body: new URLSearchParams({ name: 'forged' }),
  }).then(() => 'read', () => 'hidden'), `${people.app}/addPerson`);
  assert.equal(answer, 'hidden');
  assert.equal((await post(people, FORM_TYPE, 'name=forged', { Origin: site })).status, 403);
  const page = await open(t, people);
  await add(page, 'the last');
  await listed(page, 'the last');
  assert.ok(!(await items(page, 'people')).includes('forged'));
});

test('with curl, as the README says', LIMIT, async t => {
  const people = await startPeople(t);
  const page = await open(t, people);
  const list = /^data: \[.*\]$/m;
  await readmeHolds(t, 'people', { 'http://localhost:3000': people.app }, [list, /"name":"Ada"/, /"name":"Grace"/]);
  await listed(page, 'Ada', 'Grace');
});

test('the page says that the app is away, and goes on by itself when it is back', LIMIT, async t => {
  const people = await startPeople(t);
  const page = await open(t, people);
  await add(page, 'Ada');
  await people.end('SIGKILL');
  await page.locator('#state[data-state=connecting]').waitFor();
  await startExample(t, 'people', { addresses: [people.app, people.origin].map(url => `127.0.0.1:${new URL(url).port}`) });
  await page.locator('#state[data-state=open]').waitFor();
  // The app's memory is new.
  await shows(page, 'people', list => list.length === 0);
  await connected(page, 1);
});

test('the app ends while pages watch: they are told, and it waits for nobody', LIMIT, async t => {
  const people = await startPeople(t);
  const pages = [await open(t, people), await open(t, people)];
  assert.deepEqual(await people.end('SIGINT'), { code: 0, signal: null });
  for (const page of pages) await page.locator('#state[data-state=connecting]').waitFor();
});
