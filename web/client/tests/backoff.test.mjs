import assert from 'node:assert/strict';
import test from 'node:test';
import { delay, retryAfter } from '../dist/backoff.js';

const LOST = { told: null, before: null, after: null, failures: 1, random: 1 };

// [what, how it was lost, milliseconds to wait]
const CASES = [
  ['a server’s word', { told: 5_123, failures: 0 }, 5_123],
  ['a server’s word, also from one that brings nothing', { told: 5_123, failures: 7 }, 5_123],
  ['Retry-After goes before it', { told: 5_123, after: 7_000 }, 7_000],
  ['nothing is waited for without end', { after: 1e12 }, 3_600_000],
  ['the word of an earlier connection, if this one brought something', { before: 400, failures: 0 }, 400],
  ['Retry-After: 0 is a tenth of a second', { after: 0 }, 100],
  ['so is a reconnection time of 0', { told: 0, failures: 0 }, 100],
  ['never less, whatever chance says', { after: 0, random: 0 }, 100],
  ['twice as long after each failure, also from there', { after: 0, failures: 4 }, 800],
  ['and from what was 0 before', { before: 0, failures: 3 }, 400],
  ['no word: a second', {}, 1_000],
  ['its second half is left to chance', { random: 0 }, 500],
  ['twice as long after each failure', { failures: 4 }, 8_000],
  ['from what the server last said', { failures: 3, before: 2_000 }, 8_000],
  ['up to half a minute', { failures: 100_000 }, 30_000],
];

for (const [what, lost, expected] of CASES) {
  test(what, () => assert.equal(delay({ ...LOST, ...lost }), expected));
}

test('Retry-After: seconds or a date', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  assert.equal(retryAfter(null, now), null);
  assert.equal(retryAfter('soon', now), null);
  assert.equal(retryAfter('7', now), 7_000);
  assert.equal(retryAfter('Thu, 01 Jan 2026 00:00:09 GMT', now), 9_000);
  assert.equal(retryAfter('Thu, 01 Jan 2015 00:00:09 GMT', now), 0);
});
