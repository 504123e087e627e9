// The rules of the WHATWG standard for the format, each on every cut of its
// bytes into two, and byte by byte.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Parser, TooLarge } from '../dist/parser.js';

function read(chunks, { id = '', limit } = {}) {
  const out = [];
  const parser = new Parser({
    block: ({ type, data, id, identified }) => out.push([type, data, id, ...(identified ? [] : ['-'])]),
    retry: ms => out.push(ms),
  }, id, limit);
  for (const chunk of chunks) parser.push(chunk);
  return out;
}

/// Holds that `stream` gives `expected`, however it is cut: a block is
/// `[type, data, id]`, with '-' behind it if it has no id of its own; a number
/// is a reconnection time.
function check(stream, expected, options) {
  const bytes = typeof stream === 'string' ? new TextEncoder().encode(stream) : Uint8Array.from(stream);
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    const out = read([bytes.subarray(0, cut), bytes.subarray(cut)], options);
    assert.deepEqual(out, expected, `cut at ${cut}`);
  }
  assert.deepEqual(read([...bytes].map(byte => Uint8Array.of(byte)), options), expected, 'byte by byte');
}

const ascii = text => [...new TextEncoder().encode(text)];
const message = data => ['message', data, '', '-'];

// [rule, stream, what comes of it]
const CASES = [
  ['d1_is_utf_8', 'data: ü🌊\n\n', [message('ü🌊')]],
  ['d2_one_bom_is_dropped', '\uFEFFdata: a\n\n', [message('a')]],
  ['d2_a_second_bom_is_content', '\uFEFF\uFEFFdata: a\ndata: b\n\n', [message('b')]],
  ['d2_a_bom_later_is_content', 'data: a\n\n\uFEFFdata: b\n\n', [message('a')]],
  ['d3_a_bad_subpart_is_one_replacement', [...ascii('data: '), 0xe2, 0x82, 0x41, 10, 10], [message('\uFFFDA')]],
  ['d3_a_surrogate_is_three', [...ascii('data: '), 0xed, 0xa0, 0x80, 10, 10], [message('\uFFFD\uFFFD\uFFFD')]],
  ['d4_three_line_ends', 'data: a\r\ndata: b\ndata: c\r\r', [message('a\nb\nc')]],
  ['d4_other_ends_are_content', 'data: a\u0085\u000b\f\u2028\u2029\n\n', [message('a\u0085\u000b\f\u2028\u2029')]],
  ['d5_cr_cr_ends_an_event_at_once', 'data: a\r\r', [message('a')]],
  ['d5_crlf_cr_ends_an_event_at_once', 'data: a\r\n\r', [message('a')]],
  ['d5_crlf_is_one_end', 'data: a\r\ndata: b\r\n\r\n', [message('a\nb')]],
  ['d6_what_no_blank_line_ends_is_dropped', 'data: a\nid: 1\n', []],
  ['f1_comments', ':\n: data: a\ndata: b\n:x\n\n', [message('b')]],
  ['f2_one_space_goes', 'data:  a\ndata:\tb\ndata:c: d\n\n', [message(' a\n\tb\nc: d')]],
  ['f3_no_colon', 'data\ndata\n\n', [message('\n')]],
  ['f4_names_are_exact', 'Data: a\n data: b\ndata : c\ndata\0: d\n\ndata: e\n\n', [message('e')]],
  ['f5_event', 'event: a\nevent: b\ndata: 1\n\ndata: 2\n\n', [['b', '1', '', '-'], message('2')]],
  ['f5_an_empty_one_resets', 'event: a\nevent\ndata: 1\n\n', [message('1')]],
  ['f7_id_stays', 'id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n', [['message', 'a', '1'], ['message', 'b', '1', '-'], ['message', 'c', '']]],
  ['f7_an_id_with_nul_is_ignored', 'id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n', [['message', 'a', '1'], ['message', 'b', '1', '-']]],
  ['f8_retry_at_once', 'retry: 0100\n', [100]],
  ['f8_digits_only', 'retry: 1.5\nretry:\nretry: -1\nretry: ２\nretry: 1 \n', []],
  ['f8_too_much_is_the_most', 'retry: 99999999999999999999999\n', [0x7fffffff]],
  ['f9_others', 'foo: 1\ndata: a\n\n', [message('a')]],
  ['f10_nul', 'event: a\0\ndata: b\0\n\n', [['a\0', 'b\0', '', '-']]],
  ['b1_an_id_without_data', 'id: 7\n\ndata: a\n\n', [['message', null, '7'], ['message', 'a', '7', '-']]],
  ['b2_a_type_without_data_is_dropped', 'event: a\n\ndata: b\n\n', [message('b')]],
  ['b2_empty_data', 'data:\n\n\n\n', [message('')]],
  ['b3_one_end_goes', 'data: a\ndata:\n\n', [message('a\n')]],
];

for (const [name, stream, expected] of CASES) test(name, () => check(stream, expected));

test('the last event id of before stays until a block says another', () => {
  check('data: a\n\nid: 8\ndata: b\n\n', [['message', 'a', '7', '-'], ['message', 'b', '8']], { id: '7' });
});

test('an event that never ends takes no memory without end', () => {
  const bytes = text => new TextEncoder().encode(text);
  assert.throws(() => read([bytes('data: '), bytes('x'.repeat(100))], { limit: 64 }), TooLarge);
  assert.throws(() => read(Array(40).fill(bytes('data: x\n')), { limit: 64 }), TooLarge);
  assert.equal(read(Array(40).fill(bytes('data: x\n\n')), { limit: 64 }).length, 40);
  assert.equal(read(Array(40).fill(bytes(': a comment\n')), { limit: 64 }).length, 0);
});

test('a long line in small pieces is read in time that grows with its length', () => {
  const piece = new TextEncoder().encode('x'.repeat(64));
  const pieces = Array(32_768).fill(piece);
  const out = read([new TextEncoder().encode('data: '), ...pieces, new TextEncoder().encode('\n\n')]);
  assert.equal(out[0][1].length, 64 * 32_768);
});
