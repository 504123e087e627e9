//! The frames of HTTP/2 (RFC 9113, 4.1), as far as their heads.

use crate::http1::PREFACE;

/// Types of frames (RFC 9113, 6).
pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

/// How many bytes a frame's head has.
const HEAD: usize = 9;
const END_HEADERS: u8 = 0x4;

/// A frame's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// How many bytes follow.
    pub len: usize,
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
}

/// Follows the frames of one direction of a connection.
#[derive(Debug)]
pub struct Frames {
    /// What of the preface is still to come.
    preface: usize,
    head: [u8; HEAD],
    /// How many bytes of `head` are there.
    begun: usize,
    /// What of the frame's content is still to come.
    left: usize,
    count: u64,
    block: Block,
}

/// Where in a block of headers the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    Outside,
    /// In a frame of a block that others follow.
    Open,
    /// In the last frame of a block.
    Last,
}

impl Frames {
    /// Those of whoever has connected: they begin with the preface.
    pub fn of_peer() -> Self {
        Self {
            preface: PREFACE.len(),
            ..Self::of_ours()
        }
    }

    /// Those of whoever was connected to.
    pub fn of_ours() -> Self {
        Self {
            preface: 0,
            head: [0; HEAD],
            begun: 0,
            left: 0,
            count: 0,
            block: Block::Outside,
        }
    }

    /// Goes on through `bytes`; `seen` gets each frame whose head is complete.
    /// Answers how far it went: to the end, or to behind the head of the frame
    /// for which `seen` answered false.
    pub fn follow(&mut self, all: &[u8], mut seen: impl FnMut(Frame) -> bool) -> usize {
        let mut bytes = all;
        take(&mut bytes, &mut self.preface);
        while !bytes.is_empty() {
            if self.left > 0 {
                take(&mut bytes, &mut self.left);
                continue;
            }
            let len = bytes.len().min(HEAD - self.begun);
            self.head[self.begun..self.begun + len].copy_from_slice(&bytes[..len]);
            self.begun += len;
            bytes = &bytes[len..];
            if self.begun == HEAD {
                let frame = self.frame();
                (self.begun, self.left) = (0, frame.len);
                self.count += 1;
                self.block = match frame.kind {
                    HEADERS | CONTINUATION if frame.flags & END_HEADERS == 0 => Block::Open,
                    HEADERS | CONTINUATION => Block::Last,
                    _ => Block::Outside,
                };
                if !seen(frame) {
                    break;
                }
            }
        }
        all.len() - bytes.len()
    }

    /// How many bytes of a frame's content are still to come.
    pub fn left(&self) -> usize {
        self.left
    }

    /// Whether the next byte begins a frame.
    pub fn is_between(&self) -> bool {
        self.preface == 0 && self.begun == 0 && self.left == 0
    }

    /// Whether something has begun that a peer sends at once: the first frame,
    /// a frame's head, a block of headers.
    pub fn is_within_head(&self) -> bool {
        let within_block = match self.block {
            Block::Outside => false,
            Block::Open => true,
            Block::Last => self.left > 0,
        };
        self.count == 0 || self.begun > 0 || within_block
    }

    fn frame(&self) -> Frame {
        let [a, b, c, kind, flags, stream @ ..] = self.head;
        Frame {
            len: u32::from_be_bytes([0, a, b, c]) as usize,
            kind,
            flags,
            stream: u32::from_be_bytes(stream) & !(1 << 31),
        }
    }
}

/// Passes over what `bytes` has of the `left` bytes.
fn take(bytes: &mut &[u8], left: &mut usize) {
    let len = bytes.len().min(*left);
    *left -= len;
    *bytes = &bytes[len..];
}

/// A GOAWAY (RFC 9113, 6.8): streams up to `last` may have been acted on.
pub fn goaway(last: u32, reason: u32) -> [u8; HEAD + 8] {
    let mut frame = [0; HEAD + 8];
    frame[2] = 8;
    frame[3] = GOAWAY;
    frame[HEAD..HEAD + 4].copy_from_slice(&last.to_be_bytes());
    frame[HEAD + 4..].copy_from_slice(&reason.to_be_bytes());
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(len: usize, kind: u8, flags: u8, stream: u32) -> Vec<u8> {
        let mut bytes = (len as u32).to_be_bytes()[1..].to_vec();
        bytes.extend([kind, flags]);
        bytes.extend(stream.to_be_bytes());
        bytes.resize(HEAD + len, 0xff);
        bytes
    }

    /// However it is cut: the frames, and where it stands behind them.
    #[track_caller]
    fn check(bytes: &[u8], expect: &[(usize, u8, u32)], between: bool, within_head: bool) {
        for size in 1..=bytes.len() {
            let mut frames = Frames::of_peer();
            let mut seen = Vec::new();
            for piece in bytes.chunks(size) {
                frames.follow(piece, |frame| {
                    seen.push((frame.len, frame.kind, frame.stream));
                    true
                });
            }
            assert_eq!(seen, expect, "in pieces of {size}");
            assert_eq!(frames.is_between(), between, "in pieces of {size}");
            assert_eq!(frames.is_within_head(), within_head, "in pieces of {size}");
        }
    }

    #[test]
    fn frames_are_found_and_what_has_begun() {
        const SETTINGS: u8 = 4;
        let start = [PREFACE, &frame(6, SETTINGS, 0, 0)].concat();
        let settings = (6, SETTINGS, 0);
        check(&PREFACE[..5], &[], false, true);
        check(PREFACE, &[], true, true);
        check(&start[..PREFACE.len() + 4], &[], false, true);
        check(&start, &[settings], true, false);
        let with = |more: &[&[u8]]| [&start[..], &more.concat()].concat();
        let data = frame(300, DATA, 0, 1 << 31 | 5);
        check(
            &with(&[&data, &data[..100]]),
            &[settings, (300, 0, 5), (300, 0, 5)],
            false,
            false,
        );
        let headers = frame(20, HEADERS, 0, 1);
        let last = frame(0, CONTINUATION, END_HEADERS, 1);
        let (seen, more) = ((20, HEADERS, 1), (0, CONTINUATION, 1));
        check(&with(&[&headers]), &[settings, seen], true, true);
        check(
            &with(&[&headers, &last]),
            &[settings, seen, more],
            true,
            false,
        );
        let whole = frame(20, HEADERS, END_HEADERS, 1);
        check(&with(&[&whole[..25]]), &[settings, seen], false, true);
        check(&with(&[&whole]), &[settings, seen], true, false);
        check(
            &with(&[&whole, &whole[..3]]),
            &[settings, seen],
            false,
            true,
        );
    }
}
