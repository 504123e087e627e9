// One of the examples, as a process of its own.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startProcess } from './process.mjs';
import { until } from './until.mjs';

const BINARIES = process.env.EXAMPLES_BIN
  ?? fileURLToPath(new URL('../../../target/debug', import.meta.url));

/// Starts the example `name` with the addresses it is given; the test's end
/// ends it. Answers it with its `urls`, in the order of its first line.
export async function startExample(t, name, { addresses = ['127.0.0.1:0'], env = {} } = {}) {
  const example = await startProcess(path.join(BINARIES, name), addresses, { ...process.env, ...env });
  t.after(() => example.end('SIGKILL'));
  example.urls = example.line.match(/https?:\/\/[^\s,]+/g);
  if (!example.urls) throw new Error(`the first line names no address: ${example.line}`);
  return example;
}

/// Runs the commands with curl of the example's README in their order, with
/// other addresses in place of its own: `{'http://localhost:3000': origin}`. Each
/// has to print something that matches its expectation.
export async function readmeHolds(t, name, addresses, expectations) {
  const readme = await readFile(new URL(`../../../examples/${name}/README.md`, import.meta.url), 'utf8');
  const commands = readme.match(/^curl (.*\\\n)*.*$/gm);
  assert.equal(commands.length, expectations.length, `what each of these prints: ${commands}`);
  for (const [at, written] of commands.entries()) {
    const command = Object.entries(addresses).reduce((text, [own, other]) => text.replaceAll(own, other), written);
    const curl = spawn('sh', ['-c', `exec ${command}`]);
    t.after(() => curl.kill());
    let printed = '';
    curl.stdout.on('data', text => { printed += text; });
    await until(() => `${expectations[at]} of ${command}; it printed ${printed}`, () => expectations[at].test(printed));
  }
}
