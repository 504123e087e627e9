//! A run of frames as the bytes of one write, made once for everyone who
//! stands at the same place of the log.

use crate::{Frame, Position};
use bytes::Bytes;
use std::sync::{Arc, OnceLock};

/// In which form a stream gives events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// As they were published.
    Plain,
    /// As JSON objects that name topic, event, id, time and data
    /// ([`Frame::to_json`]).
    Envelope,
}

/// What stands around the blocks of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Framing {
    /// Nothing: somebody else frames them (HTTP/2), or nobody has to.
    Bare,
    /// HTTP/1.1's chunked transfer coding (RFC 9112, section 7.1).
    Chunked,
}

/// Frames in the order of the log, and their joined bytes.
#[derive(Debug, Default)]
pub struct Batch {
    frames: Box<[Arc<Frame>]>,
    payload_len: usize,
    has_end: bool,
    joined: [OnceLock<Bytes>; 4],
}

impl Batch {
    /// Joins nothing yet: that is done when the bytes are first asked for.
    pub fn new(frames: Vec<Arc<Frame>>) -> Self {
        Self {
            payload_len: frames.iter().map(|frame| frame.payload_len()).sum(),
            has_end: frames.iter().any(|frame| frame.is_end()),
            frames: frames.into(),
            joined: Default::default(),
        }
    }

    /// The frames.
    pub fn frames(&self) -> &[Arc<Frame>] {
        &self.frames
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Whether one of them closes its topic.
    pub fn has_end(&self) -> bool {
        self.has_end
    }

    /// What the blocks of its frames take, as they were published, in bytes.
    pub fn payload_len(&self) -> usize {
        self.payload_len
    }

    /// Where the last frame stands.
    pub fn last(&self) -> Option<Position> {
        self.frames.last().map(|frame| frame.position())
    }

    /// All frames, one behind the other. Made when it is first asked for, and
    /// of a single frame never: those are the frame's own bytes.
    pub fn bytes(&self, form: Form, framing: Framing) -> Bytes {
        if let [frame] = &*self.frames {
            return frame.bytes(form, framing);
        }
        let joined = &self.joined
            [usize::from(form == Form::Envelope) * 2 + usize::from(framing == Framing::Chunked)];
        let join = || {
            let pieces = self.frames.iter().map(|frame| frame.bytes(form, framing));
            pieces.collect::<Vec<_>>().concat().into()
        };
        joined.get_or_init(join).clone()
    }

    /// What is left to write of the frame in which the first `written` bytes of
    /// [`Batch::bytes`] end, and how many frames that and those before it are.
    /// Whoever keeps only this holds no more than one frame.
    pub fn rest(&self, form: Form, framing: Framing, written: usize) -> (Bytes, usize) {
        let mut before = 0;
        for (frame, number) in self.frames.iter().zip(1..) {
            let bytes = frame.bytes(form, framing);
            if written < before + bytes.len() {
                let begun = written > before;
                return if begun {
                    (bytes.slice(written - before..), number)
                } else {
                    (Bytes::new(), number - 1)
                };
            }
            before += bytes.len();
        }
        (Bytes::new(), self.frames.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Event, LogId, Timestamp, Topic};

    fn batch(data: &[&str]) -> Batch {
        let frames = data.iter().zip(1..).map(|(data, position)| {
            let event = Event {
                alternates: Box::default(),
                visibility: crate::Visibility::Native,
                topic: Topic::new("a/b").unwrap(),
                event_type: None,
                id: None,
                retry: None,
                data: (*data).into(),
            };
            let entry = event.into_entry(Timestamp(0), None);
            Arc::new(Frame::new(LogId(1), Position(position), entry))
        });
        Batch::new(frames.collect())
    }

    const FORMS: [(Form, Framing); 4] = [
        (Form::Plain, Framing::Bare),
        (Form::Plain, Framing::Chunked),
        (Form::Envelope, Framing::Bare),
        (Form::Envelope, Framing::Chunked),
    ];

    #[test]
    fn its_bytes_are_those_of_its_frames() {
        for data in [&[][..], &["one"], &["one", "two\nlines", ""]] {
            let batch = batch(data);
            for (form, framing) in FORMS {
                let frames = batch.frames().iter();
                let apart: Vec<u8> = frames.flat_map(|f| f.bytes(form, framing)).collect();
                assert_eq!(batch.bytes(form, framing), apart, "{data:?} {form:?}");
            }
        }
    }

    #[test]
    fn the_rest_of_a_write_is_the_rest_of_one_frame() {
        let batch = batch(&["one", "two\nlines", "three"]);
        for (form, framing) in FORMS {
            let all = batch.bytes(form, framing);
            for written in 0..=all.len() {
                let (rest, frames) = batch.rest(form, framing, written);
                let behind = Batch::new(batch.frames()[frames..].to_vec());
                let joined = [&all[..written], &rest, &behind.bytes(form, framing)].concat();
                assert_eq!(joined, all, "{written} written, {form:?} {framing:?}");
                let last = frames.checked_sub(1).map(|last| &batch.frames()[last]);
                assert!(
                    rest.len() < last.map_or(1, |frame| frame.bytes(form, framing).len()),
                    "no more than the frame that was begun is kept"
                );
            }
        }
    }
}
