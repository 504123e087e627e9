// @tidings/client at a hub that asks who one is.

import assert from 'node:assert/strict';
import test from 'node:test';
import { pageOf } from './support/browser.mjs';
import { open } from './support/client.mjs';
import { closedHub, token } from './support/closed.mjs';
import { LIMIT } from './support/until.mjs';

/// A page that has tokens to give, and counts them.
async function pageWithTokens(t, hub, rights) {
  const page = await pageOf(t, hub);
  await page.evaluate(token => {
    window.given = 0;
    window.token = async () => {
      window.given += 1;
      return token;
    };
  }, token(rights));
  return page;
}

/// What the page's URLs of streams carry as tickets, in order.
function ticketsOf(page) {
  const tickets = [];
  page.on('request', request => {
    const url = new URL(request.url());
    if (url.pathname === '/events') tickets.push(url.searchParams.get('ticket'));
  });
  return tickets;
}

for (const [how, ticket] of [['a token in the header', null], ['a ticket in the URL', '/tickets']]) {
  test(`${how}: got anew for each connection, and nothing is lost over kill -9 and a stop`, LIMIT, async t => {
    const hub = await closedHub(t);
    const page = await pageWithTokens(t, hub);
    const tickets = ticketsOf(page);
    const seen = await open(page, '/', { topics: 'news', ...(ticket && { ticket }) }, ['token']);
    await seen.isOpen();
    await hub.publish('news', '1');
    await seen.received(1);
    await hub.kill();
    await seen.until('a lost connection', ({ state }) => state !== 'open');
    await hub.start();
    await hub.publish('news', '2');
    await seen.received(2);
    await hub.terminate();
    await seen.until('a lost connection', ({ state }) => state !== 'open');
    await hub.start();
    await seen.expectExactly(hub, 'news', ['1', '2']);
    assert.equal((await seen.seen()).gaps.length, 0);
    assert.ok(await page.evaluate(() => window.given) >= 3);
    const given = tickets.filter(text => text !== null);
    assert.equal(given.length, ticket ? tickets.length : 0);
    assert.equal(new Set(given).size, given.length, 'no ticket twice');
  });
}

// [what, rights of the token, whether there is one, what closes the watch]
const REFUSED = [
  ['no token', null, [401, 'token-needed']],
  ['a token that grants other topics', { subscribe: ['orders/*'] }, [403, 'not-granted']],
];

for (const [what, rights, expected] of REFUSED) {
  for (const shared of [false, true]) {
    test(`${what}${shared ? ', shared' : ''}: closed for good, and told`, LIMIT, async t => {
      const hub = await closedHub(t);
      const page = await pageWithTokens(t, hub, rights ?? undefined);
      const seen = await open(page, '/', { topics: 'news', shared }, rights ? ['token'] : []);
      await seen.until('the end', ({ state }) => state === 'closed');
      const { errors } = await seen.seen();
      assert.deepEqual(errors.map(({ status, code, fatal }) => [status, code, fatal]), [[...expected, true]]);
    });
  }
}

test('shared: whose token has expired is closed alone; the next leads with its own, and loses nothing', LIMIT, async t => {
  const hub = await closedHub(t);
  const page = await pageWithTokens(t, hub);
  const first = await open(page, '/', { topics: 'news', shared: true }, ['token']);
  await first.isOpen();
  const tab = await page.context().newPage();
  await tab.goto(`${hub.origin}/livez`);
  const second = await open(tab, '/', { topics: 'news', shared: true, token: token() });
  await second.isOpen();
  await hub.publish('news', '1');
  await second.received(1);
  await page.evaluate(expired => { window.token = () => expired; }, token(undefined, -3600));
  await hub.crash();
  await first.until('the end', ({ state }) => state === 'closed');
  assert.deepEqual((await first.seen()).errors.filter(({ fatal }) => fatal).map(({ status }) => status), [401]);
  await second.expectExactly(hub, 'news', ['1']);
  const { errors, gaps } = await second.seen();
  assert.deepEqual([errors.filter(({ fatal }) => fatal), gaps], [[], []]);
});
