// The files that pages of the guide show, as they stand there.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const MODULES = path.join(ROOT, 'tests/guide/node_modules');

/// The files of a page, by name: each fence behind a comment with `file=`.
export async function filesOf(page) {
  const text = await readFile(path.join(ROOT, 'docs', page), 'utf8');
  const fences = text.matchAll(/^<!-- run:[^>]*\bfile=(\S+)[^>]*-->\s*^```[^\n]*\n(.*?)^```$/gms);
  return Object.fromEntries(Array.from(fences, ([, name, inner]) => [name, inner]));
}

/// A file of a package that the pages use.
export function fileOf(name) {
  return readFile(path.join(MODULES, name), 'utf8');
}

/// Bundles `main` (JSX) with the files of a page, which it imports by their names.
export async function bundle(directory, files, main, alias = {}) {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(directory, name)), { recursive: true });
    await writeFile(path.join(directory, name), text);
  }
  const { build } = createRequire(path.join(MODULES, 'index.js'))('esbuild');
  const { outputFiles: [bundled] } = await build({
    stdin: { contents: main, resolveDir: directory, loader: 'jsx' },
    bundle: true,
    write: false,
    jsx: 'automatic',
    nodePaths: [MODULES],
    alias,
    // With what frameworks check while one develops, such as effects that run twice.
    define: {
      'process.env.NODE_ENV': '"development"',
      __VUE_OPTIONS_API__: 'true',
      __VUE_PROD_DEVTOOLS__: 'false',
      __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false',
    },
    logLevel: 'error',
  });
  return bundled.text;
}
