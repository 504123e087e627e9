//! One topic and many subscribers, each contender in turn.

use super::contender::{Contender, FLOOR, FLOOR_CORES, Feed};
use super::load::{self, Measured};
use super::options::Options;
use super::programs::Programs;
use super::server::Server;
use super::stats::Spread;
use std::collections::BTreeMap;
use std::time::Duration;

/// Deliveries per second of a paced run, all subscribers together: what each
/// contender can keep on a core or two, so that latency is not a queue's.
pub const PACE: u64 = 50_000;
/// Events of the first try at a saturated run, and the most of any.
const FIRST_TRY: u64 = 20;
const MOST: u64 = 20_000;
/// How much longer the next try is, at most.
const GROWTH: f64 = 20.0;
const TRIES: usize = 4;
/// After so many failures of the same measurement it is not tried again: each
/// may have cost minutes.
const GIVEN_UP: u64 = 2;
/// Beyond what is asked for, for connecting, settling and being slow.
const PATIENCE: Duration = Duration::from_secs(120);

/// How events come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pace {
    /// [`PACE`].
    Paced,
    /// As fast as they are taken.
    Saturated,
}

/// Of whom, at how many subscribers, how.
type Cell = (&'static str, u64, Pace);

/// What was measured.
#[derive(Debug, Default)]
pub struct Fanout {
    cells: BTreeMap<Cell, Vec<Measured>>,
    /// What went wrong, and how often.
    pub flaws: BTreeMap<String, u64>,
}

/// One measurement's bounds.
struct Run<'a> {
    options: &'a Options,
    programs: &'a Programs,
    contender: Contender,
    connections: u64,
}

impl Fanout {
    /// Measures all of it, in rounds: what disturbs the machine for a while
    /// disturbs all alike. Each round begins with another contender.
    pub fn measure(
        options: &Options,
        programs: &Programs,
        contenders: &[Contender],
        faults: &mut Vec<String>,
    ) -> Self {
        let mut fanout = Self::default();
        let mut order = contenders.to_vec();
        let mut events = BTreeMap::new();
        let mut failures: BTreeMap<Cell, u64> = BTreeMap::new();
        for round in 1..=options.rounds {
            for &connections in &options.connections {
                for pace in [Pace::Paced, Pace::Saturated] {
                    println!("\n== round {round}: {connections} subscribers, {pace:?}");
                    for &contender in &order {
                        let failed = failures.entry((contender.key, connections, pace));
                        let failed = failed.or_default();
                        if *failed >= GIVEN_UP {
                            continue;
                        }
                        let run = Run {
                            options,
                            programs,
                            contender,
                            connections,
                        };
                        if let Err(error) = fanout.one(&run, pace, &mut events) {
                            println!("{:30} {error}", contender.name);
                            faults.push(format!("{}: {error}", contender.name));
                            *failed += 1;
                        }
                    }
                }
            }
            if !order.is_empty() {
                order.rotate_left(1);
            }
        }
        fanout.sort_flaws(options, faults);
        fanout
    }

    fn one(
        &mut self,
        run: &Run<'_>,
        pace: Pace,
        events: &mut BTreeMap<Cell, u64>,
    ) -> Result<(), String> {
        let cell = (run.contender.key, run.connections, pace);
        let number = match (pace, events.get(&cell)) {
            (Pace::Paced, _) => (run.pace() * run.options.seconds).div_ceil(run.connections),
            (Pace::Saturated, Some(number)) => *number,
            (Pace::Saturated, None) => {
                let number = run.find_number()?;
                events.insert(cell, number);
                number
            }
        };
        let server = Server::start(&run.contender, run.programs, &[])?;
        let measured = run.load(&server, pace, number)?;
        println!("{:30} {}", run.contender.name, line(&measured, pace));
        if let Some(flaw) = measured.flaw(run.contender.lossy) {
            let place = format!("{} at {}, {pace:?}", run.contender.name, run.connections);
            *self
                .flaws
                .entry(format!("{place}: {}", flaw.0))
                .or_default() += 1;
        }
        self.cells.entry(cell).or_default().push(measured);
        Ok(())
    }

    /// What goes wrong with others is for the page. With the hub, the floor, or
    /// as little as a quick run asks for, it is a fault.
    fn sort_flaws(&self, options: &Options, faults: &mut Vec<String>) {
        for (flaw, times) in &self.flaws {
            let ours = ["Tidings", "floor"].iter().any(|own| flaw.starts_with(own));
            if ours || options.quick {
                faults.push(format!("{flaw} ({times}×)"));
            }
        }
    }

    /// At how many subscribers it was measured.
    pub fn connections(&self) -> impl Iterator<Item = u64> {
        self.cells.keys().map(|(_, connections, _)| *connections)
    }

    /// A figure of `tidings bench`, over the rounds.
    pub fn figure(&self, cell: Cell, pointer: &str) -> Option<Spread> {
        let measured = self.cells.get(&cell)?;
        Spread::of(measured.iter().map(|one| one.number(pointer)))
    }

    /// As [`Fanout::figure`], of something that is computed.
    pub fn computed(&self, cell: Cell, of: impl Fn(&Measured) -> f64) -> Option<Spread> {
        Spread::of(self.cells.get(&cell)?.iter().map(of))
    }

    /// The floor's figure: of its two forms the one that is harder to match.
    pub fn floor(&self, connections: u64, pace: Pace, pointer: &str) -> Option<f64> {
        let forms = [FLOOR, FLOOR_CORES].into_iter();
        let figures = forms.filter_map(|key| self.figure((key, connections, pace), pointer));
        let medians = figures.map(|figure| figure.median);
        match pointer {
            RATE => medians.max_by(f64::total_cmp),
            _ => medians.min_by(f64::total_cmp),
        }
    }

    /// How many times the floor's figure it is.
    pub fn ratio(&self, cell: Cell, pointer: &str) -> Option<f64> {
        let (_, connections, pace) = cell;
        let floor = self.floor(connections, pace, pointer)?;
        let own = self.figure(cell, pointer)?.median;
        (floor > 0.0).then_some(own / floor)
    }
}

/// The figures that are compared.
pub const RATE: &str = "/deliveries_per_second";
/// In microseconds.
pub const CPU: &str = "/server_cpu_us_per_delivery";
/// In milliseconds.
pub const P99: &str = "/latency_ms/p99";
/// In bytes.
pub const MEMORY: &str = "/server_bytes_per_connection";

fn line(measured: &Measured, pace: Pace) -> String {
    let number = |pointer| measured.number(pointer);
    format!(
        "{:>9.0} deliveries/s, {:6.2} µs each, p99 {:8.2} ms, {:6.0} bytes/subscriber, load generator {:.2}{}",
        number(RATE),
        number(CPU),
        number(P99),
        number(MEMORY),
        measured.load(),
        match pace {
            Pace::Saturated => format!(", lost {:.1} %", measured.lost_percent()),
            Pace::Paced => String::new(),
        }
    )
}

impl Run<'_> {
    fn pace(&self) -> u64 {
        self.options.scaled(PACE)
    }

    fn load(&self, server: &Server, pace: Pace, events: u64) -> Result<Measured, String> {
        let mut words = vec!["--connections".to_owned(), self.connections.to_string()];
        words.extend(["--events".to_owned(), events.to_string()]);
        let rate = match pace {
            Pace::Paced => self.pace() as f64 / self.connections as f64,
            Pace::Saturated => 0.0,
        };
        words.extend(["--rate".to_owned(), rate.to_string()]);
        words.extend(["--settle".to_owned(), self.options.settle.to_string()]);
        if pace == Pace::Saturated && self.contender.feed == Feed::Ndjson {
            words.extend(["--feed".to_owned(), "ndjson".to_owned()]);
        }
        if self.contender.websocket {
            words.push("--websocket".to_owned());
        }
        let paths = [self.contender.watch, self.contender.publish];
        let limit = PATIENCE + Duration::from_secs(self.options.seconds * 5 + self.options.settle);
        load::run(self.programs, server, paths, &words, limit)
    }

    /// How many events take about as long as is asked for: nobody knows before.
    fn find_number(&self) -> Result<u64, String> {
        let server = Server::start(&self.contender, self.programs, &[])?;
        let wanted = self.options.seconds as f64;
        let mut number = FIRST_TRY;
        for _ in 0..TRIES {
            let took = self
                .load(&server, Pace::Saturated, number)?
                .number("/seconds");
            let growth = (wanted / took.max(1e-3)).min(GROWTH);
            let next = ((number as f64 * growth) as u64).clamp(FIRST_TRY, MOST);
            if took >= wanted / 2.0 || next == number {
                return Ok(next);
            }
            number = next;
        }
        Ok(number)
    }
}

#[cfg(test)]
mod tests {
    use super::super::contender::TIDINGS;
    use super::*;
    use serde_json::json;

    fn fanout(figures: &[(&'static str, f64, f64)]) -> Fanout {
        let mut fanout = Fanout::default();
        for (key, rate, cpu) in figures {
            let value = json!({"deliveries_per_second": rate, "server_cpu_us_per_delivery": cpu});
            let cell = (*key, 5000, Pace::Paced);
            fanout
                .cells
                .entry(cell)
                .or_default()
                .push(Measured::of(value));
        }
        fanout
    }

    #[test]
    fn ratios_are_to_the_harder_floor() {
        let fanout = fanout(&[
            (FLOOR, 100.0, 4.0),
            (FLOOR_CORES, 150.0, 5.0),
            (TIDINGS, 200.0, 5.0),
            (TIDINGS, 300.0, 4.0),
            (TIDINGS, 400.0, 6.0),
        ]);
        let cell = (TIDINGS, 5000, Pace::Paced);
        assert_eq!(fanout.ratio(cell, RATE), Some(2.0));
        assert_eq!(fanout.ratio(cell, CPU), Some(1.25));
        assert_eq!(fanout.ratio((TIDINGS, 2000, Pace::Paced), CPU), None);
        assert_eq!(fanout.ratio(cell, P99), None);
    }
}
