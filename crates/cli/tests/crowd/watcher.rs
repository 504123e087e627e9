//! A watcher: reads until its connection is lost and resumes with the last
//! event ID it had, as an EventSource does.

use super::{Crowd, END_EVENT};
use std::io;
use tidings_sim::{Begin, Chain, ChainReader, SlowPolicy, Step};
use tidings_testkit::Http;

/// What a watcher watches, and how.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Exact topics and patterns.
    pub selection: &'static [&'static str],
    /// How many of [`TOPICS`](super::TOPICS) that selects.
    pub topics: usize,
    /// From where.
    pub begins: Begins,
    /// Whether it asks for envelopes.
    pub envelope: bool,
    /// Whether it speaks HTTP/1.0, whose bodies it sees as they come, torn
    /// anywhere.
    pub http_1_0: bool,
}

/// From where a watcher begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begins {
    /// Live, and then it resumes.
    Live,
    /// With the last so many events, and then it resumes.
    Last(u32),
    /// With the earliest event kept, anew in each life of the hub.
    EarliestEachTime,
}

/// Watches to the end of everything. All chains but the last are of a watcher
/// that begins anew.
pub fn watch(crowd: &Crowd, plan: Plan) -> Vec<Chain> {
    let mut chains = Vec::new();
    let mut life = 0;
    loop {
        let mut begin = Begin::Opened;
        let mut reader = match plan.envelope {
            true => ChainReader::of_envelopes(),
            false => ChainReader::new(),
        };
        let complete = loop {
            life = crowd.wait_for_life(life);
            if plan.begins == Begins::EarliestEachTime {
                begin = Begin::Earliest { at: crowd.now() };
            }
            // Only the end of the connection tells anything: errors are how a
            // killed hub is seen.
            let ended = connection(crowd, plan, &mut reader).unwrap_or(false);
            if ended || plan.begins == Begins::EarliestEachTime {
                break ended;
            }
        };
        chains.push(Chain {
            selection: plan.selection.iter().map(ToString::to_string).collect(),
            begin,
            slow: SlowPolicy::Disconnect,
            steps: reader.into_steps(),
            complete,
        });
        if complete {
            return chains;
        }
    }
}

/// Reads one connection to its end; answers whether everything has come.
fn connection(crowd: &Crowd, plan: Plan, reader: &mut ChainReader) -> io::Result<bool> {
    let ended = read(crowd, plan, reader);
    reader.disconnected();
    ended
}

fn read(crowd: &Crowd, plan: Plan, reader: &mut ChainReader) -> io::Result<bool> {
    let mut http = Http::try_connect(crowd.address)?;
    http.send(request(crowd, plan, reader.last_event_id()).as_bytes())?;
    let head = http.answer_head()?;
    assert_eq!(head.status, 200, "an EventSource would give up");
    let chunked = head.header("transfer-encoding") == Some("chunked");
    assert!(!(chunked && plan.http_1_0), "HTTP/1.0 has no chunks");
    // A hub that drains answers with a whole body: when to come again.
    let whole = head.header("content-length").is_some();
    let mut ends = 0;
    while ends < plan.topics {
        let bytes = match chunked {
            true => http.chunk()?.unwrap_or_default(),
            false => http.read_some()?,
        };
        if bytes.is_empty() || whole {
            return Ok(false);
        }
        let seen = reader.steps().len();
        reader.read(&bytes, crowd.now());
        let is_end =
            |step: &Step| matches!(step, Step::Event { event_type, .. } if event_type == END_EVENT);
        ends += reader.steps()[seen..]
            .iter()
            .filter(|step| is_end(step))
            .count();
    }
    Ok(true)
}

fn request(crowd: &Crowd, plan: Plan, last_event_id: &str) -> String {
    let mut query: Vec<String> = plan
        .selection
        .iter()
        .map(|topic| format!("topic={topic}"))
        .collect();
    match plan.begins {
        Begins::Live => {}
        Begins::Last(count) => query.push(format!("since=last:{count}")),
        Begins::EarliestEachTime => query.push("since=earliest".into()),
    }
    if plan.envelope {
        query.push("envelope=json".into());
    }
    let version = if plan.http_1_0 { "1.0" } else { "1.1" };
    let mut request = format!(
        "GET /events?{} HTTP/{version}\r\nHost: {}\r\nAccept: text/event-stream\r\n",
        query.join("&"),
        crowd.address
    );
    if !last_event_id.is_empty() {
        request += &format!("Last-Event-ID: {last_event_id}\r\n");
    }
    request + "\r\n"
}
