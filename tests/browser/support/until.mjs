// Waiting for conditions: tests never sleep for a time and hope.

import { setTimeout as pause } from 'node:timers/promises';

const POLL_MS = 20;

/// The patience of everything that waits for a condition: far more than it takes,
/// also on a machine that is several times as slow or has other things to do.
export const PATIENCE_MS = 60_000;

/// How long a test may take: longer than several waits that fail.
export const LIMIT = { timeout: 300_000 };

/// Asks `condition` until it answers something truthy and gives that back.
/// Fails with `what` (text, or a function that makes it) after a minute.
export async function until(what, condition) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const answer = await condition();
    if (answer) return answer;
    if (Date.now() > end) {
      const text = typeof what === 'function' ? await what() : what;
      throw new Error(`waited ${PATIENCE_MS / 1000} s for ${text}`);
    }
    await pause(POLL_MS);
  }
}
