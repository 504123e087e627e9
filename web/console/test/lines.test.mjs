// The lines of code that the console shows. What curl, pages and Python make of
// them is tested in a browser; here, that those for @tidings/client fit it.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { load } from './support.mjs';

const { CLIENT, linesFor, shell } = await load('lib/lines.ts');
const OWN = fileURLToPath(new URL('..', import.meta.url));
const HUB = 'https://hub.example/';
const TOPICS = ['news', 'orders/*', `it's/"quoted" \\ \${x} \`y\``, 'café/\u2028/李雷'];

test('nothing escapes the quotes of the shell', () => {
  for (const text of ["it's", "''", '$(echo no) `echo no` \\ "', 'a\nb']) {
    assert.equal(execFileSync('sh', ['-c', `printf %s ${shell(text)}`]).toString(), text);
  }
});

test('a token stands by its name, and only at a hub that asks for one', () => {
  for (const topic of TOPICS) {
    for (const line of Object.values(linesFor(HUB, topic, false))) assert.ok(!line?.includes('TOKEN'), line);
    for (const line of Object.values(linesFor(HUB, topic, true))) assert.ok(line === null || line.includes('TOKEN'), line);
  }
});

test('a pattern has no line to publish with', () => {
  const { publish, pythonPublish } = linesFor(HUB, 'orders/*', false);
  assert.deepEqual([publish, pythonPublish], [null, null]);
});

test('the package that is made is the one that is added', () => {
  const client = CLIENT.make.match(/^cd (\S+) && npm ci && npm pack$/)[1];
  const { name, version } = JSON.parse(readFileSync(path.join(OWN, '../..', client, 'package.json')));
  // As npm pack names it.
  const file = `path/to/tidings/${client}/${name.replace('@', '').replace('/', '-')}-${version}.tgz`;
  assert.equal(CLIENT.add.replace('*', version), `npm install ${file}`);
});

test('those for @tidings/client fit its types', () => {
  const directory = mkdtempSync(path.join(OWN, 'node_modules', '.lines-'));
  const client = path.join(OWN, '..', 'client');
  try {
    const files = [];
    const add = (name, text) => {
      writeFileSync(path.join(directory, name), text);
      files.push(name);
    };
    for (const [n, topic] of TOPICS.entries()) {
      const token = 'declare const TOKEN: string;\nexport {};\n';
      const [open, guarded] = [linesFor(HUB, topic, false), linesFor(HUB, topic, true)];
      add(`javascript-${n}.ts`, token + guarded.javascript);
      add(`react-${n}.tsx`, `${token}${open.react}\nexport { Newest };`);
      add(`react-guarded-${n}.tsx`, `${token}${guarded.react}\nexport { Newest };`);
    }
    const compilerOptions = {
      target: 'ES2022', module: 'ESNext', moduleResolution: 'bundler', jsx: 'react-jsx', strict: true, noEmit: true,
      skipLibCheck: true, types: [], lib: ['ES2022', 'DOM', 'DOM.Iterable'],
      paths: {
        '@tidings/client': [`${client}/src/index.ts`],
        '@tidings/client/react': [`${client}/src/react.ts`],
        react: [`${client}/node_modules/@types/react`],
        'react/jsx-runtime': [`${client}/node_modules/@types/react/jsx-runtime`],
      },
    };
    writeFileSync(path.join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
    const tsc = path.join(OWN, 'node_modules', 'typescript', 'bin', 'tsc');
    const check = () => execFileSync(process.execPath, [tsc, '-p', directory], { encoding: 'utf8' });
    assert.equal(check(), '');
    // And types that don't fit are found.
    writeFileSync(path.join(directory, files[0]), linesFor(HUB, 'news', true).javascript.replace('topics', 'topicks'));
    assert.throws(check);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
