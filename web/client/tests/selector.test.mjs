import assert from 'node:assert/strict';
import test from 'node:test';
import { matches } from '../dist/selector.js';

// [selector, topics that it selects, topics that it doesn't]
const CASES = [
  ['news', ['news'], ['news/a', 'new', 'News']],
  ['orders/*', ['orders/1'], ['orders', 'orders/1/a', 'order/1']],
  ['*/a', ['b/a'], ['a', 'b/c/a']],
  ['orders/**', ['orders/1', 'orders/1/a'], ['orders']],
  ['**', ['a', 'a/b'], ['$sys/stats']],
  ['*/stats', ['a/stats'], ['$sys/stats']],
  ['$sys/*', ['$sys/stats'], ['$presence/stats', 'a/stats']],
  ['$sys/**', ['$sys/a/b'], ['$sys']],
];

for (const [selector, selected, others] of CASES) {
  test(`${selector} selects ${selected}, not ${others}`, () => {
    for (const topic of selected) assert.ok(matches(selector, topic), topic);
    for (const topic of others) assert.ok(!matches(selector, topic), topic);
  });
}
