//! A publisher: one request after the other, in every form there is, and each
//! one whose fate it doesn't know again, until it does.

use super::{Crowd, TOPICS};
use fastrand::Rng;
use serde_json::{Value, json};
use std::io;
use std::ops::Range;
use tidings_sim::{Outcome, Published};
use tidings_testkit::{Answer, Http};

/// What a publisher noted down.
#[derive(Debug, Default)]
pub struct Notes {
    /// Every attempt, per event.
    pub published: Vec<Published>,
    /// The numbers of the events of each all-or-nothing request.
    pub batches: Vec<Range<u64>>,
}

/// A request in one of the forms that publish.
struct Call {
    form: Form,
    key: Option<String>,
    first: u64,
    events: Vec<Draft>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `POST /t/{topic}`, the body is the data.
    Single,
    /// `POST /events`, an array.
    Array,
    /// `POST /events`, a line per event.
    Lines,
    /// `POST /t/{topic}`, an event stream.
    Stream,
}

struct Draft {
    topic: String,
    event_type: Option<&'static str>,
    id: Option<String>,
    data: String,
}

/// Publishes for as long as the hub is killed.
pub fn publish(crowd: &Crowd, publisher: u32, seed: u64) -> Notes {
    let mut rng = Rng::with_seed(seed);
    let mut notes = Notes::default();
    let mut connection = None;
    let (mut life, mut next) = (crowd.wait_for_life(0), 0);
    while !crowd.is_last_life() {
        let call = Call::random(publisher, next, &mut rng);
        next += call.events.len() as u64;
        if call.form == Form::Array {
            notes.batches.push(call.first..next);
        }
        loop {
            let called = crowd.now();
            let answer = attempt(crowd, &mut connection, &call);
            let ids = answer.ok().and_then(|answer| call.ids(&answer));
            let at = crowd.now();
            for (i, draft) in call.events.iter().enumerate() {
                let outcome = match &ids {
                    Some(ids) => Outcome::Acked {
                        id: ids[i].clone(),
                        at,
                    },
                    None => Outcome::Unknown,
                };
                notes.published.push(Published {
                    reopens: false,
                    publisher,
                    number: call.first + i as u64,
                    topic: draft.topic.clone(),
                    event_type: draft.event_type.map(str::to_owned),
                    data: draft.data.clone(),
                    called,
                    outcome,
                    expires: None,
                });
            }
            if ids.is_some() {
                crowd.answered();
                break;
            }
            connection = None;
            life = crowd.wait_for_life(life);
            // Now and then somebody gives up and never learns what became of it.
            if rng.u8(..4) == 0 {
                break;
            }
        }
    }
    notes
}

fn attempt(crowd: &Crowd, connection: &mut Option<Http>, call: &Call) -> io::Result<Answer> {
    let http = match connection {
        Some(http) => http,
        None => connection.insert(Http::try_connect(crowd.address)?),
    };
    call.send(http)
}

impl Call {
    fn random(publisher: u32, first: u64, rng: &mut Rng) -> Self {
        let form = rng
            .choice([
                Form::Single,
                Form::Single,
                Form::Array,
                Form::Lines,
                Form::Stream,
            ])
            .expect("forms");
        let count = match form {
            Form::Single => 1,
            _ => rng.u64(1..20),
        };
        // What is published without a key must bring its ids along, or a
        // repetition would double it.
        let with_ids = rng.bool();
        let with_key = !with_ids || rng.bool();
        let topic = |rng: &mut Rng| (*rng.choice(TOPICS).expect("topics")).to_owned();
        let one_topic = topic(rng);
        let events = (first..first + count).map(|number| Draft {
            topic: match form {
                Form::Single | Form::Stream => one_topic.clone(),
                Form::Array | Form::Lines => topic(rng),
            },
            event_type: rng.bool().then_some("changed"),
            id: with_ids.then(|| format!("own-{publisher}-{number}")),
            data: data(publisher, number, rng),
        });
        let events = events.collect();
        let key = with_key.then(|| format!("key-{publisher}-{first}"));
        Self {
            form,
            key,
            first,
            events,
        }
    }

    fn send(&self, http: &mut Http) -> io::Result<Answer> {
        let key = self.key.as_deref().map(|key| ("Idempotency-Key", key));
        let with = |headers: &[(&'static str, &'static str)]| {
            let mut all: Vec<(&str, &str)> = headers.to_vec();
            all.extend(key);
            all
        };
        let first = &self.events[0];
        match self.form {
            Form::Single => {
                let mut path = format!("/t/{}?", first.topic);
                path += &first
                    .event_type
                    .map_or(String::new(), |name| format!("event={name}&"));
                path += &first
                    .id
                    .as_ref()
                    .map_or(String::new(), |id| format!("id={id}"));
                http.try_request(
                    "POST",
                    path.trim_end_matches(['?', '&']),
                    &with(&[]),
                    first.data.as_bytes(),
                )
            }
            Form::Array => {
                let events: Vec<Value> = self.events.iter().map(Draft::json).collect();
                let headers = with(&[("Content-Type", "application/json")]);
                http.try_request(
                    "POST",
                    "/events",
                    &headers,
                    Value::from(events).to_string().as_bytes(),
                )
            }
            Form::Lines => {
                let headers = with(&[
                    ("Content-Type", "application/x-ndjson"),
                    ("Transfer-Encoding", "chunked"),
                ]);
                let lines = self
                    .events
                    .iter()
                    .map(|event| event.json().to_string() + "\n");
                send_pieces(http, "/events", &headers, lines)
            }
            Form::Stream => {
                let headers = with(&[
                    ("Content-Type", "text/event-stream"),
                    ("Transfer-Encoding", "chunked"),
                ]);
                let path = format!("/t/{}?keep=id", first.topic);
                send_pieces(http, &path, &headers, self.events.iter().map(Draft::block))
            }
        }
    }

    /// The ids of the events, empty where they aren't told; nothing if it is
    /// not known what became of them.
    fn ids(&self, answer: &Answer) -> Option<Vec<String>> {
        if answer.status == 503 {
            return None;
        }
        assert_eq!(answer.status, 200, "{}", answer.text());
        let answer = answer.json();
        let text = |value: &Value| value.as_str().expect("an id").to_owned();
        let own = self
            .events
            .iter()
            .map(|event| event.id.clone().unwrap_or_default());
        let ids: Vec<String> = match self.form {
            Form::Single => vec![text(&answer["id"])],
            Form::Array => answer["ids"]
                .as_array()
                .expect("ids")
                .iter()
                .map(text)
                .collect(),
            Form::Lines | Form::Stream => {
                assert_eq!(answer["published"], self.events.len());
                let last = text(&answer["last_id"]);
                own.clone()
                    .take(self.events.len() - 1)
                    .chain([last])
                    .collect()
            }
        };
        assert_eq!(ids.len(), self.events.len());
        for (id, own) in ids.iter().zip(own) {
            assert!(own.is_empty() || *id == own, "{own} was answered as {id}");
        }
        Some(ids)
    }
}

/// Sends a body in pieces, so that the hub can be killed between them.
fn send_pieces(
    http: &mut Http,
    path: &str,
    headers: &[(&str, &str)],
    pieces: impl Iterator<Item = String>,
) -> io::Result<Answer> {
    http.send_request("POST", path, headers, b"")?;
    for piece in pieces {
        http.send(format!("{:x}\r\n{piece}\r\n", piece.len()).as_bytes())?;
        std::thread::yield_now();
    }
    http.send(b"0\r\n\r\n")?;
    http.answer(false)
}

/// Unlike any other's; mostly small, sometimes of several lines, sometimes so
/// large that a write of it is torn by a kill.
fn data(publisher: u32, number: u64, rng: &mut Rng) -> String {
    let start = format!("{{\"from\":{publisher},\"number\":{number}}}");
    match rng.u8(..40) {
        0 => start + &"large ".repeat(rng.usize(500..8000)),
        1..4 => start + "\n\nzweite Zeile: größer\n🎉",
        _ => start + &"x".repeat(rng.usize(..200)),
    }
}

impl Draft {
    fn json(&self) -> Value {
        let mut event = json!({ "topic": self.topic, "data": self.data });
        if let Some(name) = self.event_type {
            event["event"] = name.into();
        }
        if let Some(id) = &self.id {
            event["id"] = id.as_str().into();
        }
        event
    }

    fn block(&self) -> String {
        let mut block = String::new();
        if let Some(name) = self.event_type {
            block += &format!("event: {name}\n");
        }
        if let Some(id) = &self.id {
            block += &format!("id: {id}\n");
        }
        for line in self.data.split('\n') {
            block += &format!("data: {line}\n");
        }
        block + "\n"
    }
}
