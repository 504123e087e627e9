// Who is there, as a page sees it: tabs that open, close and are loaded again.

import assert from 'node:assert/strict';
import test from 'node:test';
import { pageOf } from './support/browser.mjs';
import { startHub } from './support/hub.mjs';
import { LIMIT, until } from './support/until.mjs';
import { watch } from './support/watch.mjs';

const PRESENCE = { names: ['tidings:presence'] };

const presence = async hub => JSON.parse((await hub.get('/presence?topic=room')).text);

/// One more tab of the browser that `page` is in.
async function tabBeside(page, hub) {
  const tab = await page.context().newPage();
  await tab.goto(`${hub.origin}/livez`);
  return tab;
}

const enter = (page, name) => watch(page, `/t/room?presence=1&as=${name}`, PRESENCE);

/// What somebody was told, each as `joined`, `left` and `members`, by name.
async function told(watcher) {
  const names = new Map();
  const name = member => {
    names.set(member.id, member.as);
    return member.as;
  };
  return (await watcher.events()).map(({ type, data, id }) => {
    assert.equal(type, 'tidings:presence');
    assert.notEqual(id, '', 'the last event ID stays what the beginning of the stream said');
    const { count, members, joined, left } = JSON.parse(data);
    if (members) return { count, members: members.map(name).sort() };
    return { count, joined: joined.map(name), left: left.map(gone => names.get(gone)) };
  });
}

async function expectTold(watcher, expected) {
  await watcher.received(expected.length);
  assert.deepEqual(await told(watcher), expected);
}

test('two tabs of one person are one member, until both are closed', LIMIT, async t => {
  const hub = await startHub(t, { TIDINGS_PRESENCE_GRACE: '0s' });
  const eve = await enter(await pageOf(t, hub), 'Eve');
  const expected = [{ count: 1, members: ['Eve'] }];
  await expectTold(eve, expected);

  const first = await pageOf(t, hub);
  const second = await tabBeside(first, hub);
  await (await enter(first, 'Ann')).received(1);
  await (await enter(second, 'Ann')).received(1);
  assert.equal((await presence(hub)).watchers, 3);
  expected.push({ count: 2, joined: ['Ann'], left: [] });
  await expectTold(eve, expected);

  await first.close();
  await until('the tab to be gone', async () => (await presence(hub)).watchers === 2);
  // Had anything been told of that, it would come before this.
  const bob = await pageOf(t, hub);
  await (await enter(bob, 'Bob')).received(1);
  expected.push({ count: 3, joined: ['Bob'], left: [] });
  await expectTold(eve, expected);

  await second.close();
  expected.push({ count: 2, joined: [], left: ['Ann'] });
  await expectTold(eve, expected);
});

test('a page that is loaded again within the grace has never left', LIMIT, async t => {
  const hub = await startHub(t, { TIDINGS_PRESENCE_GRACE: '10m' });
  const eve = await enter(await pageOf(t, hub), 'Eve');
  await eve.received(1);
  const page = await pageOf(t, hub);
  await (await enter(page, 'Ann')).received(1);
  await eve.received(2);
  const before = (await presence(hub)).members;

  await page.reload();
  await until('the page to be away', async () => (await presence(hub)).watchers === 1);
  assert.deepEqual((await presence(hub)).members, before, 'who is away for a moment is there');
  const again = await enter(page, 'Ann');
  await expectTold(again, [{ count: 2, members: ['Ann', 'Eve'] }]);
  assert.deepEqual((await presence(hub)).members, before, 'under the same id, since the same time');

  await (await enter(await pageOf(t, hub), 'Bob')).received(1);
  await expectTold(eve, [
    { count: 1, members: ['Eve'] },
    { count: 2, joined: ['Ann'], left: [] },
    { count: 3, joined: ['Bob'], left: [] },
  ]);
});

test('a hub that is killed and comes back tells who is there anew', LIMIT, async t => {
  const hub = await startHub(t);
  const eve = await enter(await pageOf(t, hub), 'Eve');
  await eve.received(1);
  const [{ id }] = (await presence(hub)).members;
  await hub.crash();
  await eve.opened(2);
  await expectTold(eve, [{ count: 1, members: ['Eve'] }, { count: 1, members: ['Eve'] }]);
  assert.notEqual((await presence(hub)).members[0].id, id);
});
