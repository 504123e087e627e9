//! Three clients at the same server over loopback, taking turns: events per
//! second and allocations per event, from the request to the last event.
//! Prints the tables of `docs/benchmarks/eventsource.md`:
//! `cargo bench -p tidings-eventsource`.

#[path = "side_by_side/clients.rs"]
mod clients;
#[path = "side_by_side/server.rs"]
mod server;

use clients::CLIENTS;
use server::{Input, Server};
use std::time::{Duration, Instant};

/// How long all clients together take turns at one input.
const PER_INPUT: Duration = Duration::from_secs(10);

fn main() {
    let inputs = Input::all();
    let server = Server::start(&inputs);
    let measured: Vec<(&Input, Vec<Measured>)> = inputs
        .iter()
        .map(|input| (input, take_turns(input, &server)))
        .collect();
    print("1,000 events/s", "our lead", &measured, |one, best| {
        (format!("{:.0}", one.rate / 1e3), one.rate / best.rate)
    });
    print(
        "allocations/event",
        "theirs ÷ ours",
        &measured,
        |one, best| {
            let text = format!("{:.2}", one.allocations);
            (text, best.allocations / one.allocations)
        },
    );
    print(
        "allocated bytes/event",
        "theirs ÷ ours",
        &measured,
        |one, best| {
            let text = format!("{:.0}", one.allocated);
            (text, best.allocated / one.allocated)
        },
    );
}

/// One client at one input.
struct Measured {
    /// Events per second, of the fastest turn.
    rate: f64,
    /// Allocations per event.
    allocations: f64,
    /// Bytes allocated per event.
    allocated: f64,
}

fn take_turns(input: &Input, server: &Server) -> Vec<Measured> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let url = server.url(input);
    let turn = |client: &clients::Client| {
        // As a task, like what an application follows beside other work.
        let read = runtime.spawn((client.read)(&url, input.events));
        let events = runtime.block_on(read).expect("no panic");
        assert_eq!(events, input.events, "{} at {}", client.name, input.name);
    };
    // All of a client happens on this thread, the server's part on another.
    let counts: Vec<_> = CLIENTS
        .iter()
        .map(|client| {
            turn(client);
            allocation_counter::measure(|| turn(client))
        })
        .collect();
    let mut best = [Duration::MAX; CLIENTS.len()];
    let started = Instant::now();
    while started.elapsed() < PER_INPUT {
        for (client, best) in CLIENTS.iter().zip(&mut best) {
            let began = Instant::now();
            turn(client);
            *best = began.elapsed().min(*best);
        }
    }
    let events = input.events as f64;
    let measured = counts.iter().zip(best).map(|(count, best)| Measured {
        rate: events / best.as_secs_f64(),
        allocations: count.count_total as f64 / events,
        allocated: count.bytes_total as f64 / events,
    });
    measured.collect()
}

/// A table of what `value` makes of ours and of a peer: the figure, and the
/// ratio between ours (the first) and that peer's.
fn print(
    title: &str,
    ratio: &str,
    measured: &[(&Input, Vec<Measured>)],
    value: impl Fn(&Measured, &Measured) -> (String, f64),
) {
    let names: Vec<_> = CLIENTS.iter().map(|client| client.name).collect();
    println!("| {title} | {} | {ratio} |", names.join(" | "));
    println!("|---|{}", "---:|".repeat(names.len() + 1));
    for (input, clients) in measured {
        let (ours, peers) = clients.split_first().expect("ours");
        let cells: Vec<_> = clients.iter().map(|one| value(one, one).0).collect();
        let least = peers
            .iter()
            .map(|peer| value(ours, peer).1)
            .fold(f64::INFINITY, f64::min);
        println!("| {} | {} | {least:.2} |", input.name, cells.join(" | "));
    }
    println!();
}
