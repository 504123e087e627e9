// What the console shows of a hub itself: its figures, its topics, who lags.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import test from 'node:test';
import { pageOf } from './support/browser.mjs';
import { listed, openConsole, says, show, tailing } from './support/console.mjs';
import { startHub } from './support/hub.mjs';
import { LIMIT, until } from './support/until.mjs';
import { watch } from './support/watch.mjs';

/// The figure of this name: its value and the note below it.
function figure(page, name) {
  return page.locator('main .figure').filter({ has: page.getByText(name, { exact: true }) });
}

test('its figures and charts are those of the hub', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await openConsole(t, hub, 'overview');
  const watchers = [];
  for (let n = 0; n < 2; n += 1) watchers.push(await watch(await pageOf(t, hub), '/t/news'));
  for (const watcher of watchers) await watcher.opened();
  await says(figure(page, 'Watchers').locator('.value'), /^3$/);
  for (let n = 0; n < 30; n += 1) await hub.publish('news', `number ${n}`);
  for (const watcher of watchers) await watcher.received(30);
  await says(figure(page, 'Published').locator('.note'), /^30 in all$/);
  await says(figure(page, 'Delivered').locator('.note'), /^60 in all$/);
  await says(figure(page, 'History').locator('.note'), /^30 events$/);
  await says(figure(page, 'Memory').locator('.value'), /^\d.* MiB$/);
  await says(figure(page, 'Furthest behind'), /0 B\nnobody is behind/);
  await says(page.locator('main .busiest li').first(), /news/);
  const plot = page.locator('main .plot').first();
  await until('points in the chart', async () => Number(await plot.getAttribute('data-points')) >= 2);
  assert.match(await plot.getAttribute('aria-label'), /^Delivered: per second [\d.]+$/);
  await page.locator('.hub-line').getByText(/^\d+\.\d+\.\d+ · up \d+ (min( \d+ s)?|s)$/).waitFor();
  assert.deepEqual(page.complaints, []);
});

test('topics and their rates, and all that the store knows', LIMIT, async t => {
  const hub = await startHub(t);
  for (let n = 0; n < 130; n += 1) await hub.publish(`stored/${String(n).padStart(3, '0')}`, 'x');
  await hub.publish('answer/1', 'x', { query: 'close=1' });
  const page = await openConsole(t, hub, 'topics');
  await page.getByText('Nothing has been published since').waitFor();
  for (let n = 0; n < 5; n += 1) await hub.publish('busy', 'x');
  await hub.publish('quiet', 'x');
  const rows = page.locator('main tbody tr');
  await until('both topics', async () => await rows.count() === 2);
  // Which comes first changes from one document to the next.
  await says(rows.filter({ hasText: 'busy' }), /busy\s[\s\S]*\s5\s/);
  await says(rows.filter({ hasText: 'quiet' }), /quiet\s[\s\S]*\s1\s/);
  await page.getByLabel('Filter').fill('QUI');
  await until('one topic', async () => await rows.count() === 1);
  await page.getByRole('button', { name: 'In the store' }).click();
  await until('a page of topics', async () => await rows.count() === 100);
  assert.match(await rows.first().innerText(), /answer\/1[\s\S]*td-[\s\S]*closed/);
  await page.getByRole('button', { name: 'Next page' }).click();
  await until('the rest of them', async () => await rows.count() === 33);
  await page.getByRole('button', { name: 'First page' }).click();
  await page.getByLabel('Begins with').fill('stored/12');
  await until('those that begin so', async () => await rows.count() === 10);
  await rows.nth(3).getByRole('link').click();
  await says(page.locator('main.live h1'), /stored\/123/);
  assert.deepEqual(page.complaints, []);
});

/// A watcher that reads nothing of its stream.
async function openStalled(t, hub, path) {
  const socket = net.connect(hub.port, '127.0.0.1');
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${hub.port}\r\n\r\n`);
  await once(socket, 'readable');
  return socket;
}

test('who lags comes first', LIMIT, async t => {
  // On a slow machine the hub would disconnect the one that reads nothing first.
  const hub = await startHub(t, { TIDINGS_LIMITS_STALL: '1h' });
  const page = await openConsole(t, hub, 'connections');
  const reader = await watch(await pageOf(t, hub), '/t/flood');
  await reader.opened();
  await openStalled(t, hub, '/t/flood?since=earliest');
  const rows = page.locator('main tbody tr');
  await until('three streams', async () => await rows.count() === 3);
  const part = 'x'.repeat(200_000);
  for (let n = 0; n < 35; n += 1) await hub.publish('flood', part);
  await reader.received(35);
  await says(rows.first(), /127\.0\.0\.1\s+[\d.]+ MiB\s+flood/);
  assert.equal(await rows.first().locator('.meter').count(), 1);
  await until('one who lags', async () => await page.locator('main tbody .meter').count() === 1);
  await page.getByLabel('Filter').fill('$sys');
  await until('its own stream', async () => await rows.count() === 1);
  await show(page, hub, 'overview');
  await page.locator('main .figure.bad').getByText('1 behind').waitFor();
});

test('it goes on with a hub that was lost, and counts anew', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await openConsole(t, hub, 'overview');
  await hub.publish('news', '1');
  await says(figure(page, 'Published').locator('.note'), /^1 in all$/);
  await hub.kill();
  await page.locator('.hub-line').getByText('Connection lost').waitFor();
  await hub.start();
  await says(figure(page, 'Published').locator('.note'), /^0 in all$/);
  await hub.publish('news', '2');
  await says(figure(page, 'Published').locator('.note'), /^1 in all$/);
  assert.ok(!/-\d/.test(await page.locator('main').innerText()), 'a figure below zero');
});

test('what the hub tells of itself can be tailed like any topic', LIMIT, async t => {
  const hub = await startHub(t);
  const page = await openConsole(t, hub, 'live', { topic: '$sys/*' });
  await tailing(page);
  const rows = await listed(page, 3);
  assert.ok(rows.some(row => row.includes('$sys/stats')), rows.join('\n'));
  await page.locator('main .row').first().click();
  await page.locator('main .detail pre .json-key').first().waitFor();
});
