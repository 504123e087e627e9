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
    /// How late the latest was sent after its time, in nanoseconds; 0 for a
    /// publisher that is not paced.
    pub late: u64,
}

/// Connects a publisher.
///
/// # Errors
/// What the system says.
pub fn connect(run: &Run) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(run.publish.address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Publishes what `publisher` has to, also if it ends early.
///
/// # Errors
/// What the system says, or the server's refusal.
pub fn publish(run: &Run, publisher: usize, stream: TcpStream) -> (Published, io::Result<()>) {
    let mut connection = Connection {
        run,
        publisher,
        stream: BufReader::new(stream),
        published: Published::default(),
    };
    let outcome = match run.feed {
        Feed::Post => connection.posts(),
        Feed::Ndjson => connection.ndjson(),
    };
    (connection.published, outcome)
}

struct Connection<'a> {
    run: &'a Run,
    publisher: usize,
    stream: BufReader<TcpStream>,
    published: Published,
}

impl Connection<'_> {
    /// As many at once as may be without an answer.
    fn posts(&mut self) -> io::Result<()> {
        let mut requests = String::new();
        let mut unanswered = 0;
        for number in 0..self.run.spread.each {
            let request = self.post(number);
            requests.push_str(&request);
            unanswered += 1;
            // A paced one is sent at its time.
            if self.run.rate > 0.0 || unanswered == self.run.pipeline {
                self.send(requests.as_bytes())?;
                requests.clear();
            }
            if unanswered == self.run.pipeline {
                self.answers(std::mem::take(&mut unanswered))?;
            }
        }
        self.send(requests.as_bytes())?;
        self.answers(unanswered)
    }

    fn post(&mut self, number: u64) -> String {
        let topic = number % self.run.spread.topics;
        let data = self.data(number);
        format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n{}\r\n{data}",
            self.run.publish.path(topic),
            self.run.publish.host,
            data.len(),
            self.run.header_lines(),
        )
    }

    fn answers(&mut self, count: usize) -> io::Result<()> {
        for left in (0..count).rev() {
            let stays = self.answer()?;
            self.published.events += 1;
            self.published.last = self.run.now();
            self.run.published.fetch_add(1, Ordering::Relaxed);
            if !stays && left > 0 {
                return Err(other(
                    "the server ended a connection before all was answered".into(),
                ));
            }
            if !stays {
                self.stream = BufReader::new(connect(self.run)?);
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
            self.run.header_lines(),
        );
        self.send(head.as_bytes())?;
        let mut lines = String::new();
        for number in 0..self.run.spread.each {
            let before = lines.len();
            let data = self.data(number);
            match &self.run.topic {
                // The server needs it, so the event names it.
                Some(topic) => {
                    let topic = topic.replace("{}", &(number % self.run.spread.topics).to_string());
                    let topic = serde_json::Value::from(topic);
                    lines.push_str(&format!("{{\"topic\":{topic},\"data\":\"{data}\"}}\n"));
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
        self.send(b"0\r\n\r\n")?;
        self.answer()?;
        self.published.events = self.run.spread.each;
        self.published.last = self.run.now();
        Ok(())
    }

    fn chunk(&mut self, lines: &mut String) -> io::Result<()> {
        let chunk = format!("{:x}\r\n{lines}\r\n", lines.len());
        lines.clear();
        self.send(chunk.as_bytes())
    }

    /// Sends; where the server takes no more, what it has said is the reason.
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let sent = self.stream.get_mut().write_all(bytes);
        sent.or_else(|error| self.answer().and(Err(error)))
    }

    /// When a paced publisher sends its event `number`, all publishers together
    /// at the rate asked for, in nanoseconds since the run began.
    fn due(&self, number: u64) -> Option<u64> {
        let publishers = self.run.spread.publishers as f64;
        let at = (number as f64 * publishers + self.publisher as f64) / self.run.rate;
        (self.run.rate > 0.0).then(|| self.run.start() + (at * 1e9) as u64)
    }

    /// The next event, at its time. One that is late says the time at which it
    /// should have been sent: what the server made its publisher wait for would
    /// be missing from the latency otherwise (coordinated omission).
    fn data(&mut self, number: u64) -> String {
        let due = self.due(number);
        let now = self.run.now();
        if let Some(due) = due.filter(|due| *due > now) {
            std::thread::sleep(Duration::from_nanos(due - now));
        }
        let now = self.run.now();
        let sent = due.unwrap_or(now);
        self.published.late = self.published.late.max(now.saturating_sub(sent));
        self.published.first.get_or_insert(now);
        self.run.payload.write(Told {
            publisher: self.publisher,
            number,
            sent,
        })
    }

    /// Reads the answer's head and body; whether another request may follow.
    fn answer(&mut self) -> io::Result<bool> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status: u16 = line
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .ok_or_else(|| other("the publish URL's answer is not HTTP".into()))?;
        let (mut length, mut chunked, mut stays) = (0, false, line.starts_with("HTTP/1.1"));
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
                Some(("connection", value)) => stays &= !value.contains("close"),
                Some(_) => {}
            }
        }
        if !(200..300).contains(&status) {
            return Err(other(format!(
                "the server answered a publish with {status}"
            )));
        }
        if !chunked {
            io::copy(&mut self.stream.by_ref().take(length), &mut io::sink())?;
            return Ok(stays);
        }
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let size = line.split(';').next().unwrap_or("").trim();
            let len = u64::from_str_radix(size, 16).map_err(|_| broken())?;
            let mut chunk = self.stream.by_ref().take(len.saturating_add(2));
            io::copy(&mut chunk, &mut io::sink())?;
            if len == 0 {
                return Ok(stays);
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
