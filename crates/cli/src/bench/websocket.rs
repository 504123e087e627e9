//! What a WebSocket brings, to measure it beside event streams: RFC 6455, as
//! far as a subscriber that says nothing needs it.

use super::receive::Fault;

/// The lines of a request that ask for one (section 4.1). The key is the
/// standard's example: it is no secret, and nothing is proven by the answer.
pub const ASKING: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                          Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// How long a frame may be, in bytes.
const MAX_FRAME: usize = 64 << 20;

/// The frames of a connection as they come in. Text and binary ones are events,
/// pings are passed over without an answer; frames that come in parts
/// (section 5.4) are not understood.
#[derive(Debug, Default)]
pub struct Frames {
    /// A frame that has not come whole.
    held: Vec<u8>,
}

/// One frame, whole.
struct Frame<'a> {
    opcode: u8,
    payload: &'a [u8],
    /// With its head.
    len: usize,
}

impl Frames {
    /// Gives `event` the text of each frame that is whole with these bytes.
    ///
    /// # Errors
    /// The peer closed, or broke the rules.
    pub fn take(&mut self, bytes: &[u8], mut event: impl FnMut(&str)) -> Result<(), Fault> {
        let mut joined = std::mem::take(&mut self.held);
        let mut rest = bytes;
        if !joined.is_empty() {
            joined.extend_from_slice(bytes);
            rest = &joined;
        }
        while let Some(frame) = Frame::read(rest)? {
            match frame.opcode {
                0x1 | 0x2 => event(std::str::from_utf8(frame.payload).unwrap_or_default()),
                0x8 => return Err(Fault::Ended),
                0x9 | 0xa => {}
                _ => return Err(Fault::Broken),
            }
            rest = &rest[frame.len..];
        }
        self.held = rest.to_vec();
        Ok(())
    }
}

impl<'a> Frame<'a> {
    /// Section 5.2; `None` if it isn't whole.
    fn read(bytes: &'a [u8]) -> Result<Option<Self>, Fault> {
        let [first, second, rest @ ..] = bytes else {
            return Ok(None);
        };
        // One frame is one event, and a server doesn't mask.
        if first & 0xf0 != 0x80 || second & 0x80 != 0 {
            return Err(Fault::Broken);
        }
        let extended = match second {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let Some((number, rest)) = rest.split_at_checked(extended) else {
            return Ok(None);
        };
        let number = number
            .iter()
            .fold(0u64, |n, byte| n << 8 | u64::from(*byte));
        let len = match extended {
            0 => usize::from(*second),
            _ => usize::try_from(number).unwrap_or(usize::MAX),
        };
        if len > MAX_FRAME {
            return Err(Fault::Broken);
        }
        Ok(rest.get(..len).map(|payload| Self {
            opcode: first & 0x0f,
            payload,
            len: 2 + extended + len,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u8, len: &[u8], payload: &[u8]) -> Vec<u8> {
        [&[first], len, payload].concat()
    }

    /// However they are cut.
    #[track_caller]
    fn check(bytes: &[u8], expect: &[String], end: Result<(), Fault>) {
        for size in [1, 2, 3, 7, bytes.len()] {
            let (mut frames, mut texts, mut outcome) = (Frames::default(), Vec::new(), Ok(()));
            for piece in bytes.chunks(size) {
                if outcome.is_ok() {
                    outcome = frames.take(piece, |text| texts.push(text.to_owned()));
                }
            }
            assert_eq!((&texts[..], &outcome), (expect, &end), "{size}");
        }
    }

    #[test]
    fn lengths_of_every_form() {
        let (long, longest) = ("m".repeat(300), "l".repeat(70_000));
        let bytes = [
            frame(0x81, &[2], b"hi"),
            frame(0x82, &[126, 1, 44], long.as_bytes()),
            frame(0x89, &[1], b"?"),
            frame(0x81, &[127, 0, 0, 0, 0, 0, 1, 17, 112], longest.as_bytes()),
        ];
        check(&bytes.concat(), &["hi".into(), long, longest], Ok(()));
    }

    #[test]
    fn what_ends_and_what_is_broken() {
        let hi = frame(0x81, &[2], b"hi");
        for (last, end) in [
            (&[0x88, 0][..], Fault::Ended),
            (&[0x81, 0x82, 0, 0, 0, 0, 1, 1], Fault::Broken),
            (&[0x01, 2, 1, 1], Fault::Broken),
            (&[0x83, 0], Fault::Broken),
            (&[0x82, 127, 255, 0, 0, 0, 0, 0, 0, 0], Fault::Broken),
        ] {
            let bytes = [&hi[..], last].concat();
            check(&bytes, &["hi".into()], Err(end));
        }
    }
}
