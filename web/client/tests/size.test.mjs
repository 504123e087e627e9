// What the client costs a page.

import assert from 'node:assert/strict';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

// [what a page imports, the most bytes it may be, minified and gzipped]
const BOUNDS = [
  ['index.js', 6_400],
  ['react.js', 6_800],
];

for (const [file, most] of BOUNDS) {
  test(`${file}: at most ${most} bytes`, async () => {
    const { outputFiles } = await build({
      entryPoints: [fileURLToPath(new URL(`../dist/${file}`, import.meta.url))],
      bundle: true,
      minify: true,
      format: 'esm',
      external: ['react'],
      write: false,
    });
    const size = gzipSync(outputFiles[0].contents, { level: 9 }).length;
    console.log(`${file}: ${outputFiles[0].contents.length} bytes minified, ${size} gzipped`);
    assert.ok(size <= most, `${size} bytes`);
  });
}
