// Waiting for conditions: tests never sleep for a time and hope.

import { setTimeout as pause } from 'node:timers/promises';

const POLL_MS = 20;
const LIMIT_MS = 20_000;

/// Asks `condition` until it answers something truthy and gives that back.
/// Fails with `what` (text, or a function that makes it) after 20 s.
export async function until(what, condition) {
  const end = Date.now() + LIMIT_MS;
  for (;;) {
    const answer = await condition();
    if (answer) return answer;
    if (Date.now() > end) {
      const text = typeof what === 'function' ? await what() : what;
      throw new Error(`waited ${LIMIT_MS / 1000} s for ${text}`);
    }
    await pause(POLL_MS);
  }
}
