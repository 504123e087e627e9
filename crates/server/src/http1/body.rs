//! Where a body ends, and which of its bytes are content.

/// How many bytes the extensions of all chunks of a body may have, and its
/// trailers with their line ends: nobody has a use for either. hyper refuses
/// 16 KiB of one of them.
const MAX_EXTRAS: u32 = 16 * 1024 - 4;
/// How many trailers.
const MAX_TRAILERS: u32 = 100;
/// How many digits a chunk's size may have, so that it can't overflow.
const MAX_DIGITS: u8 = 15;

/// What of a body is still to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Framing {
    /// This many bytes (RFC 9112, 6.2). None: there is no body.
    Length(u64),
    /// Chunks (RFC 9112, 7.1).
    Chunked(Chunked),
}

/// A body that breaks the rules of its framing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken;

/// Where in a chunked body the next byte stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunked {
    state: State,
    size: u64,
    extras: u32,
    trailers: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In a size of which there are so many digits.
    Size(u8),
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    TrailerStart,
    TrailerName,
    Trailer,
    TrailerLf,
    LastLf,
    Over,
}

impl Framing {
    /// A chunked body, at its start.
    pub fn chunked() -> Self {
        Self::Chunked(Chunked {
            state: State::Size(0),
            size: 0,
            extras: 0,
            trailers: 0,
        })
    }

    /// Whether all of the body has come.
    pub fn is_over(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunked) => chunked.state == State::Over,
        }
    }

    /// How many bytes at the start of `bytes` belong to the body; `content`
    /// gets those that are content.
    ///
    /// # Errors
    /// [`Broken`] at the first byte that can't stand where it does.
    pub fn take(&mut self, bytes: &[u8], mut content: impl FnMut(&[u8])) -> Result<usize, Broken> {
        match self {
            Self::Length(left) => {
                let len = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *left -= len as u64;
                content(&bytes[..len]);
                Ok(len)
            }
            Self::Chunked(chunked) => chunked.take(bytes, content),
        }
    }
}

impl Chunked {
    fn take(&mut self, bytes: &[u8], mut content: impl FnMut(&[u8])) -> Result<usize, Broken> {
        let mut at = 0;
        while at < bytes.len() && self.state != State::Over {
            if self.state == State::Data {
                let rest = bytes.len() - at;
                let len = usize::try_from(self.size).map_or(rest, |size| size.min(rest));
                self.size -= len as u64;
                content(&bytes[at..at + len]);
                at += len;
                if self.size == 0 {
                    self.state = State::DataCr;
                }
            } else {
                self.state = self.step(bytes[at])?;
                at += 1;
            }
        }
        Ok(at)
    }

    fn step(&mut self, byte: u8) -> Result<State, Broken> {
        Ok(match (self.state, byte) {
            (State::Size(digits), _) if byte.is_ascii_hexdigit() && digits < MAX_DIGITS => {
                let digit = (byte as char).to_digit(16).ok_or(Broken)?;
                self.size = self.size << 4 | u64::from(digit);
                State::Size(digits + 1)
            }
            (State::Size(1..), b';') => self.extra(State::Extension)?,
            (State::Size(1..) | State::Extension, b'\r') => State::SizeLf,
            (State::Extension, b'\t' | 0x20..=0x7e | 0x80..) => self.extra(State::Extension)?,
            (State::SizeLf, b'\n') if self.size == 0 => State::TrailerStart,
            (State::SizeLf, b'\n') => State::Data,
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::Size(0),
            (State::TrailerStart, b'\r') => State::LastLf,
            (State::TrailerStart, _) if is_token(byte) && self.trailers < MAX_TRAILERS => {
                self.trailers += 1;
                self.extra(State::TrailerName)?
            }
            (State::TrailerName, b':') => self.extra(State::Trailer)?,
            (State::TrailerName, _) if is_token(byte) => self.extra(State::TrailerName)?,
            (State::Trailer, b'\r') => self.extra(State::TrailerLf)?,
            (State::Trailer, b'\t' | 0x20..=0x7e | 0x80..) => self.extra(State::Trailer)?,
            (State::TrailerLf, b'\n') => self.extra(State::TrailerStart)?,
            (State::LastLf, b'\n') => State::Over,
            _ => return Err(Broken),
        })
    }

    fn extra(&mut self, next: State) -> Result<State, Broken> {
        self.extras += 1;
        if self.extras > MAX_EXTRAS {
            return Err(Broken);
        }
        Ok(next)
    }
}

/// What a field's name is made of (RFC 9110, 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sizes of pieces to cut so many bytes into: every small one, and of those that
    /// cut little, ever fewer up to all in one.
    fn sizes(len: usize) -> impl Iterator<Item = usize> {
        let sizes = std::iter::successors(Some(1), |size| Some(size + 1 + size / 64));
        sizes.take_while(move |size| *size < len).chain([len])
    }

    /// However it is cut: how much of `bytes` is body, or that it is broken.
    #[track_caller]
    fn check(framing: &Framing, bytes: &[u8], expect: Result<usize, Broken>) {
        for size in sizes(bytes.len()) {
            let mut framing = framing.clone();
            let (mut taken, mut broken, mut content) = (0, false, Vec::new());
            for piece in bytes.chunks(size) {
                match framing.take(piece, |bytes| content.extend_from_slice(bytes)) {
                    Ok(len) => {
                        taken += len;
                        if len < piece.len() {
                            assert!(framing.is_over());
                            break;
                        }
                    }
                    Err(Broken) => {
                        broken = true;
                        break;
                    }
                }
            }
            let got = if broken { Err(Broken) } else { Ok(taken) };
            assert_eq!(got, expect, "in pieces of {size}: {}", bytes.escape_ascii());
            if expect.is_ok_and(|len| len < bytes.len()) {
                assert!(framing.is_over());
            }
        }
    }

    #[test]
    fn a_length_counts_bytes() {
        check(&Framing::Length(3), b"abcGET", Ok(3));
        check(&Framing::Length(9), b"abc", Ok(3));
        check(&Framing::Length(0), b"abc", Ok(0));
        check(&Framing::Length(u64::MAX), b"abc", Ok(3));
    }

    #[test]
    fn c8_chunks() {
        let long = |len: usize| format!("1;{}\r\na\r\n0\r\n\r\nX", "x".repeat(len));
        for (bytes, expect) in [
            ("0\r\n\r\nX", Ok(5)),
            ("3\r\nabc\r\n0\r\n\r\nX", Ok(13)),
            ("A;a=\"b\"\r\n0123456789\r\n00\r\n\r\nX", Ok(27)),
            ("0\r\nTrailer: x\r\nOther:\r\n\r\nX", Ok(25)),
            (&long(1000), Ok(1012)),
            (&long(100_000)[..20_000], Err(Broken)),
            ("0x3\r\nabc", Err(Broken)),
            ("3\nabc\n", Err(Broken)),
            ("3\r\nabcd", Err(Broken)),
            ("3\r\nabc\n", Err(Broken)),
            ("3\r\nabc\r\r", Err(Broken)),
            ("\r\n", Err(Broken)),
            (";\r\n", Err(Broken)),
            ("-1\r\n", Err(Broken)),
            ("+1\r\n", Err(Broken)),
            (" 1\r\n", Err(Broken)),
            ("1 \r\n", Err(Broken)),
            ("10000000000000000\r\n", Err(Broken)),
            ("0\r\n folded\r\n\r\n", Err(Broken)),
            ("0\r\na\nb\r\n\r\n", Err(Broken)),
            ("0\r\nno colon\r\n\r\n", Err(Broken)),
            ("0\r\nnone\r\n\r\n", Err(Broken)),
            ("0\r\na : b\r\n\r\n", Err(Broken)),
            ("0\r\n\"a\": b\r\n\r\n", Err(Broken)),
            ("1;a\nb\r\na\r\n", Err(Broken)),
            ("1;\0\r\na\r\n", Err(Broken)),
        ] {
            check(&Framing::chunked(), bytes.as_bytes(), expect);
        }
        let many = format!("0\r\n{}\r\n", "a:b\r\n".repeat(1000));
        check(&Framing::chunked(), &many.as_bytes()[..900], Err(Broken));
    }
}
