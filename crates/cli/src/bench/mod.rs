//! `tidings bench`: subscribers and publishers for any SSE server, and what
//! they saw: how much, how late, what was lost, and what it cost the server.

mod http2;
mod payload;
mod process;
mod publish;
mod receive;
mod report;
mod resume;
mod stalled;
mod subscribers;
mod tally;
mod target;
mod websocket;

use crate::{Failure, print, request};
use http::{HeaderMap, HeaderName, HeaderValue};
use payload::Payload;
use process::{Most, Process, Usage};
use publish::{Feed, Published, connect, publish};
use receive::{Carrier, Fault};
use report::Report;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use subscribers::Subscribers;
use tally::{Spread, Tally};
use target::Target;

/// How often progress is looked at.
const TICK: Duration = Duration::from_millis(100);
/// How long subscribers may take to be there, without one more coming.
const CONNECT_PATIENCE: Duration = Duration::from_secs(30);
/// How long the server has for what it does once subscribers are there.
const SETTLE: Duration = Duration::from_secs(1);
/// Descriptors for everything but subscribers.
const SPARE_DESCRIPTORS: u64 = 128;

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct BenchArgs {
    /// The stream to subscribe to; {} in it is replaced by the topic's number
    #[arg(long, value_name = "URL")]
    subscribe: String,
    /// Where to publish; {} as above
    #[arg(long, value_name = "URL")]
    publish: String,
    /// How many subscribers
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = positive)]
    connections: usize,
    /// How many events are published in all
    #[arg(long, value_name = "M", default_value_t = 1000)]
    events: u64,
    /// Events per second; 0 publishes as fast as the server takes them
    #[arg(long, value_name = "R", default_value_t = 100.0, value_parser = rate)]
    rate: f64,
    /// Bytes of an event's data
    #[arg(long, value_name = "B", default_value_t = 120, value_parser = clap::value_parser!(u32).range(..=1 << 24))]
    size: u32,
    /// How many publishers [default: 1, or 16 with --rate 0 and POSTs]
    #[arg(long, value_name = "K", value_parser = positive)]
    publishers: Option<usize>,
    /// How many topics the events, and the subscribers, are spread over in turn
    #[arg(long, value_name = "T", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    topics: u64,
    /// How events are published
    #[arg(long, value_enum, default_value_t = Feed::Post)]
    feed: Feed,
    /// With POSTs: how many a publisher sends before it waits for their answers
    #[arg(long, value_name = "P", default_value_t = 1, value_parser = positive)]
    pipeline: usize,
    /// With --feed ndjson: the topic that each event names, with {} as above
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// A header of every request; may be given more than once
    #[arg(long, value_name = "NAME:VALUE")]
    header: Vec<String>,
    /// Subscribe over HTTP/2 (without TLS)
    #[arg(long)]
    http2: bool,
    /// With --http2: streams on each connection
    #[arg(long, value_name = "S", default_value_t = 100, value_parser = positive)]
    streams: usize,
    /// Subscribe over WebSocket, each text frame an event's data: to compare
    #[arg(long, conflicts_with_all = ["http2", "resume"])]
    websocket: bool,
    /// So many further subscribers that never read
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "http2")]
    stalled: usize,
    /// Publish before the subscribers come, all at once, with the Last-Event-ID
    /// from before the first event: how long it takes until each has everything
    #[arg(long)]
    resume: bool,
    /// The server's process, if it runs on this machine: its processor time per
    /// delivery and its memory per subscriber are measured, its children's too
    #[arg(long)]
    pid: Option<u32>,
    /// Seconds for which the subscribers are idle before the server's memory with
    /// them is read
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 1,
        conflicts_with = "resume"
    )]
    settle: u64,
    /// Seconds to wait for events once nothing comes any more
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    grace: u64,
    /// One JSON object instead of lines
    #[arg(long)]
    json: bool,
}

fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("must be a number from 1 on".into()),
        Ok(number) => Ok(number),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (0.0..=1e9).contains(&rate) => Ok(rate),
        _ => Err("must be a number from 0 to 1e9".into()),
    }
}

/// What all threads of a run share.
pub struct Run {
    connections: usize,
    spread: Spread,
    subscribe: Target,
    publish: Target,
    payload: Payload,
    rate: f64,
    feed: Feed,
    pipeline: usize,
    topic: Option<String>,
    headers: HeaderMap,
    carrier: Carrier,
    /// What subscribers send as `Last-Event-ID`.
    resume_from: OnceLock<String>,
    server: Option<Process>,
    most: Most,
    began: Instant,
    /// When publishing began, in nanoseconds since `began`.
    start: OnceLock<u64>,
    /// With `--resume`, when the subscribers began to come.
    back: OnceLock<u64>,
    over: AtomicBool,
    open: AtomicUsize,
    published: AtomicU64,
    delivered: AtomicU64,
    faults: Mutex<BTreeMap<String, u64>>,
}

impl Run {
    fn new(args: &BenchArgs) -> Result<Self, Failure> {
        let default_publishers = match (args.rate, args.feed) {
            (0.0, Feed::Post) => 16,
            _ => 1,
        };
        let publishers = args.publishers.unwrap_or(default_publishers);
        Ok(Self {
            connections: args.connections,
            spread: Spread {
                publishers,
                topics: args.topics,
                each: args.events.div_ceil(publishers as u64),
            },
            subscribe: Target::new(&args.subscribe).map_err(Failure::usage)?,
            publish: Target::new(&args.publish).map_err(Failure::usage)?,
            // Two runs at once are two processes.
            payload: Payload::new(std::process::id(), args.size as usize),
            rate: args.rate,
            feed: args.feed,
            pipeline: args.pipeline,
            topic: args.topic.clone(),
            headers: request::headers(&args.header)?,
            carrier: match args.websocket {
                true => Carrier::WebSocket,
                false => Carrier::EventStream,
            },
            resume_from: OnceLock::new(),
            server: args.pid.map(Process),
            most: Most::default(),
            began: Instant::now(),
            start: OnceLock::new(),
            back: OnceLock::new(),
            over: AtomicBool::new(false),
            open: AtomicUsize::new(0),
            published: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            faults: Mutex::default(),
        })
    }

    /// Nanoseconds since the run began.
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn start(&self) -> u64 {
        *self.start.get_or_init(|| self.now())
    }

    /// The lines of the user's headers.
    fn header_lines(&self) -> String {
        let line = |(name, value): (&HeaderName, &HeaderValue)| {
            // As UTF-8, which the command line is.
            let value = String::from_utf8_lossy(value.as_bytes());
            format!("{name}: {value}\r\n")
        };
        self.headers.iter().map(line).collect()
    }

    /// The line of a request that resumes, if it does.
    fn resuming(&self) -> String {
        let line = |id: &String| format!("Last-Event-ID: {id}\r\n");
        self.resume_from.get().map(line).unwrap_or_default()
    }

    /// Nothing received yet.
    fn tally(&self) -> Tally {
        Tally::new(self.spread, self.back.get().copied().unwrap_or(0))
    }

    fn report(&self, fault: &Fault) {
        self.report_text(&fault.text());
    }

    fn report_text(&self, text: &str) {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        *faults.entry(text.to_owned()).or_default() += 1;
    }

    fn faults(&self) -> Vec<String> {
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let line = |(text, times): (&String, &u64)| format!("{text} ({times}×)");
        faults.iter().map(line).collect()
    }

    fn has_faults(&self) -> bool {
        !self
            .faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_empty()
    }
}

/// Runs the benchmark and prints what it measured. The command fails if an
/// event was lost, came twice or out of order, or a subscriber was not held.
pub fn run(args: &BenchArgs) -> Result<(), Failure> {
    let run = Arc::new(Run::new(args)?);
    check_descriptors(args).map_err(Failure::usage)?;
    let report = measure(args, &run).map_err(Failure::runtime)?;
    match args.json {
        true => print(&format!("{}\n", report.to_json()))?,
        false => print(&report.to_text())?,
    }
    match report.is_clean() {
        true => Ok(()),
        false => Err(Failure::runtime(
            "bench: not every subscriber was held and got every event once and in order",
        )),
    }
}

fn measure(args: &BenchArgs, run: &Arc<Run>) -> Result<Report, String> {
    let usage = || -> Result<Option<Usage>, String> {
        let read = |process: Process| {
            process
                .usage()
                .map_err(|error| format!("the server's process can't be read: {error}"))
        };
        run.server.map(read).transpose()
    };
    let grace = Duration::from_secs(args.grace);
    let mut earlier = None;
    if args.resume {
        let _ = run.resume_from.set(resume::position(run)?);
        earlier = Some(join(run, start_publishers(run)));
    }
    let before = usage()?;
    let own_before = Process::own_cpu();
    let connecting = Instant::now();
    if args.resume {
        let _ = run.back.set(run.now());
    }
    let stalled = stalled::connect(run, args.stalled)?;
    let reader = subscribe(args, run)?;
    wait_for_subscribers(run);
    let connect_seconds = connecting.elapsed().as_secs_f64();
    if earlier.is_none() {
        thread::sleep(Duration::from_secs(args.settle));
    }
    let with = usage()?;
    let own_with = Process::own_cpu();
    let held_with = run.open.load(Ordering::Relaxed) + stalled.len();
    let publishers = match earlier {
        None => start_publishers(run),
        Some(_) => Vec::new(),
    };
    wait_for_deliveries(run, &publishers, grace);
    let published = earlier.unwrap_or_else(|| join(run, publishers));
    // A server that has ended meanwhile is a finding, not the end of the report.
    let after = usage().unwrap_or_else(|error| {
        run.report_text(&error);
        None
    });
    let held = run.open.load(Ordering::Relaxed);
    let own = Process::own_cpu();
    drop(stalled);
    run.over.store(true, Ordering::Relaxed);
    let tally = reader.join().map_err(|_| "the reading thread failed")??;
    Ok(Report {
        connections: run.connections,
        held,
        connect_seconds,
        expected: tally.expected(run.connections as u64),
        tally,
        published,
        usage: match (before, with, after) {
            (Some(before), Some(with), Some(after)) => Some([before, with, after]),
            _ => None,
        },
        most: run.most.bytes(),
        own_cpu: own.saturating_sub(match args.resume {
            true => own_before,
            false => own_with,
        }),
        back: run.back.get().copied(),
        held_with,
        faults: run.faults(),
    })
}

fn subscribe(
    args: &BenchArgs,
    run: &Arc<Run>,
) -> Result<JoinHandle<Result<Tally, String>>, String> {
    let shared = Arc::clone(run);
    if args.http2 {
        let streams = args.streams;
        return Ok(thread::spawn(move || http2::read(&shared, streams)));
    }
    let subscribers = Subscribers::connect(run)?;
    Ok(thread::spawn(move || Ok(subscribers.read(&shared))))
}

fn wait_for_subscribers(run: &Run) {
    let (mut last, mut moved) = (0, Instant::now());
    loop {
        let open = run.open.load(Ordering::Relaxed);
        show(&format!("{open} of {} subscribers", run.connections));
        if open >= run.connections || moved.elapsed() > CONNECT_PATIENCE {
            return;
        }
        if open > last {
            (last, moved) = (open, Instant::now());
        } else if run.has_faults() && moved.elapsed() > SETTLE {
            return;
        }
        thread::sleep(TICK);
    }
}

/// A publisher at work, and what comes of it.
type Publishing = JoinHandle<(Published, std::io::Result<()>)>;

/// Begins to publish.
fn start_publishers(run: &Arc<Run>) -> Vec<Publishing> {
    // Their time begins when they are there.
    let streams: Vec<_> = (0..run.spread.publishers).map(|_| connect(run)).collect();
    run.start();
    let mut publishers = Vec::new();
    for (publisher, stream) in streams.into_iter().enumerate() {
        match stream {
            Ok(stream) => {
                let run = Arc::clone(run);
                publishers.push(thread::spawn(move || publish(&run, publisher, stream)));
            }
            Err(error) => run.report_text(&format!("a publisher can't connect: {error}")),
        }
    }
    publishers
}

/// Waits for the publishers; what they did together.
fn join(run: &Run, publishers: Vec<Publishing>) -> Published {
    let mut all = Published::default();
    for publisher in publishers {
        let Ok((one, outcome)) = publisher.join() else {
            run.report_text("a publisher's thread failed");
            continue;
        };
        all.events += one.events;
        all.first = all.first.into_iter().chain(one.first).min();
        all.last = all.last.max(one.last);
        all.late = all.late.max(one.late);
        if let Err(error) = outcome {
            run.report_text(&format!("a publisher failed: {error}"));
        }
    }
    all
}

/// Until the publishers have ended and all was received, or nothing came for
/// `grace`.
fn wait_for_deliveries<T>(run: &Run, publishers: &[JoinHandle<T>], grace: Duration) {
    let expected = run.tally().expected(run.connections as u64);
    let total = run.spread.each * run.spread.publishers as u64;
    let (mut last, mut moved) = (0, Instant::now());
    let mut looked = Instant::now();
    loop {
        if let Some(server) = run.server.filter(|_| looked.elapsed() >= TICK) {
            run.most.look(server);
            looked = Instant::now();
        }
        let delivered = run.delivered.load(Ordering::Relaxed);
        let sent = run.published.load(Ordering::Relaxed);
        show(&format!(
            "{sent} of {total} events sent, {delivered} of {expected} deliveries"
        ));
        let done = publishers.iter().all(JoinHandle::is_finished);
        if delivered > last || !done {
            (last, moved) = (delivered, Instant::now());
        }
        if done && (delivered >= expected || moved.elapsed() > grace) {
            break;
        }
        thread::sleep(TICK / 10);
    }
    show("");
}

/// Progress, on a terminal only.
fn show(line: &str) {
    let mut terminal = std::io::stderr();
    if terminal.is_terminal() {
        let _ = write!(terminal, "\r\x1b[K{line}");
        let _ = terminal.flush();
    }
}

/// As many descriptors as the connections need, as far as the system allows.
fn check_descriptors(args: &BenchArgs) -> Result<(), String> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let connections = match args.http2 {
        true => args.connections.div_ceil(args.streams),
        false => args.connections + args.stalled,
    };
    let needed = connections as u64 + SPARE_DESCRIPTORS;
    let limit = getrlimit(Resource::Nofile);
    let enough = |limit: Option<u64>| limit.is_none_or(|limit| needed <= limit);
    if enough(limit.current) {
        return Ok(());
    }
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if enough(limit.maximum) && setrlimit(Resource::Nofile, raised).is_ok() {
        return Ok(());
    }
    let limit = limit.maximum.unwrap_or(u64::MAX);
    Err(format!(
        "bench: {connections} connections need more descriptors than this process may have \
         ({limit}); raise the limit (ulimit -Hn) or ask for fewer"
    ))
}
