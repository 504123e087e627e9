// Chromium: one per test file, a fresh profile per page.

import { access } from 'node:fs/promises';
import { after } from 'node:test';
import { chromium } from 'playwright-core';
import { PATIENCE_MS } from './until.mjs';

const EXECUTABLE = process.env.CHROMIUM ?? '/usr/bin/chromium';
const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // A name that an attacker has rebound to this machine.
  '--host-resolver-rules=MAP evil.example 127.0.0.1',
];

let launched = null;
after(async () => (await launched)?.close());

async function launch() {
  await access(EXECUTABLE);
  return chromium.launch({ executablePath: EXECUTABLE, args: ARGS, headless: true, timeout: PATIENCE_MS });
}

/// An empty page in a profile of its own, which ends with the test.
/// `page.complaints` collects what it writes to the console as an error, and
/// what it throws.
export async function blankPage(t, options = {}) {
  launched ??= launch();
  const context = await (await launched).newContext(options);
  t.after(() => context.close());
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  page.complaints = [];
  page.on('pageerror', error => page.complaints.push(String(error)));
  page.on('console', line => line.type() === 'error' && page.complaints.push(line.text()));
  return page;
}

/// A page of the hub's own origin with nothing on it, from which a test can
/// watch and publish.
export async function pageOf(t, hub) {
  const page = await blankPage(t);
  await page.goto(`${hub.origin}/livez`);
  return page;
}
