// The example "answer".

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import test from 'node:test';
import { blankPage } from './support/browser.mjs';
import { readmeHolds, startExample } from './support/example.mjs';
import { request } from './support/http.mjs';
import { startHub } from './support/hub.mjs';
import { picture } from './support/picture.mjs';
import { LIMIT, until } from './support/until.mjs';

const TEXT = await readFile(new URL('../../examples/answer/src/answer.txt', import.meta.url), 'utf8');
const QUESTION = 'Why, dear sea?';
const WHOLE = `“${QUESTION}” — ${TEXT}`;
/// One token is a word and the space behind it.
const TOKENS = WHOLE.match(/[^ ]* |[^ ]+$/g);

const startAnswer = (t, env = {}) => startExample(t, 'answer', { addresses: ['127.0.0.1:0', '127.0.0.1:0'], env });

/// A tab of a browser of its own; `page.asked` collects what it asks `/answers/…`
/// for, each as `{url, status, from}`, as the network saw it.
async function tab(t, url) {
  const page = await blankPage(t, { viewport: { width: 900, height: 800 } });
  page.asked = [];
  page.on('request', asked => {
    if (asked.resourceType() !== 'eventsource') return;
    const entry = { url: new URL(asked.url()).pathname, status: null };
    page.asked.push(entry);
    asked.response().then(answer => { entry.status = answer?.status() ?? null; }, () => {});
  });
  // Every token that any of its pages was given, one entry a page.
  await page.addInitScript(() => {
    const Native = EventSource;
    window.given = [];
    window.EventSource = class extends Native {
      constructor(...args) {
        super(...args);
        this.addEventListener('message', event => window.given.push(event.data));
      }
    };
  });
  await page.goto(url);
  return page;
}

async function ask(page, question = QUESTION) {
  await page.fill('#question', question);
  await page.click('#ask button');
  await until('an answer’s address', async () => (await page.evaluate(() => location.hash)) !== '');
  return page.url();
}

async function tokens(page, count) {
  return until(async () => `${count} tokens; it has ${await page.evaluate(() => given.length)}`, async () => {
    const seen = await page.evaluate(() => given);
    return seen.length >= count && seen;
  });
}

async function complete(page) {
  await page.locator('body[data-state=done]').getByText('complete, and closed').waitFor();
  assert.deepEqual(await page.evaluate(() => given), TOKENS);
  assert.equal(await page.locator('#answer').textContent(), WHOLE);
  assert.equal(await page.evaluate(() => source.readyState), 2);
}

const statuses = page => page.asked.map(({ status }) => status);

/// What was asked for is answered with these, and nothing else is asked.
async function answered(page, ...expected) {
  await until(() => `${expected}; it has ${statuses(page)}`, () => statuses(page).length >= expected.length && !statuses(page).includes(null));
  // An attempt that it had begun would be before this one's answer.
  await page.evaluate(() => fetch('/'));
  assert.deepEqual(statuses(page), expected);
}

/// A model that says `tokens`, `held` of them before `goOn` is called, and then
/// ends, as a model does unless it `breaksOff`.
async function startModel(t, tokens, { held = tokens.length, breaksOff = false } = {}) {
  let goOn;
  const gate = new Promise(resolve => { goOn = resolve; });
  const server = http.createServer(async (asked, reply) => {
    const say = data => reply.write(`data: ${data}\n\n`);
    reply.writeHead(200, { 'Content-Type': 'text/event-stream' });
    for (const [at, content] of tokens.entries()) {
      if (at === held) await gate;
      say(JSON.stringify({ choices: [{ index: 0, delta: { content } }] }));
    }
    if (!breaksOff) say('[DONE]');
    reply.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    goOn();
    server.closeAllConnections();
    server.close();
  });
  return { env: { OPENAI_BASE_URL: `http://127.0.0.1:${server.address().port}/v1` }, goOn };
}

test('two tabs watch, one reloads in the middle, and neither misses a token', LIMIT, async t => {
  const middle = 60;
  const model = await startModel(t, TOKENS, { held: middle });
  const { urls: [origin] } = await startAnswer(t, model.env);
  const first = await tab(t, origin);
  const url = await ask(first);
  const second = await tab(t, url);
  for (const page of [first, second]) await tokens(page, middle);
  await second.reload();
  assert.deepEqual(await tokens(second, middle), TOKENS.slice(0, middle));
  await picture(second, 'answer-in-the-middle');
  model.goOn();
  await Promise.all([first, second].map(complete));
  await picture(second, 'answer-complete');
  // The stream, and one attempt to go on, which is told that there is no more.
  await answered(first, 200, 204);
  await answered(second, 200, 200, 204);
  // Whoever comes late reads the same; and while that lasts, nobody asks again.
  const late = await tab(t, url);
  await complete(late);
  await answered(late, 200, 204);
  await answered(first, 200, 204);
  await answered(second, 200, 200, 204);
  for (const page of [first, second, late]) assert.deepEqual(page.complaints, []);
});

test('answers don’t mix', LIMIT, async t => {
  const { urls: [origin] } = await startAnswer(t);
  const [first, second] = [await tab(t, origin), await tab(t, origin)];
  const urls = [await ask(first), await ask(second)];
  assert.notEqual(urls[0], urls[1]);
  await Promise.all([first, second].map(complete));
});

test('an answer that nobody asked for is not waited for', LIMIT, async t => {
  const { urls: [origin] } = await startAnswer(t);
  const page = await tab(t, `${origin}/#/answers/7`);
  await page.locator('body[data-state=failed]').getByText('no such answer').waitFor();
  await answered(page, 404);
  assert.equal(await page.evaluate(() => given.length), 0);
});

test('with curl: the answer as an event stream, its end, and then 204', LIMIT, async t => {
  const { urls: [origin] } = await startAnswer(t);
  const asked = await request('POST', `${origin}/answers`, {
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ question: QUESTION }).toString(),
  });
  assert.equal(asked.status, 201);
  const url = origin + asked.headers.location;
  // It ends by itself.
  const answer = await request('GET', url);
  const blocks = answer.text.split('\n\n').filter(block => /^data:/m.test(block));
  const last = blocks.pop();
  assert.match(last, /^event: ?tidings:end$/m);
  const id = /^id: ?(.+)$/m.exec(last)[1];
  assert.equal(blocks.length, TOKENS.length);
  const after = await request('GET', url, { headers: { 'Last-Event-ID': id } });
  assert.deepEqual({ status: after.status, text: after.text }, { status: 204, text: '' });
});

test('with curl, as the README says; and through a hub, without a program', LIMIT, async t => {
  const { urls: [origin, model] } = await startAnswer(t);
  const hub = await startHub(t);
  await readmeHolds(t, 'answer', {
    'http://localhost:3000': origin, 'http://localhost:3001': new URL(model).origin, 'http://localhost:8080': hub.origin,
  }, [
    /^location: \/answers\/1\r$/m,
    /^event: ?tidings:end$/m,
    /"closed": ?true/,
    /"content":"A "(.|\n)*^data: ?\[DONE\]$(.|\n)*^event: ?tidings:end$/m,
  ]);
});

test('an answer that breaks off says so, and ends', LIMIT, async t => {
  const model = await startModel(t, ['It', ' is'], { breaksOff: true });
  const { urls: [origin] } = await startAnswer(t, model.env);
  const page = await tab(t, origin);
  await ask(page);
  await page.locator('body[data-state=failed]').getByText('broke off').waitFor();
  assert.equal(await page.locator('#answer').textContent(), 'It is');
  await answered(page, 200, 204);
});
