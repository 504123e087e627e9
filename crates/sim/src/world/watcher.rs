//! Those who watch: EventSources that read slowly, lose their connections
//! anywhere, and come back with the last event ID.

use super::hub::Hub;
use super::stream::{Pulled, Stream};
use crate::{Begin, Chain, ChainReader, Moment, Step};
use fastrand::Rng;
use std::collections::VecDeque;
use tidings_codec::EventId;
use tidings_engine::since::Since;
use tidings_engine::start::{Asked, Start};
use tidings_engine::stream::{Ending, Terms};
use tidings_engine::{Budget, Cursor, Form, Position, Selection, Selector, SlowPolicy, Timestamp};

/// One watcher, over all its connections.
pub struct Watcher {
    texts: Vec<String>,
    selection: Selection,
    since: Option<Since>,
    form: Form,
    slow: SlowPolicy,
    terms: Terms,
    /// Streams that ended because it was too slow.
    pub too_slow: usize,
    /// Streams that the hub ended because it drains.
    pub drained: usize,
    /// How often it was told that nothing will come, and whether it was last.
    pub told_over: usize,
    is_over: bool,
    /// How many bytes may wait for it, and how many it reads at once, at most.
    window: usize,
    appetite: usize,
    reader: ChainReader,
    connection: Connection,
}

enum Connection {
    None,
    /// The hub has its request, and has looked what may be gone and where the
    /// log ends.
    Asking(Asked, Position, Cursor),
    /// The hub knows where the stream starts.
    Found(Start, Position),
    /// The stream flows; these bytes are under way.
    Open(Stream, VecDeque<u8>),
}

const SELECTIONS: [&[&str]; 8] = [
    &["**"],
    &["news"],
    &["orders/*"],
    &["orders/**", "news"],
    &["*"],
    &["orders/1", "orders/2", "logs/a"],
    &["logs/a"],
    &["*/1", "orders/1/items"],
];

const POLICIES: [SlowPolicy; 3] = [SlowPolicy::Disconnect, SlowPolicy::Gap, SlowPolicy::Latest];

impl Watcher {
    pub fn new(rng: &mut Rng, since: Option<Since>) -> Self {
        let texts = rng.choice(SELECTIONS).unwrap_or(&["**"]);
        let selectors = texts
            .iter()
            .filter_map(|text| Selector::new(text).ok())
            .collect();
        let form = match rng.u8(0..4) {
            0 => Form::Envelope,
            _ => Form::Plain,
        };
        Self {
            texts: texts.iter().map(|text| (*text).to_owned()).collect(),
            selection: Selection::new(selectors),
            since,
            form,
            slow: rng.choice(POLICIES).unwrap_or_default(),
            terms: Terms {
                budget: Budget {
                    frames: rng.usize(1..9),
                    bytes: rng.usize(1..1_000),
                },
                lag_bytes: rng.choice([0, 0, 40, 200]).unwrap_or(0),
            },
            too_slow: 0,
            drained: 0,
            told_over: 0,
            is_over: false,
            window: match rng.u8(0..4) {
                0 => rng.usize(1..2_000),
                _ => rng.usize(1..120),
            },
            appetite: rng.choice([60, 400]).unwrap_or(400),
            reader: match form {
                Form::Envelope => ChainReader::of_envelopes(),
                Form::Plain => ChainReader::new(),
            },
            connection: Connection::None,
        }
    }

    pub fn stream(&mut self) -> Option<&mut Stream> {
        match &mut self.connection {
            Connection::Open(stream, _) => Some(stream),
            _ => None,
        }
    }

    /// Goes one step on with its connection, whatever it is in.
    pub fn step(&mut self, hub: &mut Hub, rng: &mut Rng, now: Timestamp, moment: Moment) {
        match std::mem::replace(&mut self.connection, Connection::None) {
            Connection::None => self.ask(hub),
            Connection::Asking(asked, told, live) => self.find(hub, &asked, (told, live), now),
            Connection::Found(start, told) => self.open(hub, (start, told), rng),
            Connection::Open(stream, pipe) => {
                self.connection = Connection::Open(stream, pipe);
                match rng.u8(0..64) {
                    0..24 => self.pull(hub, false),
                    24..32 => self.pull(hub, true),
                    32..40 => self.read_store(hub),
                    40 => self.drain(hub, rng, moment),
                    // Who has caught up may read more slowly than events come.
                    41..45 => self.appetite = rng.choice([20, 60, 400]).unwrap_or(400),
                    _ => {
                        let most = rng.usize(0..=self.appetite);
                        self.read(most, moment);
                    }
                }
            }
        }
    }

    /// Loses its connection; of the bytes under way a part may still arrive.
    pub fn lose(&mut self, hub: Option<&mut Hub>, rng: &mut Rng, moment: Moment) {
        let arriving = match &self.connection {
            Connection::Open(_, pipe) => rng.usize(0..=pipe.len()),
            _ => 0,
        };
        self.read(arriving, moment);
        if let (Some(hub), Connection::Open(stream, _)) = (hub, &self.connection) {
            hub.unsubscribe(stream);
        }
        self.connection = Connection::None;
        self.reader.disconnected();
    }

    /// Does everything it can without anyone's help; whether it then sleeps
    /// with nothing to read.
    pub fn finish(&mut self, hub: &mut Hub, rng: &mut Rng, now: Timestamp, moment: Moment) -> bool {
        if self.is_over && hub.reader.end_of_all(&self.selection).is_some() {
            return true;
        }
        if !matches!(self.connection, Connection::Open(..)) {
            self.step(hub, rng, now, moment);
            return false;
        }
        // A few bytes at a time would take for ever.
        self.window = usize::MAX;
        self.read_store(hub);
        self.pull(hub, false);
        self.read(usize::MAX, moment);
        self.stream()
            .is_some_and(|stream| !stream.awake && !stream.sleeps_behind(hub))
    }

    /// How much it has been told.
    pub fn steps(&self) -> usize {
        self.reader.steps().len()
    }

    /// The chain, once all is over.
    pub fn into_chain(self) -> Chain {
        let steps = self.reader.into_steps();
        let opened = steps.iter().find_map(|step| match step {
            Step::Opened { at, .. } | Step::Gap { at, .. } => Some(*at),
            _ => None,
        });
        let begin = match self.since {
            Some(Since::Earliest) => Begin::Earliest {
                at: opened.unwrap_or_default(),
            },
            Some(Since::Id(id)) => Begin::After(id.as_str().to_owned()),
            _ => Begin::Opened,
        };
        Chain {
            selection: self.texts,
            begin,
            slow: self.slow,
            steps,
            complete: true,
        }
    }

    fn ask(&mut self, hub: &Hub) {
        let id = Some(self.reader.last_event_id()).filter(|id| !id.is_empty());
        let asked = Asked {
            last_event_id: id.and_then(|id| EventId::new(id).ok()),
            since: self.since.clone(),
        };
        // Not the tail's end: the store may have given events to this watcher
        // that the tail gets only now, and their ids are not of the future.
        let live = Cursor {
            after: hub.reader.last(),
        };
        let told = hub.reader.horizon(&self.selection);
        self.is_over = false;
        self.connection = Connection::Asking(asked, told, live);
    }

    fn find(&mut self, hub: &Hub, asked: &Asked, (told, live): (Position, Cursor), now: Timestamp) {
        if asked.is_live() {
            let start = Start {
                cursor: live,
                gap: None,
            };
            self.connection = Connection::Found(start, told);
            return;
        }
        match asked.start(&hub.reader, &self.selection, live, now) {
            // Who never was there, and has no id, is let in: what they have not seen
            // can't be told.
            Ok(start) if asked.last_event_id.is_some() && self.has_ended(hub, &start) => {
                self.told_over += 1;
                self.is_over = true;
            }
            Ok(start) => self.connection = Connection::Found(start, told),
            Err(_) => self.reader.disconnected(),
        }
    }

    /// As the server decides it.
    fn has_ended(&self, hub: &Hub, start: &Start) -> bool {
        let end = hub.reader.end_of_all(&self.selection);
        start.gap.is_none() && end.is_some_and(|end| start.cursor.after >= end)
    }

    fn open(&mut self, hub: &mut Hub, start: (Start, Position), rng: &mut Rng) {
        let (selection, retry_ms) = (self.selection.clone(), rng.u64(500..5_000));
        let stream = Stream::new(
            hub,
            selection,
            start,
            self.form,
            (self.slow, self.terms),
            retry_ms,
        );
        self.connection = Connection::Open(stream, VecDeque::new());
    }

    /// The hub pulls what the window has room for.
    fn pull(&mut self, hub: &mut Hub, timer: bool) {
        let Connection::Open(stream, pipe) = &mut self.connection else {
            return;
        };
        let room = self.window.saturating_sub(pipe.len());
        if room == 0 || !(stream.awake || timer) {
            return;
        }
        let pulled = if timer {
            stream.pull_or_beat(hub, room)
        } else {
            stream.pull(hub, room)
        };
        let too_slow = matches!(pulled, Pulled::End(Ending::TooSlow));
        match pulled {
            Pulled::Bytes(bytes) => pipe.extend(bytes),
            Pulled::Later | Pulled::Idle => {}
            Pulled::End(_) | Pulled::Over => {
                self.too_slow += usize::from(too_slow);
                hub.unsubscribe(stream);
                self.connection = Connection::None;
                self.reader.disconnected();
            }
        }
    }

    /// The hub drains: it ends the stream in peace, and what is under way
    /// arrives.
    fn drain(&mut self, hub: &mut Hub, rng: &mut Rng, moment: Moment) {
        if let Connection::Open(stream, pipe) = &mut self.connection {
            pipe.extend(stream.goodbye(rng.u64(500..5_000)));
            self.drained += 1;
            self.read(usize::MAX, moment);
            self.lose(Some(hub), rng, moment);
        }
    }

    fn read_store(&mut self, hub: &Hub) {
        if let Connection::Open(stream, _) = &mut self.connection {
            stream.read_store(hub);
        }
    }

    fn read(&mut self, most: usize, moment: Moment) {
        if let Connection::Open(_, pipe) = &mut self.connection {
            let arriving: Vec<u8> = pipe.drain(..most.min(pipe.len())).collect();
            self.reader.read(&arriving, moment);
        }
    }
}
