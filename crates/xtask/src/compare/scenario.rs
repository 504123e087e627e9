//! What is asked of the hub alone.

mod resume;
mod stalled;
mod topics;

pub use resume::Resume;
pub use stalled::Stalled;
pub use topics::Topics;

use super::contender::{TIDINGS, named};
use super::load::{self, Measured};
use super::options::{Options, Part};
use super::programs::Programs;
use super::server::Server;
use std::time::Duration;

/// How long one run may take beyond what it is told to.
const PATIENCE: Duration = Duration::from_secs(120);

/// What was measured; what was not is `None`.
#[derive(Default)]
pub struct Scenarios {
    /// A topic for each subscriber.
    pub topics: Option<Topics>,
    /// Some don't read.
    pub stalled: Option<Stalled>,
    /// All come back.
    pub resume: Option<Resume>,
}

impl Scenarios {
    /// Measures those that are asked for.
    pub fn measure(options: &Options, programs: &Programs, faults: &mut Vec<String>) -> Self {
        let mut scenarios = Self::default();
        let hub_is_wanted =
            options.only.is_empty() || options.only.iter().any(|key| key == TIDINGS);
        if !hub_is_wanted {
            return scenarios;
        }
        let mut hub = Hub {
            options,
            programs,
            settings: &[],
            faults,
        };
        if options.has(Part::Topics) {
            println!("\n== a topic for each subscriber");
            hub.settings = &topics::SETTINGS;
            scenarios.topics = topics::measure(&mut hub);
            hub.settings = &[];
        }
        if options.has(Part::Resume) {
            println!("\n== all come back at once");
            scenarios.resume = resume::measure(&mut hub);
        }
        if options.has(Part::Stalled) {
            println!("\n== some don't read");
            scenarios.stalled = stalled::measure(&mut hub);
        }
        scenarios
    }
}

/// The hub, to be loaded in another way each time.
struct Hub<'a> {
    options: &'a Options,
    programs: &'a Programs,
    /// Variables of its environment.
    settings: &'static [(&'static str, &'static str)],
    faults: &'a mut Vec<String>,
}

impl Hub<'_> {
    /// A new hub under `load` (words of `tidings bench`, for so many seconds);
    /// what goes wrong is noted.
    fn run(&mut self, paths: [&str; 2], load: &str, seconds: u64) -> Option<Measured> {
        let words: Vec<String> = load.split_whitespace().map(str::to_owned).collect();
        let limit = PATIENCE + Duration::from_secs(seconds) * 5;
        let hub = named(TIDINGS);
        let outcome = Server::start(&hub, self.programs, self.settings)
            .and_then(|server| load::run(self.programs, &server, paths, &words, limit));
        match outcome {
            Ok(measured) => {
                if let Some(flaw) = measured.flaw(false) {
                    self.fault(format!("bench {load}: {}", flaw.0));
                }
                Some(measured)
            }
            Err(error) => {
                self.fault(error);
                None
            }
        }
    }

    fn fault(&mut self, text: String) {
        println!("{text}");
        self.faults.push(text);
    }
}
