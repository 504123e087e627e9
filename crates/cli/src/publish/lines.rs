use crate::Failure;
use serde_json::json;
use std::io::{self, BufRead, BufReader, Read};
use tokio::sync::mpsc::{Receiver, channel};

/// The longest line. What a hub takes is less by default.
const LINE_BYTES: usize = 16 << 20;
/// What is read at once, and so about what one request carries.
const READ_BYTES: usize = 64 << 10;

/// The lines of standard input, in batches of what came together. Two batches
/// wait at most, of [`READ_BYTES`] and one line each.
pub struct Lines {
    batches: Receiver<Result<Batch, Failure>>,
}

/// Lines that came together.
#[derive(Debug, PartialEq, Eq)]
pub struct Batch {
    /// The number of the first, counted from 1.
    pub first: u64,
    lines: Vec<Vec<u8>>,
}

impl Lines {
    /// Reads them off this thread; each in a batch of its own, if they are to
    /// be `single`.
    pub fn of_input(single: bool) -> Self {
        let (give, batches) = channel(1);
        std::thread::spawn(move || {
            let mut reader = Reader::new(io::stdin(), READ_BYTES, single);
            // Who has ended takes no more.
            while let Some(batch) = reader.next()
                && give.blocking_send(batch).is_ok()
            {}
        });
        Self { batches }
    }

    /// The next; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Batch, Failure>> {
        self.batches.recv().await
    }
}

impl Batch {
    /// The lines as they are, but for blank ones.
    pub fn as_ndjson(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for line in self
            .lines
            .iter()
            .filter(|line| !line.trim_ascii().is_empty())
        {
            body.extend_from_slice(line);
            body.push(b'\n');
        }
        body
    }

    /// An event, of the type `event`, for each line.
    ///
    /// # Errors
    /// If a line isn't UTF-8.
    pub fn as_data(&self, event: Option<&str>) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        for (number, line) in (self.first..).zip(&self.lines) {
            let data = std::str::from_utf8(line)
                .map_err(|_| Failure::runtime(format!("publish: line {number} isn't UTF-8")))?;
            let line = match event {
                Some(event) => json!({ "data": data, "event": event }),
                None => json!({ "data": data }),
            };
            body.extend_from_slice(line.to_string().as_bytes());
            body.push(b'\n');
        }
        Ok(body)
    }
}

struct Reader<R> {
    input: BufReader<R>,
    single: bool,
    /// How many lines were read.
    read: u64,
    /// Why there is none after those.
    failed: Option<Failure>,
}

impl<R: Read> Reader<R> {
    fn new(input: R, read_bytes: usize, single: bool) -> Self {
        Self {
            input: BufReader::with_capacity(read_bytes, input),
            single,
            read: 0,
            failed: None,
        }
    }

    fn next(&mut self) -> Option<Result<Batch, Failure>> {
        let mut batch = Batch {
            first: self.read + 1,
            lines: Vec::new(),
        };
        while self.failed.is_none() {
            match self.line() {
                Ok(Some(line)) => batch.lines.push(line),
                Ok(None) => break,
                Err(why) => {
                    let number = self.read + 1;
                    self.failed = Some(Failure::runtime(format!("publish: line {number} {why}")));
                }
            }
            if self.single || !self.input.buffer().contains(&b'\n') {
                break;
            }
        }
        match batch.lines.is_empty() {
            true => self.failed.take().map(Err),
            false => Some(Ok(batch)),
        }
    }

    fn line(&mut self) -> Result<Option<Vec<u8>>, String> {
        let mut line = Vec::new();
        let mut input = self.input.by_ref().take(LINE_BYTES as u64 + 1);
        let read = input.read_until(b'\n', &mut line);
        read.map_err(|error| format!("can't be read: {error}"))?;
        if line.is_empty() {
            return Ok(None);
        }
        if line.len() > LINE_BYTES {
            return Err(format!("is longer than {LINE_BYTES} bytes"));
        }
        if line.pop_if(|byte| *byte == b'\n').is_some() {
            line.pop_if(|byte| *byte == b'\r');
        }
        self.read += 1;
        Ok(Some(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives what it has in these pieces, a read each.
    struct Pieces(Vec<&'static [u8]>);

    impl Read for Pieces {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            match self.0.is_empty() {
                true => Ok(0),
                false => self.0.remove(0).read(bytes),
            }
        }
    }

    #[track_caller]
    fn check(pieces: &[&'static str], single: bool, expected: &[(u64, &[&str])]) {
        let pieces = Pieces(pieces.iter().map(|piece| piece.as_bytes()).collect());
        let mut reader = Reader::new(pieces, 64, single);
        for (first, lines) in expected {
            let lines = lines.iter().map(|line| line.as_bytes().to_vec()).collect();
            let batch = reader.next().expect("another").expect("lines");
            assert_eq!(
                batch,
                Batch {
                    first: *first,
                    lines
                }
            );
        }
        assert!(reader.next().is_none());
    }

    #[test]
    fn lines_that_came_together_are_a_batch() {
        check(&[], false, &[]);
        check(
            &["a\nb\r\n\nc"],
            false,
            &[(1, &["a", "b", ""]), (4, &["c"])],
        );
        check(
            &["a\nb", "c\nd\n"],
            false,
            &[(1, &["a"]), (2, &["bc", "d"])],
        );
        check(
            &["a\nb\n", "c\n"],
            true,
            &[(1, &["a"]), (2, &["b"]), (3, &["c"])],
        );
    }

    #[test]
    fn a_line_that_is_too_long_fails_behind_those_before_it() {
        let input = io::Cursor::new(b"a\nb\n".as_slice()).chain(io::repeat(b'x'));
        let mut reader = Reader::new(input, 64, false);
        let batch = reader.next().expect("a batch").expect("lines");
        assert_eq!(batch.lines, [b"a", b"b"]);
        let failure = reader.next().expect("an end").expect_err("too long");
        assert_eq!(
            failure.text,
            "publish: line 3 is longer than 16777216 bytes"
        );
    }

    #[test]
    fn a_batch_as_ndjson() {
        let batch = Batch {
            first: 4,
            lines: vec![b"{\"data\":1}".to_vec(), b" ".to_vec(), b"\"\\".to_vec()],
        };
        assert_eq!(batch.as_ndjson(), b"{\"data\":1}\n\"\\\n");
        let expected: [&[u8]; 3] = [
            b"{\"data\":\"{\\\"data\\\":1}\",\"event\":\"e\"}\n",
            b"{\"data\":\" \",\"event\":\"e\"}\n",
            b"{\"data\":\"\\\"\\\\\",\"event\":\"e\"}\n",
        ];
        assert_eq!(batch.as_data(Some("e")).ok(), Some(expected.concat()));
        let batch = Batch {
            first: 4,
            lines: vec![b"a".to_vec(), b"\xff".to_vec()],
        };
        assert_eq!(
            batch.as_data(None).expect_err("not UTF-8").text,
            "publish: line 5 isn't UTF-8"
        );
    }
}
