// The console of a hub with keys: it asks for a token, keeps it in the tab, and
// says what the hub makes of it.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHmac } from 'node:crypto';
import test from 'node:test';
import { promisify } from 'node:util';
import { accessible, listed, openConsole, says, show, tailing } from './support/console.mjs';
import { startHub } from './support/hub.mjs';
import { picture } from './support/picture.mjs';
import { LIMIT, until } from './support/until.mjs';

const SECRET = 'dNq2m-vX81_kWb04pRtZ7yLcG5hJ3sFa';
const PUBLIC_URL = 'https://hub.example';
const run = promisify(execFile);

/// A token with these claims of ours, signed as an application would.
function token(tidings, more = {}) {
  const part = value => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { aud: PUBLIC_URL, exp: Math.floor(Date.now() / 1000) + 3600, sub: 'somebody', tidings, ...more };
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`;
}

const OPERATOR = token({ publish: ['**'], subscribe: ['**'], admin: true, presence: { name: 'Ann' } });
const READER = token({ publish: [], subscribe: ['news'] });

const closedHub = t => startHub(t, {
  TIDINGS_AUTH_KEYS: `[{ algorithms = ["HS256"], secret = "${SECRET}" }]`,
  TIDINGS_PUBLIC_URL: PUBLIC_URL,
});

async function giveToken(page, text) {
  await page.locator('main .token').getByLabel('Token').fill(text);
  await page.getByRole('button', { name: 'Use the token' }).click();
}

test('it asks for a token, and keeps it in the tab', LIMIT, async t => {
  const hub = await closedHub(t);
  const page = await openConsole(t, hub, 'live');
  await page.getByText('This hub asks for a token').waitFor();
  await accessible(page, 'asking for a token');
  await picture(page, 'console-token');
  await giveToken(page, 'not a token');
  await page.getByText('A token has three parts').waitFor();
  await giveToken(page, `Bearer ${OPERATOR}`);
  await tailing(page);
  await page.evaluate(async token => {
    await fetch('../t/news', { method: 'POST', body: 'hello', headers: { Authorization: `Bearer ${token}` } });
  }, OPERATOR);
  assert.match((await listed(page, 1))[0], /hello/);
  const kept = await page.evaluate(() => ({ tab: { ...sessionStorage }, ever: JSON.stringify({ ...localStorage }), html: document.documentElement.outerHTML, address: location.href }));
  assert.equal(kept.tab['tidings.token'], OPERATOR);
  for (const place of ['ever', 'html', 'address']) assert.ok(!kept[place].includes(OPERATOR.split('.')[2]), place);
  await page.reload();
  await tailing(page);
  await page.locator('[data-token-switch]').click();
  await page.getByRole('button', { name: 'Forget the token' }).click();
  await page.getByText('This hub asks for a token').waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.getItem('tidings.token')), null);
});

// [what is wrong, token, topic, what it says]
const REFUSED = [
  ['another secret', `${OPERATOR.slice(0, -4)}AAAA`, 'news', 'The hub does not take this token'],
  ['another topic', READER, 'orders/42', 'The token does not grant this'],
  ['expired', token({ subscribe: ['**'] }, { exp: 1_700_000_000 }), 'news', 'The hub does not take this token'],
];

for (const [what, token, topic, said] of REFUSED) {
  test(`a token that is refused: ${what}`, LIMIT, async t => {
    const hub = await closedHub(t);
    for (const view of ['live', 'history']) {
      const page = await openConsole(t, hub, view, { topic, token });
      await page.locator('main .refusal h2').getByText(said).waitFor();
      await page.locator('main .refusal').getByLabel('Token').waitFor();
    }
  });
}

test('what is said of the hub needs an operator; topics do not', LIMIT, async t => {
  const hub = await closedHub(t);
  const page = await openConsole(t, hub, 'overview', { token: READER });
  for (const view of ['overview', 'topics', 'connections']) {
    await show(page, hub, view);
    await page.getByText('This view needs a token with the claim tidings.admin').waitFor();
  }
  await show(page, hub, 'live');
  await tailing(page);
  await show(page, hub, 'publish');
  await page.getByRole('button', { name: 'Publish', exact: true }).click();
  await page.locator('main .refusal h2').getByText('The token does not grant this').waitFor();
  await show(page, hub, 'overview');
  await giveToken(page, OPERATOR);
  await says(page.locator('main .figure .value').first(), /^\d+$/);
});

test('its lines of code ask for a token too, and hold none', LIMIT, async t => {
  const hub = await closedHub(t);
  const page = await openConsole(t, hub, 'code', { topic: 'news', token: OPERATOR });
  const text = await page.locator('main').innerText();
  assert.ok(!text.includes(OPERATOR.split('.')[0]));
  const line = await page.locator('[data-line=curl-publish] pre').innerText();
  const { stdout } = await run('sh', ['-c', line], { env: { ...process.env, TOKEN: OPERATOR } });
  assert.equal(JSON.parse(stdout).topic, 'news');
  const past = await page.locator('[data-line=curl-history] pre').innerText();
  await until('the event', async () => {
    const { stdout } = await run('sh', ['-c', past], { env: { ...process.env, TOKEN: READER } });
    return JSON.parse(stdout).events.length === 1;
  });
});
