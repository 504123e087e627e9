//! What the tests of the asynchronous face share: a stream in virtual time
//! against a scripted server.
#![allow(dead_code)] // Each test binary uses its part.

use futures_util::{Stream, StreamExt};
use std::time::Duration;
use tidings_eventsource::transport::{Answer, Memory};
use tidings_eventsource::{
    Builder, Error, Event, EventStream, Json, Notice, Runtime, VirtualRuntime,
};

pub const SECOND: Duration = Duration::from_secs(1);

/// A server in memory and the clock that it goes by.
pub struct World {
    pub runtime: VirtualRuntime,
    pub server: Memory,
}

impl World {
    pub fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        let runtime = VirtualRuntime::new(7);
        let server = Memory::script(runtime.clone(), answers);
        Self { runtime, server }
    }

    pub fn builder(&self) -> Builder {
        let url = "http://hub.example/t/news";
        Builder::new(url, self.server.clone(), self.runtime.clone())
    }

    /// The items of `stream` to its end, as text, each with the second it came.
    pub fn told<T: Shown>(
        &self,
        mut stream: impl Stream<Item = Result<T, Error>> + Unpin,
    ) -> Vec<String> {
        self.runtime.block_on(async {
            let mut told = Vec::new();
            while let Some(item) = stream.next().await {
                let now = self.runtime.now().as_secs_f64();
                told.push(format!("{now} {}", shown(&item)));
                assert!(told.len() < 1000, "it never ends");
            }
            assert!(stream.next().await.is_none(), "None is the end");
            told
        })
    }

    /// The `Last-Event-ID` of each request.
    pub fn resumed_from(&self) -> Vec<String> {
        let of = |request: &tidings_eventsource::protocol::Request| {
            let header = request.headers.get("last-event-id");
            header.map_or(String::new(), |id| {
                String::from_utf8(id.as_bytes().to_vec()).expect("UTF-8")
            })
        };
        self.server.requests().iter().map(of).collect()
    }
}

/// What a test compares of an item.
pub trait Shown {
    fn shown(&self) -> String;
}

impl Shown for Event {
    fn shown(&self) -> String {
        let Event {
            event_type,
            data,
            last_event_id,
            ..
        } = self;
        let own = if self.has_id { "#" } else { "" };
        format!("{event_type} {data:?} {own}{last_event_id}")
    }
}

impl Shown for Notice {
    fn shown(&self) -> String {
        match self {
            Notice::Open { url } => format!("open {url}"),
            Notice::Reconnecting { cause, wait } => {
                format!("reconnecting in {}: {cause}", wait.as_secs_f64())
            }
            Notice::Event(event) => event.shown(),
            Notice::Gap(gap) => format!("gap {:?} {}", gap.reason, gap.since()),
            Notice::Retry(time) => format!("retry {}", time.as_secs_f64()),
            Notice::Comment(text) => format!("comment {text:?}"),
            other => panic!("{other:?}"),
        }
    }
}

impl<T: std::fmt::Debug> Shown for Json<T> {
    fn shown(&self) -> String {
        format!("{:?}", self.value)
    }
}

pub fn shown<T: Shown>(item: &Result<T, Error>) -> String {
    match item {
        Ok(item) => item.shown(),
        Err(error) if error.is_passing() => format!("passing: {error}"),
        Err(error) => format!("last: {error}"),
    }
}

/// What all of `stream` is, without times.
pub fn all<T: Shown>(
    world: &World,
    stream: impl Stream<Item = Result<T, Error>> + Unpin,
) -> Vec<String> {
    let told = world.told(stream);
    told.iter()
        .map(|line| line.split_once(' ').expect("a time").1.to_owned())
        .collect()
}

/// Whether `stream` is over, by its own account.
pub fn is_over(stream: &EventStream) -> bool {
    futures_util::stream::FusedStream::is_terminated(stream)
}
