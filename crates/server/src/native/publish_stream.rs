//! Streamed bodies: each event is published as it arrives, and stays published
//! whatever comes after it.

use super::admit::{self, Key, Labels};
use super::effect::Effect;
use super::event_json;
use super::publish::{BodyKind, from_json};
use super::publisher::Publisher;
use crate::close;
use crate::http::body::{Piece, RequestBody, Room};
use crate::http::{Code, Problem, Reply, body, respond};
use crate::hub::{Hub, PublishError};
use http::StatusCode;
use serde_json::json;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tidings_codec::{Chunk, Decoder, EventId, Item};
use tidings_engine::limits::EVENT_TYPE_BYTES;
use tidings_engine::{Entry, Event, Topic};
use tidings_store::AppendError;
use tokio::time::{Interval, MissedTickBehavior};

/// What one append takes of a body, about, in bytes.
const BATCH_BYTES: usize = 256 * 1024;
/// How often it is asked whether whoever sends nothing still may.
const LOOK: Duration = Duration::from_secs(1);

/// A streamed body that is being taken in.
pub struct Ingest<'h> {
    hub: &'h Arc<Hub>,
    parser: Parser,
    admission: Admission<'h>,
    published: u64,
    last_id: Option<EventId>,
    /// Of the end, once the topic is closed.
    end_id: Option<EventId>,
    /// What the parser may keep of an event that hasn't wholly arrived.
    room: Room<'h>,
}

/// How the events of one body are admitted.
struct Admission<'h> {
    publisher: Publisher<'h>,
    topic: Option<Topic>,
    key: Option<Key>,
    keep_ids: bool,
    effect: Effect,
    /// Events seen so far, for error texts and idempotency.
    seen: u64,
    /// Parsed and valid, not yet published.
    entries: Vec<Entry>,
}

enum Parser {
    Lines(Vec<u8>),
    EventStream(Box<Decoder>),
}

impl<'h> Ingest<'h> {
    /// Takes in a body of a kind for `topic`; without one, each event names its own.
    pub fn new(
        publisher: Publisher<'h>,
        (kind, effect): (BodyKind, Effect),
        topic: Option<Topic>,
        key: Option<Key>,
        keep_ids: bool,
    ) -> Self {
        let hub = publisher.hub;
        let parser = match kind {
            BodyKind::EventStream => {
                let max_event = hub.settings().limits.event_data_bytes + EVENT_TYPE_BYTES;
                let limits = tidings_codec::Limits {
                    max_event,
                    ..Default::default()
                };
                Parser::EventStream(Box::new(Decoder::with_limits(limits)))
            }
            _ => Parser::Lines(Vec::new()),
        };
        let admission = Admission {
            publisher,
            topic,
            key,
            keep_ids,
            effect,
            seen: 0,
            entries: Vec::new(),
        };
        Self {
            hub,
            parser,
            admission,
            published: 0,
            last_id: None,
            end_id: None,
            room: Room::new(hub),
        }
    }

    /// What has been published, as members of the answer.
    fn progress(&self) -> (u64, Option<&str>) {
        (self.published, self.last_id.as_ref().map(EventId::as_str))
    }

    /// Takes in the next piece of the body, and what else of it is there
    /// already, so that events that came together wait for the disk together.
    /// Answers what it found of the body behind that, if it looked.
    async fn take(
        &mut self,
        piece: &[u8],
        body: &mut RequestBody,
    ) -> Result<Option<Piece>, Problem> {
        let mut taken = piece.len();
        let mut parsed = self.parse(piece);
        let mut behind = None;
        while parsed.is_ok() && taken < BATCH_BYTES && behind.is_none() {
            match body::piece_at_once(body) {
                Some(Ok(Some(piece))) => {
                    taken += piece.len();
                    parsed = self.parse(&piece);
                }
                None => break,
                end => behind = end,
            }
        }
        self.flush().await?;
        parsed?;
        self.reserve().await?;
        Ok(behind)
    }

    fn parse(&mut self, piece: &[u8]) -> Result<(), Problem> {
        match &mut self.parser {
            Parser::Lines(rest) => feed_lines(rest, piece, &mut self.admission),
            Parser::EventStream(decoder) => feed_stream(decoder, piece, &mut self.admission),
        }
    }

    /// The body has ended: so must its last event have.
    async fn finish(&mut self) -> Result<(), Problem> {
        let parsed = match &mut self.parser {
            Parser::Lines(rest) => {
                let last = std::mem::take(rest);
                admit_line(&last, &mut self.admission)
            }
            Parser::EventStream(decoder) if decoder.is_mid_event() => {
                let detail = "the body ended within an event, which was dropped; end each event with a blank line";
                Err(Problem::new(Code::InvalidEvent, detail))
            }
            Parser::EventStream(_) => Ok(()),
        };
        self.flush().await?;
        parsed?;
        self.close().await
    }

    /// Ends the topic, if that is asked for.
    async fn close(&mut self) -> Result<(), Problem> {
        let admission = &self.admission;
        let Some(topic) = admission.topic.as_ref().filter(|_| admission.effect.closes) else {
            return Ok(());
        };
        admission.publisher.check(topic)?;
        let end = close::end(topic.clone(), admission.key.as_ref(), admission.seen);
        let appended = self.hub.publish(vec![end], admission.publisher.who()).await;
        let mut appended = appended.map_err(|error| admit::refusal(&error))?;
        self.end_id = appended.pop().map(|end| end.id);
        Ok(())
    }

    /// Publishes what was parsed.
    async fn flush(&mut self) -> Result<(), Problem> {
        let entries = std::mem::take(&mut self.admission.entries);
        // A closed topic refuses the first event for it, which is the first of all if
        // there is but one topic.
        let refusable = self.admission.topic.is_none()
            || entries
                .iter()
                .any(|entry| entry.id.is_some() || entry.key.is_some());
        let mut before = if refusable {
            entries.clone()
        } else {
            Vec::new()
        };
        let Err(error) = self.append(entries).await else {
            return Ok(());
        };
        // An append is all or nothing, but what comes before a bad event stays.
        if let PublishError::Refused(
            AppendError::IdConflict { index }
            | AppendError::KeyConflict { index }
            | AppendError::TopicClosed { index },
        ) = error
        {
            before.truncate(index);
            self.append(before)
                .await
                .map_err(|error| admit::refusal(&error))?;
        }
        Err(admit::refusal(&error))
    }

    async fn append(&mut self, entries: Vec<Entry>) -> Result<(), PublishError> {
        if entries.is_empty() {
            return Ok(());
        }
        let appended = self
            .hub
            .publish(entries, self.admission.publisher.who())
            .await?;
        self.published += appended.len() as u64;
        self.last_id = appended.into_iter().next_back().map(|appended| appended.id);
        Ok(())
    }

    /// Counts what the parser holds against what all bodies may hold.
    async fn reserve(&mut self) -> Result<(), Problem> {
        let held = match &self.parser {
            Parser::Lines(rest) => rest.capacity(),
            Parser::EventStream(decoder) => decoder.buffer_capacity(),
        };
        self.room.cover(held).await
    }
}

/// Takes a streamed body in to its end.
///
/// # Errors
/// The problem to answer with; it tells how much was published before it.
pub async fn run(mut ingest: Ingest<'_>, mut body: RequestBody) -> Result<Reply, Problem> {
    let mut drain = pin!(ingest.hub.drain().moment());
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut found = None;
    let result = loop {
        let piece = match found.take() {
            Some(piece) => piece,
            None => tokio::select! {
                piece = next_piece(&ingest, &mut look, &mut body) => piece,
                () = &mut drain => break Err(Problem::new(
                    Code::Busy,
                    "the hub is stopping; publish the rest when it is back",
                )),
            },
        };
        match piece {
            Ok(Some(piece)) => match ingest.take(&piece, &mut body).await {
                Ok(behind) => found = behind,
                Err(problem) => break Err(problem),
            },
            Ok(None) => break ingest.finish().await,
            Err(problem) => break Err(problem),
        }
    };
    let (published, last_id) = ingest.progress();
    match result {
        Ok(()) => {
            let mut answer = json!({ "published": published, "last_id": last_id });
            if let Some(end) = &ingest.end_id {
                answer["closed"] = true.into();
                answer["end_id"] = end.as_str().into();
            }
            Ok(respond::json(StatusCode::OK, &answer))
        }
        // The rest of the body is not worth waiting for.
        Err(problem) => Err(problem
            .with("published", published)
            .with("last_id", last_id)
            .closing()),
    }
}

/// The next piece of a body, as long as its publisher counts.
async fn next_piece(ingest: &Ingest<'_>, look: &mut Interval, body: &mut RequestBody) -> Piece {
    let publisher = &ingest.admission.publisher;
    let silence = ingest.hub.settings().limits.publish_silence;
    let mut piece = pin!(body::next_piece(body, silence));
    loop {
        tokio::select! {
            piece = &mut piece => {
                // Blank lines are no events, of which each is asked for.
                publisher.still_counts()?;
                return piece;
            }
            _ = look.tick() => publisher.still_counts()?,
        }
    }
}

impl Admission<'_> {
    fn push(&mut self, event: Result<Event, Problem>) -> Result<(), Problem> {
        let number = self.seen;
        self.seen += 1;
        let event = event.map_err(|mut problem| {
            problem.detail = format!("event {}: {}", number + 1, problem.detail);
            problem
        })?;
        let entry = admit::entry(event, self.key.as_ref(), number);
        self.entries.push(entry.of_kind(self.effect.kind()));
        Ok(())
    }

    /// Checks an event of an event stream, and whether it may be published.
    fn of_stream(&self, data: &str, labels: Labels<'_>) -> Result<Event, Problem> {
        let Some(topic) = &self.topic else {
            let detail = "an event stream names no topics";
            return Err(Problem::new(Code::InvalidEvent, detail));
        };
        self.publisher.check(topic)?;
        let limits = &self.publisher.hub.settings().limits;
        let event = admit::event(topic.clone(), data.to_owned(), labels, limits)?;
        Ok(event)
    }

    fn too_large(&self, limit: usize) -> Problem {
        let detail = format!("event {} is longer than {limit} bytes", self.seen + 1);
        Problem::new(Code::TooLarge, detail)
    }
}

fn feed_lines(
    rest: &mut Vec<u8>,
    mut piece: &[u8],
    admission: &mut Admission<'_>,
) -> Result<(), Problem> {
    let limit = admission.publisher.hub.settings().limits.line_bytes;
    while let Some(end) = memchr::memchr(b'\n', piece) {
        let line = &piece[..end];
        piece = &piece[end + 1..];
        if rest.len() + line.len() > limit {
            return Err(admission.too_large(limit));
        }
        if rest.is_empty() {
            admit_line(line, admission)?;
        } else {
            rest.extend_from_slice(line);
            let line = std::mem::take(rest);
            admit_line(&line, admission)?;
        }
    }
    if rest.len() + piece.len() > limit {
        return Err(admission.too_large(limit));
    }
    rest.extend_from_slice(piece);
    Ok(())
}

fn admit_line(line: &[u8], admission: &mut Admission<'_>) -> Result<(), Problem> {
    let line = line.trim_ascii();
    if line.is_empty() {
        return Ok(());
    }
    let event = std::str::from_utf8(line)
        .map_err(|_| Problem::new(Code::InvalidEvent, "the line is not UTF-8"))
        .and_then(event_json::parse)
        .and_then(|parsed| from_json(&admission.publisher, parsed, admission.topic.as_ref()));
    admission.push(event)
}

fn feed_stream(
    decoder: &mut Decoder,
    piece: &[u8],
    admission: &mut Admission<'_>,
) -> Result<(), Problem> {
    let mut chunk = Chunk::new(piece);
    while let Some(item) = decoder.next_in(&mut chunk) {
        match item {
            Item::Event(received) => {
                let retry = received
                    .retry
                    .filter(|_| admission.keep_ids)
                    .map(|retry| retry.to_string());
                let labels = Labels {
                    event: Some(received.event_type).filter(|name| !name.is_empty()),
                    id: received
                        .id
                        .filter(|id| admission.keep_ids && !id.is_empty()),
                    retry: retry.as_deref(),
                };
                let event = admission.of_stream(received.data, labels);
                admission.push(event)?;
            }
            Item::TooLarge(_) => {
                let limit = admission.publisher.hub.settings().limits.event_data_bytes;
                return Err(admission.too_large(limit));
            }
            _ => {}
        }
    }
    Ok(())
}
