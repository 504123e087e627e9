//! One subscriber's response: bytes in, events out.

use super::payload::Payload;
use super::tally::{Received, Tally};
use super::websocket::Frames;
use tidings_codec::{Chunk, Decoder, Item};
use tidings_server::http1::Framing;

/// How long a response's head may be.
const MAX_HEAD: usize = 64 * 1024;

/// The events of one stream, whatever carries it.
#[derive(Debug)]
pub struct Content {
    decoder: Decoder,
    received: Received,
}

impl Content {
    /// A stream to come.
    pub fn new(received: Received) -> Self {
        Self {
            decoder: Decoder::new(),
            received,
        }
    }

    /// Counts the events in `bytes`, which came at `now`.
    pub fn take(&mut self, bytes: &[u8], now: u64, payload: &Payload, tally: &mut Tally) {
        let mut chunk = Chunk::new(bytes);
        while let Some(item) = self.decoder.next_in(&mut chunk) {
            if let Item::Event(event) = item {
                count(&mut self.received, event.data, now, payload, tally);
            }
        }
    }
}

/// Counts an event with this data, which came at `now`.
fn count(received: &mut Received, data: &str, now: u64, payload: &Payload, tally: &mut Tally) {
    if let Some(told) = payload.read(data) {
        tally.count(received, told, now);
    }
}

/// A response over HTTP/1.1 as it comes in.
#[derive(Debug)]
pub struct Response {
    state: State,
    carrier: Carrier,
    content: Content,
}

/// What events come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// A response's body.
    EventStream,
    /// Frames of a WebSocket, each an event's data.
    WebSocket,
}

#[derive(Debug)]
enum State {
    Head(Vec<u8>),
    /// `None`: the body ends with the connection.
    Body(Option<Framing>),
    Frames(Frames),
    Over,
}

/// Why a response is no event stream that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is not 200; of a WebSocket, not 101.
    Status(u16),
    /// It breaks the rules of HTTP, or of WebSocket.
    Broken,
    /// It has ended.
    Ended,
}

impl Fault {
    /// For a person.
    pub fn text(&self) -> String {
        match self {
            Self::Status(status) => format!("a subscriber was answered {status}"),
            Self::Broken => "a subscriber was answered broken HTTP".into(),
            Self::Ended => "a stream ended".into(),
        }
    }
}

impl Response {
    /// A response to come.
    pub fn new(received: Received, carrier: Carrier) -> Self {
        Self {
            state: State::Head(Vec::new()),
            carrier,
            content: Content::new(received),
        }
    }

    /// Whether its head has come, so that the stream is on.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Body(_) | State::Frames(_))
    }

    /// The last event ID (R4): where to resume.
    pub fn last_event_id(&self) -> &str {
        self.content.decoder.last_event_id()
    }

    /// Takes in `bytes`, which came at `now`.
    ///
    /// # Errors
    /// [`Fault`], once; nothing is read behind it.
    pub fn take(
        &mut self,
        bytes: &[u8],
        now: u64,
        payload: &Payload,
        tally: &mut Tally,
    ) -> Result<(), Fault> {
        tally.bytes += bytes.len() as u64;
        let held;
        let mut rest = bytes;
        if let State::Head(head) = &mut self.state {
            head.extend_from_slice(bytes);
            match read_head(head, self.carrier) {
                Ok(None) => return Ok(()),
                Ok(Some((len, state))) => {
                    held = head.split_off(len);
                    rest = &held[..];
                    self.state = state;
                }
                Err(fault) => {
                    self.state = State::Over;
                    return Err(fault);
                }
            }
        }
        let content = &mut self.content;
        let mut decode = |bytes: &[u8]| content.take(bytes, now, payload, tally);
        let fault = match &mut self.state {
            State::Head(_) | State::Over => return Ok(()),
            State::Body(None) => {
                decode(rest);
                return Ok(());
            }
            State::Body(Some(framing)) => match framing.take(rest, decode) {
                Ok(_) if framing.is_over() => Fault::Ended,
                Ok(_) => return Ok(()),
                Err(_) => Fault::Broken,
            },
            State::Frames(frames) => {
                let received = &mut content.received;
                match frames.take(rest, |data| count(received, data, now, payload, tally)) {
                    Ok(()) => return Ok(()),
                    Err(fault) => fault,
                }
            }
        };
        self.state = State::Over;
        Err(fault)
    }
}

/// How long a head is and what follows it, if all of it is there.
fn read_head(bytes: &[u8], carrier: Carrier) -> Result<Option<(usize, State)>, Fault> {
    let mut headers = [httparse::EMPTY_HEADER; 100];
    let mut response = httparse::Response::new(&mut headers);
    let len = match response.parse(bytes) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) if bytes.len() <= MAX_HEAD => return Ok(None),
        _ => return Err(Fault::Broken),
    };
    let status = response.code.unwrap_or(0);
    match (carrier, status) {
        (Carrier::EventStream, 200) => {}
        (Carrier::WebSocket, 101) => return Ok(Some((len, State::Frames(Frames::default())))),
        _ => return Err(Fault::Status(status)),
    }
    let header = |name: &str| {
        let mut headers = response.headers.iter();
        headers.find(|header| header.name.eq_ignore_ascii_case(name))
    };
    if let Some(coding) = header("transfer-encoding") {
        return match coding.value.eq_ignore_ascii_case(b"chunked") {
            true => Ok(Some((len, State::Body(Some(Framing::chunked()))))),
            false => Err(Fault::Broken),
        };
    }
    let length = header("content-length").map(|length| {
        let digits = std::str::from_utf8(length.value).ok();
        digits.and_then(|digits| digits.parse().ok())
    });
    match length {
        None => Ok(Some((len, State::Body(None)))),
        Some(Some(length)) => Ok(Some((len, State::Body(Some(Framing::Length(length)))))),
        Some(None) => Err(Fault::Broken),
    }
}

#[cfg(test)]
mod tests {
    use super::super::payload::Told;
    use super::super::tally::Spread;
    use super::*;

    const SPREAD: Spread = Spread {
        publishers: 1,
        topics: 1,
        each: 3,
    };

    /// However it is cut: how many events come, and how it ends.
    #[track_caller]
    fn check(response: &[u8], events: u64, expect: Result<(), Fault>) {
        check_carried(Carrier::EventStream, response, events, expect);
    }

    #[track_caller]
    fn check_carried(carrier: Carrier, response: &[u8], events: u64, expect: Result<(), Fault>) {
        let payload = Payload::new(7, 50);
        for size in 1..=response.len() {
            let mut tally = Tally::new(SPREAD, 0);
            let mut stream = Response::new(Received::new(SPREAD, 0), carrier);
            let mut outcome = Ok(());
            for piece in response.chunks(size) {
                let taken = stream.take(piece, 9, &payload, &mut tally);
                if outcome.is_ok() {
                    outcome = taken;
                } else {
                    assert_eq!(taken, Ok(()), "told once");
                }
            }
            assert_eq!((tally.deliveries, &outcome), (events, &expect), "{size}");
        }
    }

    fn events() -> String {
        let told = |number| Told {
            publisher: 0,
            number,
            sent: 1,
        };
        let event = |number| format!("id: {number}\ndata: {}\n\n", event_data(told(number)));
        format!(": hello\n\n{}data: other\n\n{}", event(0), event(1))
    }

    fn event_data(told: Told) -> String {
        Payload::new(7, 50).write(told)
    }

    #[test]
    fn every_framing() {
        let events = events();
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";
        check(format!("{head}\r\n{events}").as_bytes(), 2, Ok(()));
        let length = events.len();
        let whole = format!("{head}Content-Length: {length}\r\n\r\n{events}data: x\n\n");
        check(whole.as_bytes(), 2, Err(Fault::Ended));
        let (first, second) = events.split_at(40);
        let chunks = format!(
            "{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n",
            first.len(),
            second.len()
        );
        check(chunks.as_bytes(), 2, Ok(()));
        check(
            format!("{chunks}0\r\n\r\n").as_bytes(),
            2,
            Err(Fault::Ended),
        );
        check(format!("{chunks}x\r\n").as_bytes(), 2, Err(Fault::Broken));
    }

    #[test]
    fn a_websocket_s_frames_are_events() {
        let data = |number| {
            let sent = Told {
                publisher: 0,
                number,
                sent: 1,
            };
            event_data(sent)
        };
        let mut socket = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n".to_vec();
        let check = |socket: &[u8], expect| check_carried(Carrier::WebSocket, socket, 2, expect);
        for text in [data(0), "other".into(), data(1)] {
            socket.extend([0x81, u8::try_from(text.len()).expect("short")]);
            socket.extend(text.as_bytes());
        }
        check(&socket, Ok(()));
        check(&[&socket[..], &[0x88, 0]].concat(), Err(Fault::Ended));
        check(&[&socket[..], &[0x81, 0x80]].concat(), Err(Fault::Broken));
        let refused = b"HTTP/1.1 200 OK\r\n\r\n";
        check_carried(Carrier::WebSocket, refused, 0, Err(Fault::Status(200)));
    }

    #[test]
    fn what_is_no_stream() {
        check(b"HTTP/1.1 503 No\r\n\r\n", 0, Err(Fault::Status(503)));
        check(b"SSH-2.0-x\r\n\r\n", 0, Err(Fault::Broken));
        let length = b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n";
        check(length, 0, Err(Fault::Broken));
    }
}
