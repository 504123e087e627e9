//! A hub that is dropped leaves nothing behind.

#![cfg(target_os = "linux")]

use futures_util::StreamExt;
use std::fs;
use std::path::Path;
use std::time::Duration;
use tidings_server::{Event, Hub, Since};
use tidings_testkit::wait_until;

const HUBS: usize = 100;

/// Threads of hubs, and open descriptors.
fn held() -> (usize, usize) {
    let entries = |path: &str| {
        fs::read_dir(path)
            .expect("what the kernel says of itself")
            .flatten()
    };
    let name = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("comm"));
    // A thread may end while it is looked at.
    let threads = entries("/proc/self/task").filter_map(|thread| name(thread).ok());
    let of_hubs = threads.filter(|name| name.starts_with("tidings") || name.starts_with("lane"));
    (of_hubs.count(), entries("/proc/self/fd").count())
}

/// Memory of this process, in KiB.
fn resident_kib() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("what the kernel says of itself");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.expect("a number of KiB")
}

/// Opens a hub and uses it: half a MiB is published, a stream and a body are open.
async fn use_a_hub(directory: Option<&Path>) {
    let builder = Hub::builder().drain_window(Duration::ZERO);
    let hub = match directory {
        Some(directory) => builder.disk(directory).open(),
        None => builder.open(),
    };
    let hub = hub.expect("a hub");
    let mut stream = hub
        .subscribe(["a/*"], Since::Earliest)
        .await
        .expect("a stream");
    let body = hub
        .subscribe(["a/*"], Since::Latest)
        .await
        .expect("a stream")
        .into_body();
    let events = (0..8).map(|number| (format!("a/{number}"), Event::new("x".repeat(64 * 1024))));
    hub.publish_all(events).await.expect("events");
    assert!(stream.next().await.is_some());
    let service = hub.service().open().build();
    drop((hub, service, body));
    // The stream outlives every handle, and ends by itself.
    while stream.next().await.is_some() {}
}

/// Alone in its file: it counts what the whole process holds.
#[test]
fn a_hundred_hubs_that_are_dropped_leave_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let round = |number: usize| {
        let own = directory.path().join(number.to_string());
        runtime.block_on(use_a_hub(number.is_multiple_of(2).then_some(&*own)));
    };
    let clean = |before: usize| move || held().0 == 0 && held().1 <= before;
    // What the first ones leave belongs to the runtime and the allocator.
    (0..10).for_each(round);
    wait_until("the first hubs are gone", || held().0 == 0);
    let (descriptors, memory) = (held().1, resident_kib());
    (10..10 + HUBS).for_each(round);
    wait_until("threads and descriptors are back", clean(descriptors));
    let grown = resident_kib().saturating_sub(memory);
    assert!(
        grown < HUBS * 512 / 2,
        "{grown} KiB more, of {HUBS} hubs with 512 KiB each"
    );
}

/// Without waiting: the directory is free once the handle that was shut down is
/// gone.
#[test]
fn a_directory_is_opened_again_and_again() {
    let directory = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        for number in 0..20 {
            let hub = Hub::builder()
                .disk(directory.path())
                .open()
                .expect("a free directory");
            let page = hub.history(["a"], Since::Earliest, 100).await.unwrap();
            assert_eq!(page.events.len(), number);
            hub.publish("a", Event::new("x")).await.unwrap();
            hub.shutdown().await;
        }
    });
}
