import assert from 'node:assert/strict';
import test from 'node:test';
import { load } from './support.mjs';

const { isPattern, isSelector, topicPath, watchPath, withParameter } = await load('lib/topics.ts');
const { Attempt } = await load('lib/attempt.ts');
const { isJson, laidOut, tokens } = await load('lib/json.ts');
const { bytes, count, hex, rate, span } = await load('lib/format.ts');
const { parts } = await load('lib/found.ts');
const { changesBetween, nameOf } = await load('lib/presence.ts');
const { sampleOf, withSample, SAMPLES } = await load('hub/own.ts');
const { languageFor } = await load('text/index.ts');
const { en } = await load('text/en.ts');
const { zh } = await load('text/zh.ts');

test('selectors are those that the hub takes', () => {
  for (const good of ['news', 'orders/42', 'orders/*', '**', 'a/*/b', 'a/**', 'café/ü b', '$sys/**', 'a'.repeat(4096)]) {
    assert.equal(isSelector(good), true, good);
  }
  for (const bad of ['', '/', 'a//b', '/a', 'a/', 'a/..', './a', 'a*', 'a/**/b', 'a\nb', 'a\u007f', 'ü'.repeat(2049)]) {
    assert.equal(isSelector(bad), false, bad);
  }
  assert.deepEqual(['a/*', '**', 'a', 'a*b'].map(isPattern), [true, true, false, false]);
});

test('paths are coded once, and a pattern goes into the query', () => {
  assert.equal(topicPath("it's/ü b#?%"), "t/it's/%C3%BC%20b%23%3F%25");
  assert.equal(watchPath('orders/42'), 't/orders/42');
  assert.equal(watchPath('orders/*'), 'events?topic=orders%2F*');
  assert.equal(withParameter('t/a', 'since', 'last:100'), 't/a?since=last%3A100');
  assert.equal(withParameter('events?topic=a', 'since', '1h'), 'events?topic=a&since=1h');
});

test('JSON is laid out by its characters', () => {
  const big = '{"n":12345678901234567890,"a":[],"b":{},"c":[1,{"d":"x, \\"y\\": {"}]}';
  assert.equal(laidOut(big), [
    '{', '  "n": 12345678901234567890,', '  "a": [],', '  "b": {},', '  "c": [', '    1,', '    {',
    '      "d": "x, \\"y\\": {"', '    }', '  ]', '}',
  ].join('\n'));
  for (const none of ['', 'hello', '12', '"text"', '{', '{"a":1', '[1,]']) assert.equal(laidOut(none), null, none);
  const laid = laidOut(big);
  assert.equal(tokens(laid).map(token => token.text).join(''), laid);
  const kinds = tokens('{\n  "a": "b",\n  "c": [-1.5e3, true, null]\n}').filter(token => token.kind);
  assert.deepEqual(kinds.map(({ kind, text }) => `${kind} ${text}`), [
    'key "a"', 'text "b"', 'key "c"', 'number -1.5e3', 'word true', 'word null',
  ]);
});

test('JSON is laid out as far as that can be shown', () => {
  const nested = depth => '['.repeat(depth) + '1' + ']'.repeat(depth);
  assert.match(laidOut(nested(100)), /^\[\n {2}\[\n[^]*\n {200}1\n/);
  const wide = `[${'{"a":[1,2]},'.repeat(10_000)}0]`;
  for (const much of [nested(101), nested(20_000), nested(90).replace('1', '1,'.repeat(90_000) + '1'), wide + ' '.repeat(100_000)]) {
    assert.deepEqual([isJson(much), laidOut(much)], [true, null]);
  }
  // A string that is cut in the middle is one part, however many quotes are in it.
  for (const cut of ['"a', `["${'\\"'.repeat(20_000)}`, `["${'\\"'.repeat(20_000)}\\`]) {
    const found = tokens(cut);
    assert.equal(found.map(token => token.text).join(''), cut);
    assert.deepEqual([found.length, found.at(-1).kind], [cut[0] === '[' ? 2 : 1, 'text']);
  }
});

test('a request that had no answer keeps its key, and any other has its own', () => {
  const attempt = new Attempt();
  const first = attempt.key('a');
  assert.match(first, /^[0-9a-f]{32}$/);
  assert.equal(attempt.key('a'), first);
  const second = attempt.key('b');
  assert.notEqual(second, first);
  assert.notEqual(attempt.key('a'), first);
  const third = attempt.key('b');
  attempt.done();
  assert.notEqual(attempt.key('b'), third);
  assert.equal(hex(new Uint8Array([0, 15, 255])), '000fff');
});

test('figures are short, and say what they are', () => {
  assert.deepEqual([0, 1023, 1024, 1536, 150 * 1024, 5 * 2 ** 30].map(bytes), ['0 B', '1023 B', '1.0 KiB', '1.5 KiB', '150 KiB', '5.0 GiB']);
  assert.deepEqual([0, 9999, 10_000, 1_234_567].map(n => count(n, 'en')), ['0', '9,999', '10K', '1.2M']);
  assert.equal(count(48_400, 'zh'), '4.8万');
  assert.deepEqual([0, 0.001, 0.25, 1, 12.34, 250].map(n => rate(n, 'en')), ['0', '<0.01', '0.25', '1', '12.3', '250']);
  assert.deepEqual([0, 59, 60, 3_725, 90_061].map(s => span(s, en.units)), ['0 s', '59 s', '1 min', '1 h 2 min', '1 d 1 h']);
});

test('what was found has the odd places, and nothing is lost', () => {
  for (const [text, search, expect] of [
    ['Hello hello', 'HELLO', ['', 'Hello', ' ', 'hello', '']],
    ['abc', '', ['abc']],
    ['aaa', 'aa', ['', 'aa', 'a']],
    ['İstanbul', 'stan', ['İstanbul']],
    ['<b>&', '<', ['', '<', 'b>&']],
  ]) assert.deepEqual(parts(text, search), expect, text);
});

test('who came and who went', () => {
  const document = members => ({ topic: 'a', seq: 1, count: 0, watchers: 0, members });
  const ann = { id: '1', since: '', as: 'Ann' };
  const bo = { id: '2', since: '', data: { name: 'Bo' } };
  assert.deepEqual(changesBetween(document([ann]), document([bo]), 5), [
    { id: '2', at: 5, joined: true, name: 'Bo' }, { id: '1', at: 5, joined: false, name: 'Ann' },
  ]);
  assert.deepEqual(changesBetween(document(null), document([bo]), 5), []);
  assert.deepEqual([{ id: '3', since: '' }, { id: '4', since: '', data: 'Cy' }, { id: '5', since: '', data: { name: 7 } }].map(nameOf), [undefined, 'Cy', undefined]);
});

test('rates come from two readings, and from none across a restart', () => {
  const reading = (time, published, more = {}) => ({
    time, uptime: time / 1000, published, deliveries: published * 10, delivered_bytes: published * 100,
    cpu_seconds: time / 4000, rss_bytes: 7, tail_bytes: null, lag_bytes: 3, lagging: 1, subscribers: 2, ...more,
  });
  const sample = sampleOf(reading(1000, 10), reading(3000, 30));
  assert.deepEqual(sample, {
    at: 3, published: 10, deliveries: 100, bytes: 1000, cpu: 25, lag: 3, lagging: 1, subscribers: 2, rss: 7, tail: null,
  });
  assert.equal(sampleOf(reading(1000, 10), reading(1000, 20)), null);
  assert.equal(sampleOf(reading(1000, 10), reading(2000, 5)), null);
  assert.equal(sampleOf(reading(5000, 10), reading(6000, 20, { uptime: 1 })), null);
  assert.equal(sampleOf(reading(1000, 10, { cpu_seconds: null }), reading(2000, 20)).cpu, null);
  let samples = [];
  for (let at = 0; at < SAMPLES + 5; at += 1) samples = withSample(samples, { at });
  assert.deepEqual([samples.length, samples[0].at, samples.at(-1).at], [SAMPLES, 5, SAMPLES + 4]);
});

test('the language is the one chosen, else the first of the browser that there is', () => {
  assert.equal(languageFor(null, ['de-DE', 'zh-TW', 'en']), 'zh');
  assert.equal(languageFor(null, ['EN-us']), 'en');
  assert.equal(languageFor(null, ['fr']), 'en');
  assert.equal(languageFor('zh', ['en']), 'zh');
  assert.equal(languageFor('xx', ['zh']), 'zh');
});

/// Every text of one language, by its path.
function leaves(texts, path = '') {
  return Object.entries(texts).flatMap(([name, text]) => {
    const here = path ? `${path}.${name}` : name;
    return typeof text === 'object' ? leaves(text, here) : [[here, text]];
  });
}

test('Chinese says all that English says, and says it in Chinese', () => {
  const [english, chinese] = [leaves(en), leaves(zh)];
  assert.deepEqual(chinese.map(([path]) => path), english.map(([path]) => path));
  const said = text => (typeof text === 'function' ? text('1', '1') : text);
  const alike = english.filter(([, text], i) => said(text) === said(chinese[i][1])).map(([path]) => path);
  // Names of fields and signs, the same everywhere.
  assert.deepEqual(alike, ['unknown', 'connections.secure', 'publish.size']);
  for (const [path, text] of chinese) {
    if (alike.includes(path) || path.endsWith('.id')) continue;
    assert.match(said(text), /[\u4e00-\u9fff]/, path);
  }
});
