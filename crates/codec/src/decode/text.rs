//! Bytes as text (D1, D3): ill-formed UTF-8 is never an error, each maximal
//! subpart of it becomes U+FFFD.
//!
//! Decoding value by value gives the same text as decoding the stream as a
//! whole, as the standard has it: line ends, colons and the stripped space
//! are ASCII, and no ill-formed sequence reaches across an ASCII byte.

use alloc::string::String;
use alloc::vec::Vec;
use core::{mem, str};

/// Moves the bytes out as text, or not at all if that would have more than
/// `max` bytes.
#[inline]
pub(super) fn take(bytes: &mut Vec<u8>, max: usize) -> Option<String> {
    match String::from_utf8(mem::take(bytes)) {
        Ok(text) => (text.len() <= max).then_some(text),
        Err(error) => replace(error.as_bytes(), max),
    }
}

/// Copies the bytes into `text` and forgets them, if they are few and
/// well-formed: that is faster than moving the buffer itself back and forth.
#[inline]
pub(super) fn copy_few(bytes: &mut Vec<u8>, text: &mut String) -> bool {
    const FEW: usize = 256;
    if bytes.len() <= FEW
        && let Ok(few) = str::from_utf8(bytes)
    {
        text.clear();
        text.push_str(few);
        bytes.clear();
        return true;
    }
    false
}

/// Decodes with replacement, unless the text would have more than `max` bytes.
#[cold]
pub(super) fn replace(bytes: &[u8], max: usize) -> Option<String> {
    let len = bytes
        .utf8_chunks()
        .map(|chunk| chunk.valid().len() + replacement(&chunk).len())
        .sum();
    if len > max {
        return None;
    }
    let mut text = String::with_capacity(len);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.push_str(replacement(&chunk));
    }
    Some(text)
}

fn replacement(chunk: &str::Utf8Chunk<'_>) -> &'static str {
    if chunk.invalid().is_empty() {
        ""
    } else {
        "\u{FFFD}"
    }
}
