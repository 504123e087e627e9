// The files that the package ships: JavaScript and types in dist/, from nothing.

import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const directory = path.dirname(fileURLToPath(import.meta.url));
const typescript = path.dirname(createRequire(import.meta.url).resolve('typescript/package.json'));
rmSync(path.join(directory, 'dist'), { recursive: true, force: true });
execFileSync(process.execPath, [path.join(typescript, 'bin', 'tsc')], { cwd: directory, stdio: 'inherit' });
