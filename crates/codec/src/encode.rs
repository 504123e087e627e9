//! Events as bytes.
//!
//! What can't be written: a byte order mark before the stream (E6; nothing in
//! here emits one), and a line break, or in an ID a NUL, inside a type or ID
//! (E3; [`EventType`] and [`EventId`] can't hold them).

use crate::{EventId, EventType};
use alloc::vec::Vec;
use memchr::memchr2;

/// One block of an event stream: the fields of an event, or without `data`
/// only what a reader remembers (its last event ID, its reconnection time).
///
/// A [`Decoder`](crate::Decoder) reads back what was put, except that CR and
/// CRLF in the data have become LF, as the format has no way to tell them
/// apart (E2).
///
/// ```
/// use tidings_codec::{Block, EventId};
/// let id = EventId::new("7").unwrap();
/// let block = Block { id: Some(&id), data: Some("two\nlines"), ..Block::default() };
/// let mut out = Vec::new();
/// block.put(&mut out);
/// assert_eq!(out, b"data: two\ndata: lines\nid: 7\n\n");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Block<'a> {
    /// `event`; without it the event's type is `message`.
    pub event_type: Option<&'a EventType>,
    /// `retry`, in milliseconds.
    pub retry: Option<u64>,
    /// `data`; `Some("")` is an event with empty data, `None` is no event.
    pub data: Option<&'a str>,
    /// `id`; an empty one resets the reader's last event ID.
    pub id: Option<&'a EventId>,
}

impl Block<'_> {
    /// Appends the block and the blank line that ends it.
    pub fn put(&self, out: &mut Vec<u8>) {
        if let Some(event_type) = self.event_type {
            put_event_type(out, event_type);
        }
        if let Some(millis) = self.retry {
            put_retry(out, millis);
        }
        if let Some(data) = self.data {
            put_data(out, data);
        }
        if let Some(id) = self.id {
            put_id(out, id);
        }
        out.push(b'\n');
    }
}

/// Appends `id: …`.
pub fn put_id(out: &mut Vec<u8>, id: &EventId) {
    put_line(out, b"id: ", id.as_str().as_bytes());
}

/// Appends `event: …`.
pub fn put_event_type(out: &mut Vec<u8>, event_type: &EventType) {
    put_line(out, b"event: ", event_type.as_str().as_bytes());
}

/// Appends `retry: …`, in milliseconds, as ASCII digits (E5).
pub fn put_retry(out: &mut Vec<u8>, millis: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    let mut rest = millis;
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    put_line(out, b"retry: ", &digits[start..]);
}

/// Appends one `data: ` line per line of `data`, which CR, LF and CRLF end
/// alike; empty lines at its end are kept (E2). Empty data is one line with
/// an empty value (E7).
pub fn put_data(out: &mut Vec<u8>, data: &str) {
    put_lines(out, DATA, data);
}

/// How many bytes [`put_data`] appends for `data`. Every line costs
/// 7 bytes, so data of line breaks only grows to seven times its size.
pub fn encoded_data_len(data: &str) -> usize {
    let mut len = 0;
    for_each_line(data.as_bytes(), |line| len += DATA.len() + line.len() + 1);
    len
}

/// Appends one comment line per line of `text`, so that no text can become a
/// field. Readers ignore comments (F1).
pub fn put_comment(out: &mut Vec<u8>, text: &str) {
    put_lines(out, b": ", text);
}

/// The space keeps a value that begins with one whole: a reader strips
/// exactly one (E4).
const DATA: &[u8] = b"data: ";

fn put_lines(out: &mut Vec<u8>, prefix: &[u8], text: &str) {
    // Exact for a single line, which most texts are.
    out.reserve(prefix.len() + text.len() + 1);
    for_each_line(text.as_bytes(), |line| put_line(out, prefix, line));
}

fn put_line(out: &mut Vec<u8>, prefix: &[u8], line: &[u8]) {
    out.extend_from_slice(prefix);
    out.extend_from_slice(line);
    out.push(b'\n');
}

fn for_each_line(text: &[u8], mut each: impl FnMut(&[u8])) {
    let mut rest = text;
    while let Some(end) = memchr2(b'\r', b'\n', rest) {
        each(&rest[..end]);
        let crlf = rest[end..].starts_with(b"\r\n");
        rest = &rest[end + 1 + usize::from(crlf)..];
    }
    each(rest);
}
