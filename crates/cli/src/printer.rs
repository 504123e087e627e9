//! Events on standard output, for every command that shows them.

use std::io::{self, Write};
use tidings_codec::{Event, EventId, EventType, put_data, put_event_type, put_id, put_retry};

/// How the events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As an event stream again, in its plainest form: no comments and no
    /// unknown fields, no block without data, LF line ends, well-formed UTF-8,
    /// at most one `event`, `retry` and `id` line a block. `id` stands where
    /// the last event ID has changed or the event had one of its own, so that
    /// a reader of the output sees the same events. A NUL in a type becomes U+FFFD.
    Stream,
    /// As one JSON object a line with the keys `event` (`message` if
    /// unnamed), `data`, `id` (the last event ID, inherited, or empty) and
    /// `retry` (the last valid one since the previous event, or null).
    Json,
    /// The data and a line end, nothing else.
    Data,
}

/// Writes events; each is out, flushed, before it returns.
pub struct Printer<W> {
    output: W,
    form: Form,
    /// The last valid one since the previous event.
    retry: Option<u64>,
    /// What a reader of the output has as its last event ID.
    written_id: String,
    /// One event as it will be written, at once.
    block: Vec<u8>,
}

impl<W: Write> Printer<W> {
    pub fn new(output: W, form: Form) -> Self {
        Self {
            output,
            form,
            retry: None,
            written_id: String::new(),
            block: Vec::new(),
        }
    }

    /// Takes in a reconnection time, in milliseconds: the next event shows it.
    pub fn retry(&mut self, millis: u64) {
        self.retry = Some(millis);
    }

    /// Writes an event.
    ///
    /// # Errors
    /// Those of the output.
    pub fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        self.block.clear();
        match self.form {
            Form::Stream => self.put_block(event),
            Form::Json => self.put_json(event)?,
            Form::Data => {
                self.block.extend_from_slice(event.data.as_bytes());
                self.block.push(b'\n');
            }
        }
        self.output.write_all(&self.block)?;
        self.output.flush()
    }

    fn put_block(&mut self, event: &Event<'_>) {
        let out = &mut self.block;
        if !event.event_type.is_empty() {
            let event_type = EventType::new(event.event_type.replace('\0', "\u{FFFD}"))
                .expect("a line ends at CR and LF");
            put_event_type(out, &event_type);
        }
        if let Some(millis) = self.retry.take() {
            put_retry(out, millis);
        }
        put_data(out, event.data);
        if event.id.is_some() || event.last_event_id != self.written_id {
            let id = EventId::new(event.last_event_id)
                .expect("a line ends at CR and LF, and an ID with NUL is ignored");
            put_id(out, &id);
            self.written_id = event.last_event_id.to_owned();
        }
        out.push(b'\n');
    }

    fn put_json(&mut self, event: &Event<'_>) -> io::Result<()> {
        let out = &mut self.block;
        let texts = [
            (&b"{\"event\":"[..], event.type_or_message()),
            (b",\"data\":", event.data),
            (b",\"id\":", event.last_event_id),
        ];
        for (key, text) in texts {
            out.extend_from_slice(key);
            serde_json::to_writer(&mut *out, text)?;
        }
        out.extend_from_slice(b",\"retry\":");
        serde_json::to_writer(&mut *out, &self.retry.take())?;
        out.extend_from_slice(b"}\n");
        Ok(())
    }
}
