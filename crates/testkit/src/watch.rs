//! A watcher: reads an event stream as a browser would.

use crate::http::{Answer, Http, PATIENCE};
use std::io;
use std::net::SocketAddr;
use std::time::Instant;
use tidings_codec::{Decoder, Item};

/// An event as a listener sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// `message` if it has no name.
    pub event: String,
    /// The data.
    pub data: String,
    /// The last event ID.
    pub id: String,
}

/// An open stream.
pub struct Watch {
    http: Http,
    head: Answer,
    decoder: Decoder,
    /// What has been read and not yet decoded.
    bytes: Vec<u8>,
    /// Everything that came, for tests of the bytes themselves.
    raw: Vec<u8>,
    retry: Option<u64>,
}

impl Watch {
    /// Opens a stream.
    ///
    /// # Panics
    /// If there is no answer.
    pub fn open(address: SocketAddr, path: &str, last_event_id: Option<&str>) -> Self {
        Self::try_open(address, path, last_event_id).expect("an answer to a watcher")
    }

    /// Opens a stream, where the hub may be gone.
    ///
    /// # Errors
    /// What the system says.
    pub fn try_open(
        address: SocketAddr,
        path: &str,
        last_event_id: Option<&str>,
    ) -> io::Result<Self> {
        Self::try_over(Http::try_connect(address)?, path, last_event_id)
    }

    /// Opens a stream on a connection.
    ///
    /// # Errors
    /// What the system says.
    pub fn try_over(mut http: Http, path: &str, last_event_id: Option<&str>) -> io::Result<Self> {
        let mut headers = vec![("Accept", "text/event-stream")];
        headers.extend(last_event_id.map(|id| ("Last-Event-ID", id)));
        http.send_request("GET", path, &headers, b"")?;
        Self::answered(http)
    }

    /// Reads the stream that answers a request which was sent already.
    ///
    /// # Errors
    /// What the system says.
    pub fn answered(mut http: Http) -> io::Result<Self> {
        let head = http.answer_head()?;
        let decoder = Decoder::new();
        Ok(Self {
            http,
            head,
            decoder,
            bytes: Vec::new(),
            raw: Vec::new(),
            retry: None,
        })
    }

    /// Status and headers.
    pub fn head(&self) -> &Answer {
        &self.head
    }

    /// The last reconnection time that was given, in milliseconds.
    pub fn retry(&self) -> Option<u64> {
        self.retry
    }

    /// What a browser would send as `Last-Event-ID` now.
    pub fn last_event_id(&self) -> &str {
        self.decoder.last_event_id()
    }

    /// All bytes of the body so far.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// The next event; `None` at the end of the stream.
    ///
    /// # Errors
    /// What the system says; `WouldBlock` if no event comes for 30 s.
    pub fn try_next(&mut self) -> io::Result<Option<Received>> {
        let begun = Instant::now();
        loop {
            let mut rest = &self.bytes[..];
            let mut found = None;
            while let Some(item) = self.decoder.next(&mut rest) {
                match item {
                    Item::Event(event) => {
                        found = Some(Received {
                            event: event.type_or_message().to_owned(),
                            data: event.data.to_owned(),
                            id: event.last_event_id.to_owned(),
                        });
                        break;
                    }
                    Item::Retry(millis) => self.retry = Some(millis),
                    _ => {}
                }
            }
            let used = self.bytes.len() - rest.len();
            self.bytes.drain(..used);
            if found.is_some() {
                return Ok(found);
            }
            if !self.read()? {
                return Ok(None);
            }
            // Heartbeats alone would keep it waiting for ever.
            if begun.elapsed() > PATIENCE {
                return Err(io::ErrorKind::WouldBlock.into());
            }
        }
    }

    /// The next `count` events.
    ///
    /// # Panics
    /// If the stream ends before.
    pub fn events(&mut self, count: usize) -> Vec<Received> {
        (0..count)
            .map(|i| {
                self.next()
                    .unwrap_or_else(|| panic!("the stream ended after {i} of {count}"))
            })
            .collect()
    }

    /// Reads until the opening block has given a position.
    ///
    /// # Panics
    /// If the stream ends before.
    pub fn opened(mut self) -> Self {
        while self.decoder.last_event_id().is_empty() {
            assert!(
                self.bytes.is_empty(),
                "an event came before the opening block"
            );
            assert!(self.read().expect("an opening block"), "the stream ended");
            let mut rest = &self.bytes[..];
            while self.decoder.last_event_id().is_empty() && !rest.is_empty() {
                // Byte by byte, to stop right behind the block.
                let (mut byte, tail) = rest.split_at(1);
                rest = tail;
                if let Some(Item::Retry(millis)) = self.decoder.next(&mut byte) {
                    self.retry = Some(millis);
                }
            }
            self.bytes = rest.to_vec();
        }
        self
    }

    /// Reads until the stream has stated a position that isn't `known`, which
    /// no event may come with.
    ///
    /// # Panics
    /// If an event comes, or the stream ends.
    pub fn moved_from(&mut self, known: &str) -> String {
        while self.decoder.last_event_id() == known {
            let mut rest = &self.bytes[..];
            while let Some(item) = self.decoder.next(&mut rest) {
                assert!(!matches!(item, Item::Event(_)), "an event came");
            }
            self.bytes.clear();
            if self.decoder.last_event_id() == known {
                assert!(self.read().expect("a heartbeat"), "the stream ended");
            }
        }
        self.decoder.last_event_id().to_owned()
    }

    /// The connection, to do with it what a watcher wouldn't.
    pub fn http(&mut self) -> &mut Http {
        &mut self.http
    }

    /// Ends the watcher; its connection remains.
    pub fn into_http(self) -> Http {
        self.http
    }

    /// Reads the next bytes, whatever they say; `false` at the end.
    ///
    /// # Errors
    /// What the system says; `WouldBlock` if nothing comes for 30 s.
    pub fn read(&mut self) -> io::Result<bool> {
        let length = self.head.header("content-length");
        let bytes = if self.head.header("transfer-encoding") == Some("chunked") {
            self.http.chunk()?.unwrap_or_default()
        } else if length.is_some_and(|length| length == self.raw.len().to_string()) {
            // A stream that ends at once may have a length.
            Vec::new()
        } else {
            self.http.read_some()?
        };
        self.raw.extend_from_slice(&bytes);
        self.bytes.extend_from_slice(&bytes);
        Ok(!bytes.is_empty())
    }
}

impl Iterator for Watch {
    type Item = Received;

    /// The next event; `None` at the end of the stream, however it ended.
    ///
    /// # Panics
    /// If no event comes for 30 s.
    fn next(&mut self) -> Option<Received> {
        match self.try_next() {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => None,
            next => next.expect("something within 30 s"),
        }
    }
}
