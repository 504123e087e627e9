//! The page of the guide.

use super::Results;
use super::contender::{Contender, FLOOR, FLOOR_CORES, Feed, TIDINGS};
use super::fanout::{CPU, MEMORY, P99, PACE, Pace, RATE};
use super::options::Options;
use super::stats::{Spread, exact, shown};
use super::target::judged_at;
use std::fmt::Write as _;

const INTRO: &str = "\
# The hub beside others

`cargo xtask compare` measures the hub beside servers that do the same work, in turn and in the same minutes, and
writes this page; nothing on it is edited by hand. Ratios travel from one machine to another, the figures themselves
don't. What they were measured with, and what they leave out, is said below.
";

const WHO: &str = "
## Who is compared

| | what it is |
| --- | --- |
| floor, one thread | what the system calls alone cost: for each event one `send` of the same ready bytes to each subscriber. It keeps no history, looks nothing up, and waits for whoever is slow. One thread sends; one more accepts, and one reads each publisher |
| floor, a thread per core | the same, with as many sending threads as cores, each with its share of the subscribers |
| Tidings | the release build with its defaults: each event is on disk, synced, before it is delivered |
| axum `Sse`, tokio broadcast | `Sse` over a `tokio::sync::broadcast` with room for 1,024 events; what a subscriber is too slow for is lost to it |
| Node, better-sse | a channel of better-sse on Node's `http`, one process |
| nginx, nchan | a worker per core, an event buffer that holds the whole run, in memory |
| WebSocket, tokio-tungstenite | a task per subscriber over the same broadcast as axum's; what waits for a subscriber is flushed at once. The library's default is a read buffer of 128 KiB for each |

Only Tidings writes events to a disk. The sources are in `benches/compare`; none is tuned beyond what is said here.
";

const HOW: &str = "
## How it is measured

`tidings bench` is the load generator for all of them, in a process of its own, over HTTP/1.1 on the loopback
address; [cli.md](../cli.md) says what each figure means. It shares the processors with the server it measures, and
one thread of it reads everything: where its share of a core comes near to 1, it is the bound and not the server, so
that the server's rate is a lower limit. Events carry 120 bytes of data; what a server puts around them differs.

- **Paced**: events at such a rate that all subscribers together get 50,000 a second, each published with a `POST` of
  its own. Latency is counted from when an event was due. An event is sent to all subscribers one after another, so
  p99 is about how long the whole fan-out of one event takes, on whatever the load generator leaves of the machine.
- **Saturated**: events as fast as they are taken: as NDJSON on one connection, or as `POST`s on 16 where the server
  has nothing like it (nchan) or would lose most of what comes without waiting for an answer (the broadcasts). Latency would only tell how long the run was. A server that writes once for all events
  that wait for a subscriber wins most here, and this is the load at which that pays; see the paced rows for what it
  costs when nothing waits. The number of events is chosen so that a run takes about as long for each.
- **Processor time** is that of the server's process and its children, in user and kernel mode, per event received.
- **Memory** is what the process has of its own (`RssAnon`) with idle subscribers, less what it had without, for each
  of them. The kernel's socket buffers are not in it, nor is what processes share (nchan keeps events there). Each run
  has a new server.

Contenders take turns within a round, and each round begins with another. Figures are medians of the rounds, with the
least and the most in brackets. Ratios are to that form of the floor which is harder to match, figure by figure.
";

/// All of it.
pub fn page(options: &Options, results: &Results) -> String {
    let mut page = INTRO.to_owned();
    conditions(&mut page, options, results);
    targets(&mut page, results);
    if options.has(super::Part::Fanout) {
        page.push_str("\n![Processor time, latency, rate and memory of each](compare.svg)\n");
        for pace in [Pace::Paced, Pace::Saturated] {
            fanout(&mut page, options, results, pace);
        }
        websocket(&mut page, options, results);
    }
    scenarios(&mut page, results);
    page.push_str(WHO);
    page.push_str(HOW);
    page
}

/// On what, when and how often it was measured.
pub fn conditions(page: &mut String, options: &Options, results: &Results) {
    let machine = &results.machine;
    let _ = write!(
        page,
        "\nMeasured on {} on {}, with a load average of {} before it began, {} files per process; {} rounds of about \
         {} s for each figure. {}. Others: {}.\n",
        machine.date,
        machine.hardware,
        machine.load_average,
        exact(machine.descriptors as f64),
        options.rounds,
        options.seconds,
        machine.hub,
        machine.versions.join(", ")
    );
    if options.quick {
        page.push_str("\nA quick run of debug builds: its figures mean nothing.\n");
    }
}

fn targets(page: &mut String, results: &Results) {
    page.push_str(
        "\n## What is to be reached\n\n| | measured | to reach | |\n| --- | --- | --- | --- |\n",
    );
    for target in &results.targets {
        let _ = writeln!(page, "| {} |", target.cells().join(" | "));
    }
}

fn fanout(page: &mut String, options: &Options, results: &Results, pace: Pace) {
    let (title, heads) = match pace {
        Pace::Paced => (
            format!(
                "Paced: {} deliveries a second",
                exact(options.scaled(PACE) as f64)
            ),
            "| | µs of processor per delivery | × floor | p50, ms | p99, ms | × floor | bytes per idle subscriber |",
        ),
        Pace::Saturated => (
            "Saturated".to_owned(),
            "| | deliveries/s | × floor | µs of processor per delivery | lost | load generator's share of a core | fed by |",
        ),
    };
    let _ = writeln!(page, "\n## {title}");
    for connections in &options.connections {
        let _ = writeln!(page, "\n{} subscribers:\n", exact(*connections as f64));
        let _ = writeln!(page, "{heads}\n| --- | --- | --- | --- | --- | --- | --- |");
        for contender in &results.contenders {
            if let Some(row) = row(results, contender, *connections, pace) {
                let _ = writeln!(page, "| {} | {} |", contender.name, row.join(" | "));
            }
        }
    }
    let own = |(flaw, _): &(&String, &u64)| flaw.contains(&format!("{pace:?}"));
    let flaws: Vec<_> = results.fanout.flaws.iter().filter(own).collect();
    if !flaws.is_empty() {
        page.push_str("\nWhat went wrong:\n\n");
        for (flaw, times) in flaws {
            let _ = writeln!(page, "- {flaw} ({times}×)");
        }
    }
}

fn row(
    results: &Results,
    contender: &Contender,
    connections: u64,
    pace: Pace,
) -> Option<Vec<String>> {
    let cell = (contender.key, connections, pace);
    let fanout = &results.fanout;
    let figure = |pointer| fanout.figure(cell, pointer).map_or("—".to_owned(), spread);
    let ratio = |pointer| match contender.key {
        FLOOR | FLOOR_CORES => String::new(),
        _ => fanout.ratio(cell, pointer).map_or("—".to_owned(), shown),
    };
    fanout.figure(cell, RATE)?;
    Some(match pace {
        Pace::Paced => vec![
            figure(CPU),
            ratio(CPU),
            figure("/latency_ms/p50"),
            figure(P99),
            ratio(P99),
            figure(MEMORY),
        ],
        Pace::Saturated => vec![
            figure(RATE),
            ratio(RATE),
            figure(CPU),
            fanout
                .computed(cell, super::load::Measured::lost_percent)
                .map_or("—".to_owned(), |lost| format!("{} %", shown(lost.median))),
            fanout
                .computed(cell, super::load::Measured::load)
                .map_or("—".to_owned(), |load| shown(load.median)),
            match contender.feed {
                Feed::Ndjson => "NDJSON",
                Feed::Posts => "16 × POST",
            }
            .to_owned(),
        ],
    })
}

/// The median, with the least and the most where they differ.
pub fn spread(spread: Spread) -> String {
    let [median, least, most] = [spread.median, spread.least, spread.most].map(shown);
    match least == most {
        true => median,
        false => format!("{median} ({least}–{most})"),
    }
}

/// What people ask about: the same fan-out in both.
fn websocket(page: &mut String, options: &Options, results: &Results) {
    let at = judged_at(options);
    let fanout = &results.fanout;
    let rows = [
        ("Server-Sent Events, Tidings", TIDINGS),
        ("Server-Sent Events, axum over a broadcast", "axum"),
        ("WebSocket, tokio-tungstenite over a broadcast", "websocket"),
    ];
    if fanout
        .figure(("websocket", at, Pace::Paced), RATE)
        .is_none()
    {
        return;
    }
    let _ = write!(
        page,
        "\n## Server-Sent Events or WebSocket\n\nThe same fan-out of text to {} subscribers, without compression and \
         masks, from the tables above. On the wire an event of 120 bytes has a head of 2 bytes in a WebSocket, and \
         14 in an event stream with its chunk, plus its `id`: what a lost connection resumes from.\n\n\
         | | µs of processor per delivery, paced | p99, ms, paced | deliveries/s, saturated | bytes per idle subscriber |\n\
         | --- | --- | --- | --- | --- |\n",
        exact(at as f64)
    );
    for (name, key) in rows {
        let figure = |pace, pointer| {
            let figure = fanout.figure((key, at, pace), pointer);
            figure.map_or("—".to_owned(), |figure| shown(figure.median))
        };
        let _ = writeln!(
            page,
            "| {name} | {} | {} | {} | {} |",
            figure(Pace::Paced, CPU),
            figure(Pace::Paced, P99),
            figure(Pace::Saturated, RATE),
            figure(Pace::Paced, MEMORY),
        );
    }
}

fn scenarios(page: &mut String, results: &Results) {
    let scenarios = &results.scenarios;
    let mut lines = Vec::new();
    if let Some(topics) = &scenarios.topics {
        lines.push(format!(
            "**A topic for each subscriber.** {} topics with one subscriber each, 100 streams on an HTTP/2 \
             connection, events published as NDJSON in one request, each to the next topic: {} events/s arrive, with \
             the load generator at {} of a core. A further stream of a connection takes {} bytes.",
            exact(topics.subscribers as f64),
            spread(topics.events_per_second),
            shown(topics.load),
            spread(topics.stream_bytes),
        ));
    }
    if let Some(resume) = &scenarios.resume {
        let [subscribers, missed] = resume.subscribers;
        lines.push(format!(
            "**All come back at once.** {} subscribers connect as fast as one thread can open sockets, each with a \
             `Last-Event-ID` that {missed} events follow: all have everything after {} s, and the kernel turned {} \
             connections away.",
            exact(subscribers as f64),
            spread(resume.seconds),
            resume.turned_away,
        ));
    }
    if let Some(stalled) = &scenarios.stalled {
        let ([read, stall], [seconds, rate, size]) = (stalled.subscribers, stalled.load);
        lines.push(format!(
            "**Some don't read.** {} subscribers read {rate} events of {} bytes a second for {seconds} s, {} \
             more read nothing: p99 is {} ms with them and {} ms without, and at most {} MiB more memory is taken.",
            exact(read as f64),
            exact(size as f64),
            exact(stall as f64),
            spread(stalled.p99_with),
            spread(stalled.p99_without),
            shown(stalled.more_bytes.most / f64::from(1 << 20)),
        ));
    }
    if !lines.is_empty() {
        let _ = write!(
            page,
            "\n## Tidings under other loads\n\n{}\n",
            lines.join("\n\n")
        );
    }
}
