//! A page with one EventSource, in virtual time, and what it saw.

// Each test binary uses its own part of it.
#![allow(dead_code)]

use std::sync::{Arc, Mutex};
use std::time::Duration;
use tidings_eventsource::event_source::Listeners;
use tidings_eventsource::transport::{Answer, Memory};
use tidings_eventsource::{DomEvent, EventSource, EventSourceInit, Runtime, VirtualRuntime};

pub const URL: &str = "http://a.test/s";
pub const SECOND: Duration = Duration::from_secs(1);

/// What happened, line by line.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub fn add(&self, line: impl Into<String>) {
        self.0.lock().expect("a log").push(line.into());
    }

    pub fn lines(&self) -> Vec<String> {
        self.0.lock().expect("a log").clone()
    }

    /// A listener that adds `name`.
    pub fn listener(
        &self,
        name: &'static str,
    ) -> impl Fn(&EventSource, &DomEvent) + Send + Sync + 'static {
        let log = self.clone();
        move |_, _| log.add(name)
    }
}

pub struct Page {
    pub runtime: VirtualRuntime,
    pub memory: Memory,
    pub log: Log,
}

impl Page {
    /// Whose server gives `answers`, one per request.
    pub fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        let runtime = VirtualRuntime::new(1);
        Self {
            memory: Memory::script(runtime.clone(), answers),
            runtime,
            log: Log::default(),
        }
    }

    /// An EventSource of this page; each event becomes a line of the log, with
    /// the second, the type, the state that the listener saw, and the data.
    pub fn open(&self, init: EventSourceInit) -> EventSource {
        self.open_at(URL, init)
    }

    pub fn open_at(&self, url: &str, mut init: EventSourceInit) -> EventSource {
        init.listeners = self.logging(init.listeners);
        let memory = Arc::new(self.memory.clone());
        let runtime = Arc::new(self.runtime.clone());
        let (source, driving) =
            EventSource::with(url, init, memory, runtime).expect("a URL that can be parsed");
        self.runtime.spawn(driving);
        source
    }

    pub fn logging(&self, listeners: Listeners) -> Listeners {
        let (log, runtime) = (self.log.clone(), self.runtime.clone());
        listeners.on_any(move |source, event| {
            let second = runtime.now().as_secs_f64();
            let (name, state) = (event.event_type(), source.ready_state());
            let data = event.data().map(|data| format!(" {data}"));
            log.add(format!(
                "{second} {name} {state:?}{}",
                data.unwrap_or_default()
            ));
        })
    }

    /// Lets `seconds` pass.
    pub fn run(&self, seconds: u32) {
        self.runtime.block_on(self.runtime.sleep(SECOND * seconds));
    }
}

/// What a page with listeners sees of `answers`, until it is closed.
#[track_caller]
pub fn check(listeners: Listeners, answers: impl IntoIterator<Item = Answer>, expected: &[&str]) {
    let page = Page::new(answers);
    let init = EventSourceInit {
        listeners,
        ..EventSourceInit::default()
    };
    let source = page.open(init);
    page.runtime.block_on(source.closed());
    assert_eq!(page.log.lines(), expected);
    assert_eq!(source.ready_state(), EventSource::CLOSED);
}
