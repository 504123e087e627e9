//! A publisher's connection.

use crate::lane::Lane;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tidings_compare::{data_of, is_ndjson};

/// The number of the last event, of all publishers.
static LAST: AtomicU64 = AtomicU64::new(0);

#[derive(Default)]
struct Head {
    length: u64,
    chunked: bool,
    ndjson: bool,
}

/// Publishes what it says until it is gone, or says what isn't understood.
pub fn serve(mut stream: BufReader<TcpStream>, lanes: &[Lane]) -> io::Result<()> {
    stream.get_ref().set_read_timeout(None)?;
    while let Some(head) = read_head(&mut stream)? {
        match head.chunked {
            true => read_body(&mut Chunked::new(&mut stream), &head, lanes)?,
            false => read_body(&mut stream.by_ref().take(head.length), &head, lanes)?,
        }
        let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
        stream.get_mut().write_all(answer)?;
    }
    Ok(())
}

fn read_head(stream: &mut impl BufRead) -> io::Result<Option<Head>> {
    let (mut head, mut line) = (Head::default(), String::new());
    if stream.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.split_once(':') else {
            return Ok(Some(head));
        };
        let value = value.trim();
        match &*name.to_ascii_lowercase() {
            "content-length" => head.length = value.parse().map_err(io::Error::other)?,
            "transfer-encoding" => head.chunked = value.eq_ignore_ascii_case("chunked"),
            "content-type" => head.ndjson = is_ndjson(value),
            _ => {}
        }
    }
}

fn read_body(body: &mut impl Read, head: &Head, lanes: &[Lane]) -> io::Result<()> {
    if !head.ndjson {
        let mut data = String::new();
        body.read_to_string(&mut data)?;
        return publish(&data, lanes);
    }
    for line in BufReader::new(body).lines() {
        let line = line?;
        let data = data_of(&line).ok_or_else(|| io::Error::other("no event"))?;
        publish(&data, lanes)?;
    }
    Ok(())
}

/// Makes the bytes, once.
fn publish(data: &str, lanes: &[Lane]) -> io::Result<()> {
    let number = 1 + LAST.fetch_add(1, Ordering::Relaxed);
    let mut event = format!("id: {number}\n");
    for line in data.lines() {
        event.push_str("data: ");
        event.push_str(line);
        event.push('\n');
    }
    event.push('\n');
    let chunk: Arc<[u8]> = format!("{:x}\r\n{event}\r\n", event.len())
        .into_bytes()
        .into();
    lanes.iter().try_for_each(|lane| lane.send(chunk.clone()))
}

/// A chunked body (RFC 9112, section 7.1), without trailers.
struct Chunked<'a, R> {
    inner: &'a mut R,
    /// What is left of the chunk; `None` behind the last.
    left: Option<u64>,
}

impl<'a, R: BufRead> Chunked<'a, R> {
    fn new(inner: &'a mut R) -> Self {
        let left = Some(0);
        Self { inner, left }
    }

    /// The size of the next chunk.
    fn next(&mut self) -> io::Result<u64> {
        let mut line = String::new();
        self.inner.read_line(&mut line)?;
        u64::from_str_radix(line.trim_end(), 16).map_err(io::Error::other)
    }

    fn line_end(&mut self) -> io::Result<()> {
        self.inner.read_exact(&mut [0; 2])
    }
}

impl<R: BufRead> Read for Chunked<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(mut left) = self.left else {
            return Ok(0);
        };
        if left == 0 {
            left = self.next()?;
            if left == 0 {
                self.left = None;
                self.line_end()?;
                return Ok(0);
            }
        }
        let len = self.inner.by_ref().take(left).read(buffer)?;
        if len == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        left -= len as u64;
        if left == 0 {
            self.line_end()?;
        }
        self.left = Some(left);
        Ok(len)
    }
}
