//! What a watcher over TLS costs.

use std::thread;
use tidings_testkit::{HubProcess, Identity, Trust, Watch, launch};

const WATCHERS: usize = 2000;

/// Opens so many watchers, by two threads.
fn watchers(hub: &HubProcess, trust: &Trust, count: usize) -> Vec<Watch> {
    let open = || {
        (0..count / 2)
            .map(|_| {
                let http = trust.connect(hub.tls_address()).expect("TLS");
                let watch = Watch::try_over(http, "/t/news", None).expect("an answer");
                watch.opened()
            })
            .collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let other = scope.spawn(open);
        let mut all = open();
        all.extend(other.join().expect("watchers"));
        all
    })
}

/// P11, with TLS: at most 8 KiB of user memory for each that is idle.
#[test]
fn p11_an_idle_watcher_over_tls_costs_at_most_8_kib() {
    let identity = Identity::new();
    let hub = identity.shown_by(launch!()).start();
    let trust = identity.trusted();
    // What the first ones cost once for all is theirs.
    let _first = watchers(&hub, &trust, WATCHERS / 10);
    let before = hub.resident_kib();
    let mut all = watchers(&hub, &trust, WATCHERS);
    let each = (hub.resident_kib() - before) * 1024 / WATCHERS as u64;
    println!("{each} bytes for each watcher");
    assert!(each <= 8 * 1024, "{each} bytes");
    // They are all there.
    assert_eq!(hub.post("/t/news", "x").status, 200);
    for watch in &mut all {
        assert_eq!(watch.next().expect("an event").data, "x");
    }
    // What they were given costs nothing once it is written.
    let each = (hub.resident_kib() - before) * 1024 / WATCHERS as u64;
    println!("{each} bytes for each watcher after an event");
    assert!(each <= 8 * 1024, "{each} bytes after an event");
}
