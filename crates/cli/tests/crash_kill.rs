//! `kill -9` at random moments of a publish burst, of a start and of a drain
//! (promises P2, P6, P7): nothing that was acknowledged is lost, nothing comes
//! twice or out of order, and everyone agrees on what was in doubt.
//!
//! `TIDINGS_KILLS` says how often (100), `TIDINGS_SEED` which random choices.

mod crowd;

use crowd::{Begins, Crowd, END_EVENT, Notes, Plan, TOPICS};
use fastrand::Rng;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tidings_sim::{Chain, History, Outcome, Published, Step};
use tidings_testkit::{HubProcess, Launch};

const PUBLISHERS: u32 = 6;
/// A history is checked after so many kills, and another begun.
const KILLS_PER_HISTORY: u32 = 100;
/// Segments are a sixteenth of this long: several are filled, none is dropped.
const RETENTION_BYTES: &str = "64MiB";
/// How long a hub serves before it is killed at most.
const LIFE: Duration = Duration::from_millis(60);
const DRAIN: Duration = Duration::from_millis(40);

const WATCHERS: [Plan; 7] = {
    let plan = Plan {
        selection: &["orders/1"],
        topics: 1,
        begins: Begins::Live,
        envelope: false,
        http_1_0: false,
    };
    [
        plan,
        Plan {
            selection: &["orders/*"],
            topics: 2,
            http_1_0: true,
            ..plan
        },
        Plan {
            selection: &["**"],
            topics: 5,
            ..plan
        },
        Plan {
            selection: &["**"],
            topics: 5,
            envelope: true,
            http_1_0: true,
            ..plan
        },
        Plan {
            selection: &["news", "orders/**"],
            topics: 4,
            begins: Begins::Last(10),
            http_1_0: true,
            ..plan
        },
        Plan {
            selection: &["chat/*/room"],
            topics: 1,
            envelope: true,
            ..plan
        },
        Plan {
            selection: &["**"],
            topics: 5,
            begins: Begins::EarliestEachTime,
            http_1_0: true,
            ..plan
        },
    ]
};

#[test]
fn f1_kill_9_at_random_moments_loses_doubles_and_reorders_nothing() {
    let number = |name, default| match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name} is no number")),
        Err(_) => default,
    };
    let seed = number("TIDINGS_SEED", fastrand::u64(..));
    let mut left = number("TIDINGS_KILLS", KILLS_PER_HISTORY.into()) as u32;
    eprintln!("TIDINGS_SEED={seed} TIDINGS_KILLS={left}");
    let mut rng = Rng::with_seed(seed);
    while left > 0 {
        let kills = left.min(KILLS_PER_HISTORY);
        check_history(kills, &mut rng);
        left -= kills;
    }
}

fn check_history(kills: u32, rng: &mut Rng) {
    let dir = tempfile::tempdir().expect("a directory");
    // An address of this test's own, or another test could take the port
    // while the hub is down.
    let listen = format!(
        "127.{}.{}.{}:0",
        rng.u8(1..255),
        rng.u8(1..255),
        rng.u8(1..255)
    );
    let mut launch = Launch::new(env!("CARGO_BIN_EXE_tidings"), dir.path())
        .listen(listen)
        .env("TIDINGS_RETENTION_BYTES", RETENTION_BYTES)
        .env("TIDINGS_DRAIN_WINDOW", format!("{}ms", DRAIN.as_millis()));
    let hub = launch.start();
    let address = hub.address();
    launch = hub.kill();
    let crowd = Crowd::new(address);
    let (notes, chains) = std::thread::scope(|scope| {
        let crowd = &crowd;
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|number| (number, rng.u64(..)))
            .map(|(number, seed)| scope.spawn(move || crowd::publish(crowd, number, seed)))
            .collect();
        let watchers = WATCHERS.map(|plan| scope.spawn(move || crowd::watch(crowd, plan)));
        let mut starts = Starts::default();
        for _ in 0..kills {
            live_and_die(&launch, crowd, &mut starts, rng);
        }
        let hub = starts.start(&launch);
        crowd.hub_is_up(true);
        let mut notes: Vec<Notes> = publishers
            .into_iter()
            .map(|p| p.join().expect("a publisher"))
            .collect();
        notes.push(publish_the_end(crowd, address));
        let chains: Vec<Chain> = watchers
            .into_iter()
            .flat_map(|w| w.join().expect("a watcher"))
            .collect();
        check_log(&hub);
        eprintln!("{kills} kills; {starts}");
        (notes, chains)
    });
    let batches: Vec<_> = notes.iter().map(|notes| notes.batches.clone()).collect();
    let published = notes
        .into_iter()
        .flat_map(|notes| notes.published)
        .collect();
    let history = crowd::history(published, chains);
    check_covers(&history);
    let violations = tidings_sim::check(&history);
    let told: Vec<String> = violations
        .iter()
        .take(10)
        .map(ToString::to_string)
        .collect();
    assert!(
        violations.is_empty(),
        "{} violations: {told:#?}",
        violations.len()
    );
    check_batches(&history, &batches);
}

/// One life of the hub, from its start to its kill.
fn live_and_die(launch: &Launch, crowd: &Crowd, starts: &mut Starts, rng: &mut Rng) {
    let moment = |up_to: Duration, rng: &mut Rng| {
        std::thread::sleep(Duration::from_micros(
            rng.u64(..up_to.as_micros().max(1) as u64),
        ));
    };
    let kind = rng.u8(..10);
    if kind == 0 {
        // While it starts, which includes its recovery.
        let mut child = launch.command().spawn().expect("the binary can be started");
        moment(starts.longest, rng);
        child.kill().expect("a child");
        child.wait().expect("a child that can be waited for");
        return;
    }
    let hub = starts.start(launch);
    crowd.hub_is_up(false);
    match kind {
        // Before or while the first connections come.
        1 => moment(Duration::from_millis(3), rng),
        2 => {
            moment(LIFE, rng);
            hub.terminate();
            moment(DRAIN, rng);
        }
        _ => {
            crowd.wait_for_answers(rng.u64(1..20));
            moment(LIFE, rng);
        }
    }
    check_log(&hub);
    hub.kill();
    crowd.hub_is_gone();
}

/// A crash may tear what nobody was promised, and an index that was not yet
/// written is made anew; anything else would be damage.
fn check_log(hub: &HubProcess) {
    let log = hub.log();
    for sign in [
        "panicked",
        "are lost",
        "set aside",
        "are missing",
        "can't be read",
    ] {
        assert!(!log.contains(sign), "{sign:?} in the hub's log: {log}");
    }
}

/// One event to each topic, by which each watcher knows that it has everything.
fn publish_the_end(crowd: &Crowd, address: SocketAddr) -> Notes {
    let mut http = tidings_testkit::Http::connect(address);
    let mut notes = Notes::default();
    for (number, topic) in TOPICS.iter().enumerate() {
        let data = format!("the end of {topic}");
        let called = crowd.now();
        let path = format!("/t/{topic}?event={END_EVENT}");
        let answer = http.request("POST", &path, &[], data.as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.text());
        let id = answer.json()["id"].as_str().expect("an id").to_owned();
        notes.published.push(Published {
            publisher: PUBLISHERS,
            number: number as u64,
            topic: (*topic).to_owned(),
            event_type: Some(END_EVENT.to_owned()),
            data,
            called,
            outcome: Outcome::Acked {
                id,
                at: crowd.now(),
            },
            expires: None,
            reopens: false,
        });
    }
    notes
}

/// The history must have been a hard one, or the checker had nothing to do.
fn check_covers(history: &History) {
    let unknown = history
        .published
        .iter()
        .filter(|p| p.outcome == Outcome::Unknown)
        .count();
    let steps = || history.chains.iter().flat_map(|chain| &chain.steps);
    let lost = steps().filter(|step| **step == Step::Disconnected).count();
    let received = steps()
        .filter(|step| matches!(step, Step::Event { .. }))
        .count();
    eprintln!(
        "{} attempts to publish, {unknown} of them in doubt; {} chains, {lost} connections, {received} events",
        history.published.len(),
        history.chains.len(),
    );
    assert!(unknown > 0 && lost > WATCHERS.len() && received > history.published.len());
    assert!(
        !steps().any(|step| matches!(step, Step::Gap { .. })),
        "a gap was declared"
    );
}

/// An array is published as a whole or not at all, also when its publisher
/// never learnt which.
fn check_batches(history: &History, batches: &[Vec<std::ops::Range<u64>>]) {
    let delivered: HashSet<&str> = history
        .chains
        .iter()
        .flat_map(|chain| &chain.steps)
        .filter_map(|step| match step {
            Step::Event { data, .. } => Some(data.as_str()),
            _ => None,
        })
        .collect();
    let mut there: HashSet<(u32, u64)> = HashSet::new();
    for attempt in &history.published {
        if delivered.contains(attempt.data.as_str()) {
            there.insert((attempt.publisher, attempt.number));
        }
    }
    for (publisher, batches) in (0..).zip(batches) {
        for batch in batches {
            let count = batch
                .clone()
                .filter(|number| there.contains(&(publisher, *number)))
                .count();
            assert!(
                count == 0 || count == batch.clone().count(),
                "{count} events of batch {batch:?} of publisher {publisher} were published"
            );
        }
    }
}

/// How long the starts took, for people.
#[derive(Default)]
struct Starts {
    count: u32,
    sum: Duration,
    longest: Duration,
}

impl Starts {
    fn start(&mut self, launch: &Launch) -> HubProcess {
        let begin = Instant::now();
        let hub = launch.start();
        let took = begin.elapsed();
        self.count += 1;
        self.sum += took;
        self.longest = self.longest.max(took);
        hub
    }
}

impl std::fmt::Display for Starts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mean = self.sum / self.count.max(1);
        write!(
            f,
            "{} starts, {mean:?} on average, {:?} at most",
            self.count, self.longest
        )
    }
}
