//! Publishers: each a thread with a connection of its own.

use super::Run;
use super::payload::Told;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many bytes of NDJSON are written at once.
const BATCH: usize = 64 * 1024;

/// How events are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Feed {
    /// Each as the body of a POST of its own
    Post,
    /// All of a publisher's as one NDJSON body
    Ndjson,
}

/// What came of a publisher.
#[derive(Debug, Default)]
pub struct Published {
    /// How many events the server has taken.
    pub events: u64,
    /// When the first was sent, in nanoseconds since the run began.
    pub first: Option<u64>,
    /// When the last was acknowledged.
    pub last: u64,
}

/// Publishes what `publisher` has to.
///
/// # Errors
/// What the system says, or the server's refusal.
pub fn publish(run: &Run, publisher: usize) -> io::Result<Published> {
    let stream = TcpStream::connect(run.publish.address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut connection = Connection {
        run,
        publisher,
        stream: BufReader::new(stream),
        published: Published::default(),
    };
    match run.feed {
        Feed::Post => connection.posts()?,
        Feed::Ndjson => connection.ndjson()?,
    }
    Ok(connection.published)
}

struct Connection<'a> {
    run: &'a Run,
    publisher: usize,
    stream: BufReader<TcpStream>,
    published: Published,
}

impl Connection<'_> {
    fn posts(&mut self) -> io::Result<()> {
        for number in 0..self.run.spread.each {
            let topic = number % self.run.spread.topics;
            self.wait_for_turn(number);
            let data = self.data(number);
            let request = format!(
                "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n{}\r\n{data}",
                self.run.publish.path(topic),
                self.run.publish.host,
                data.len(),
                self.run.headers(),
            );
            self.stream.get_mut().write_all(request.as_bytes())?;
            self.answer()?;
            self.published.events += 1;
            self.published.last = self.run.now();
            self.run.published.fetch_add(1, Ordering::Relaxed);
            if self.run.over.load(Ordering::Relaxed) {
                break;
            }
        }
        Ok(())
    }

    fn ndjson(&mut self) -> io::Result<()> {
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-ndjson\r\n\
             Transfer-Encoding: chunked\r\n{}\r\n",
            self.run.publish.path(0),
            self.run.publish.host,
            self.run.headers(),
        );
        self.stream.get_mut().write_all(head.as_bytes())?;
        let mut lines = String::new();
        for number in 0..self.run.spread.each {
            let before = lines.len();
            if self.run.rate > 0.0 {
                self.wait_for_turn(number);
            }
            let data = self.data(number);
            match &self.run.topic {
                // The server needs it, so the event names it.
                Some(topic) => {
                    let topic = topic.replace("{}", &(number % self.run.spread.topics).to_string());
                    lines.push_str(&format!("{{\"topic\":\"{topic}\",\"data\":\"{data}\"}}\n"));
                }
                None => lines.push_str(&format!("{{\"data\":\"{data}\"}}\n")),
            }
            let line = lines.len() - before;
            if self.run.rate > 0.0 || lines.len() + line > BATCH {
                self.chunk(&mut lines)?;
            }
            self.run.published.fetch_add(1, Ordering::Relaxed);
        }
        if !lines.is_empty() {
            self.chunk(&mut lines)?;
        }
        self.stream.get_mut().write_all(b"0\r\n\r\n")?;
        self.answer()?;
        self.published.events = self.run.spread.each;
        self.published.last = self.run.now();
        Ok(())
    }

    fn chunk(&mut self, lines: &mut String) -> io::Result<()> {
        let chunk = format!("{:x}\r\n{lines}\r\n", lines.len());
        lines.clear();
        self.stream.get_mut().write_all(chunk.as_bytes())
    }

    /// A paced publisher sends its event `number` at its time, all publishers
    /// together at the rate asked for; and not more slowly if one was late.
    fn wait_for_turn(&self, number: u64) {
        if self.run.rate <= 0.0 {
            return;
        }
        let publishers = self.run.spread.publishers as f64;
        let at = (number as f64 * publishers + self.publisher as f64) / self.run.rate;
        let due = self.run.start() + (at * 1e9) as u64;
        let now = self.run.now();
        if due > now {
            std::thread::sleep(Duration::from_nanos(due - now));
        }
    }

    fn data(&mut self, number: u64) -> String {
        let sent = self.run.now();
        self.published.first.get_or_insert(sent);
        self.run.payload.write(Told {
            publisher: self.publisher,
            number,
            sent,
        })
    }

    /// Reads the answer's head and body.
    fn answer(&mut self) -> io::Result<()> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status: u16 = line
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .ok_or_else(|| other("the publish URL's answer is not HTTP".into()))?;
        let (mut length, mut chunked) = (0, false);
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let header = line.trim_end().to_ascii_lowercase();
            match header.split_once(':') {
                None => break,
                Some(("content-length", value)) => {
                    length = value.trim().parse().map_err(|_| broken())?;
                }
                Some(("transfer-encoding", value)) => chunked = value.trim() == "chunked",
                Some(_) => {}
            }
        }
        if !(200..300).contains(&status) {
            return Err(other(format!(
                "the server answered a publish with {status}"
            )));
        }
        if !chunked {
            return io::copy(&mut self.stream.by_ref().take(length), &mut io::sink()).map(|_| ());
        }
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let len = u64::from_str_radix(line.trim_end(), 16).map_err(|_| broken())?;
            let mut chunk = self.stream.by_ref().take(len + 2);
            io::copy(&mut chunk, &mut io::sink())?;
            if len == 0 {
                return Ok(());
            }
        }
    }
}

fn broken() -> io::Error {
    other("the publish URL's answer is broken HTTP".into())
}

fn other(text: String) -> io::Error {
    io::Error::other(text)
}
