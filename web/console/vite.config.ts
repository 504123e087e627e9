import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

// Where `npm run dev` finds a hub.
const HUB = 'http://127.0.0.1:8080';

export default defineConfig({
  // Relative, so that a hub behind a proxy may stand below any path.
  base: './',
  // Its sources, so that the build follows from the repository alone.
  resolve: { alias: { '@tidings/client': fileURLToPath(new URL('../client/src/index.ts', import.meta.url)) } },
  build: {
    outDir: '../../crates/server/console',
    emptyOutDir: true,
    target: 'es2022',
    // The policy of the page allows no data: URLs.
    assetsInlineLimit: 0,
    modulePreload: false,
    reportCompressedSize: false,
  },
  server: {
    proxy: Object.fromEntries(['/t/', '/events', '/presence', '/admin'].map(path => [path, HUB])),
  },
});
