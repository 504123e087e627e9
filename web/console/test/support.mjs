// The sources as modules: Vite turns them into JavaScript, as it does for the build.

import { after } from 'node:test';
import { createServer } from 'vite';

const server = await createServer({ server: { middlewareMode: true, hmr: false, ws: false, watch: null }, appType: 'custom', logLevel: 'error' });
after(() => server.close());

/// A module below `src`.
export const load = name => server.ssrLoadModule(`/src/${name}`);
