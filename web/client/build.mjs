// What the package ships, from nothing: JavaScript and types in dist/, and in
// bundle/ all of it but React's hook as one file for pages without a bundler.

import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const directory = path.dirname(fileURLToPath(import.meta.url));
const at = name => path.join(directory, name);
const typescript = path.dirname(createRequire(import.meta.url).resolve('typescript/package.json'));

for (const made of ['dist', 'bundle']) rmSync(at(made), { recursive: true, force: true });
execFileSync(process.execPath, [path.join(typescript, 'bin', 'tsc')], { cwd: directory, stdio: 'inherit' });
await build({
  entryPoints: [at('dist/index.js')],
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  outfile: at('bundle/tidings.js'),
});
