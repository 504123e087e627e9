// Which pages may use the hub.

import assert from 'node:assert/strict';
import test from 'node:test';
import { blankPage, pageOf } from './support/browser.mjs';
import { startHub } from './support/hub.mjs';
import { startSite } from './support/site.mjs';
import { LIMIT, until } from './support/until.mjs';
import { watch } from './support/watch.mjs';

async function visit(t, origin) {
  const page = await blankPage(t);
  await page.goto(`${origin}/`);
  return page;
}

/// The statuses that the hub answers to `page`, also those that the page itself
/// may not see. They arrive before the page's own request fails.
async function statusesOf(page) {
  const network = await page.context().newCDPSession(page);
  const statuses = [];
  network.on('Network.responseReceivedExtraInfo', answer => statuses.push(answer.statusCode));
  await network.send('Network.enable');
  return statuses;
}

/// `fetch` in the page: the answer, or 'hidden' if the page isn't allowed to know it.
function post(page, url, init) {
  return page.evaluate(async ([url, init]) => {
    const reply = await fetch(url, { method: 'POST', ...init }).catch(() => Response.error());
    if (['error', 'opaque'].includes(reply.type)) return 'hidden';
    return { status: reply.status, ...await reply.json() };
  }, [url, init]);
}

// "Simple" requests, which browsers send without asking first.
const SIMPLE = [
  ['text/plain', { headers: { 'Content-Type': 'text/plain' }, body: 'forged' }],
  ['no type', { body: new Uint8Array([102]) }],
  ['a form', { headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body: 'forged=1' }],
  ['credentials', { credentials: 'include', body: 'forged' }],
  ['no-cors', { mode: 'no-cors', body: 'forged' }],
];

test('a page of another origin can’t publish', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await visit(t, await startSite(t));
  const url = `${hub.origin}/t/news`;
  const statuses = await statusesOf(page);
  for (const [what, init] of SIMPLE) {
    assert.equal(await post(page, url, init), 'hidden', what);
    await until(`an answer: ${what}`, () => statuses.length > 0);
    assert.deepEqual(statuses.splice(0), [403], what);
  }
  const submitted = page.waitForResponse(url);
  await page.evaluate(action => {
    const form = document.createElement('form');
    Object.assign(form, { method: 'POST', enctype: 'text/plain', action });
    document.body.append(form);
    form.submit();
  }, url);
  assert.equal((await submitted).status(), 403, 'a form that is submitted');
  assert.deepEqual(await hub.history('**'), []);
});

test('a page of another origin can’t send what needs a preflight', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await visit(t, await startSite(t));
  for (const headers of [{ 'Idempotency-Key': 'k' }, { 'Content-Type': 'application/x-ndjson' }]) {
    assert.equal(await post(page, `${hub.origin}/t/news`, { headers, body: '{"data":"forged"}\n' }), 'hidden');
  }
  assert.deepEqual(await hub.history('**'), []);
});

test('a page of another origin can’t watch', LIMIT, async t => {
  const hub = await startHub(t);
  await hub.publish('news', 'secret');
  const page = await visit(t, await startSite(t));
  for (const withCredentials of [false, true]) {
    const watcher = await watch(page, `${hub.origin}/t/news?since=earliest`, { withCredentials });
    await watcher.until('the end', ({ gaveUp }) => gaveUp);
    assert.deepEqual(await watcher.events(), []);
  }
});

test('an origin that isn’t listed gains nothing from one that is', LIMIT, async t => {
  const hub = await startHub(t, { TIDINGS_CORS_ORIGINS: await startSite(t) });
  const page = await visit(t, await startSite(t));
  assert.equal(await post(page, `${hub.origin}/t/news`, { body: 'forged' }), 'hidden');
  const watcher = await watch(page, `${hub.origin}/t/news?since=earliest`);
  await watcher.until('the end', ({ gaveUp }) => gaveUp);
  assert.deepEqual(await hub.history('**'), []);
});

test('a listed origin publishes and watches with credentials, and resumes', LIMIT, async t => {
  const site = await startSite(t);
  const hub = await startHub(t, { TIDINGS_CORS_ORIGINS: `https://other.example,${site}` });
  const page = await visit(t, site);
  const url = `${hub.origin}/t/news`;
  const watchers = [await watch(page, url), await watch(page, url, { withCredentials: true })];
  for (const watcher of watchers) await watcher.opened();
  const simple = await post(page, url, { credentials: 'include', body: 'simple' });
  assert.equal(simple.status, 200);
  const keyed = { credentials: 'include', headers: { 'Idempotency-Key': 'k' }, body: 'preflighted' };
  const [once, again] = [await post(page, url, keyed), await post(page, url, keyed)];
  assert.equal(once.status, 200);
  assert.deepEqual(again, once);
  const refused = await post(page, `${url}?event=tidings:gap`, { credentials: 'include', body: 'x' });
  assert.equal(refused.status, 400, 'a page can read why it was refused');
  for (const watcher of watchers) await watcher.received(2);
  await hub.crash();
  await hub.publish('news', 'after');
  for (const watcher of watchers) await watcher.received(3);
  await watchers[0].expectExactly(hub, 'news', ['simple', 'preflighted', 'after']);
  await watchers[1].received(4);
  assert.deepEqual(await watchers[1].events(), await watchers[0].events());
});

test('a24: a name that was rebound to this machine is answered 421', LIMIT, async t => {
  const hub = await startHub(t);
  await hub.publish('news', 'secret');
  const page = await blankPage(t);
  const rebound = `http://evil.example:${hub.port}`;
  for (const path of ['/', '/t/news', '/events?topic=**', '/metrics']) {
    const answer = await page.goto(rebound + path);
    assert.equal(answer.status(), 421, path);
    assert.equal(JSON.parse(await answer.text()).code, 'wrong-host');
  }
  // The page is now of the rebound origin: to the browser it may do everything.
  const answer = await post(page, '/t/news', { body: 'forged' });
  assert.equal(answer.status, 421);
  const watcher = await watch(page, '/t/news?since=earliest');
  await watcher.until('the end', ({ gaveUp }) => gaveUp);
  assert.deepEqual(await watcher.events(), []);
  assert.deepEqual(await hub.history('**'), ['secret']);
});

test('localhost is the hub’s own name too', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await pageOf(t, { origin: `http://localhost:${hub.port}` });
  const watcher = await watch(page, '/t/news');
  await watcher.opened();
  assert.equal((await post(page, '/t/news', { body: 'hello' })).status, 200);
  await watcher.expectExactly(hub, 'news', ['hello']);
});
