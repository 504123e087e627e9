// Pictures of pages, for whoever looks at them after the tests.

import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const ARTIFACTS = fileURLToPath(new URL('../../../artifacts/', import.meta.url));

/// Keeps what `page` shows as `artifacts/{name}.png`.
export async function picture(page, name) {
  await mkdir(ARTIFACTS, { recursive: true });
  await page.screenshot({ path: `${ARTIFACTS}${name}.png`, fullPage: true });
}
