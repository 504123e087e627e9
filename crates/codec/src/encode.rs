//! Encoder: placeholder for the skeleton; the real one replaces it.
use crate::{EventId, EventType};
use alloc::vec::Vec;

/// Appends `id: …`.
pub fn put_id(out: &mut Vec<u8>, id: &EventId) {
    out.extend_from_slice(b"id: ");
    out.extend_from_slice(id.as_str().as_bytes());
    out.push(b'\n');
}
/// Appends `event: …`.
pub fn put_event_type(out: &mut Vec<u8>, event_type: &EventType) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(event_type.as_str().as_bytes());
    out.push(b'\n');
}
/// Appends `retry: …`, in milliseconds.
pub fn put_retry(out: &mut Vec<u8>, millis: u64) {
    out.extend_from_slice(alloc::format!("retry: {millis}\n").as_bytes());
}
/// Appends one `data: ` line per line of `data`.
pub fn put_data(out: &mut Vec<u8>, data: &str) {
    for line in data.replace("\r\n", "\n").replace('\r', "\n").split('\n') {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
    }
}
/// Appends one comment line per line of `text`.
pub fn put_comment(out: &mut Vec<u8>, text: &str) {
    for line in text.split(['\r', '\n']) {
        out.extend_from_slice(b": ");
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
    }
}
