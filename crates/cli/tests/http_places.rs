//! Places for streams by address: who takes too many is told to come back
//! later, and nobody else notices.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use tidings_testkit::{HubProcess, Launch, launch, skip, wait_until};

/// An address of this machine that isn't loopback. Nothing is sent to find it.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // TEST-NET-1 (RFC 5737): only the route is asked for.
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

/// A hub that is reached by an address that isn't loopback, if there is one.
fn start(launch: &Launch) -> Option<HubProcess> {
    let Some(address) = own_address() else {
        skip("this machine has no address but loopback");
        return None;
    };
    let launch = launch.clone().env("TIDINGS_OPEN", "true");
    Some(launch.listen(SocketAddr::new(address, 0)).start())
}

/// Whether a watcher is let in; otherwise it was refused softly.
#[track_caller]
fn is_let_in(hub: &HubProcess) -> Option<tidings_testkit::Watch> {
    let mut watch = hub.watch("/t/a");
    assert_eq!(watch.head().status, 200);
    assert_eq!(
        watch.head().header("content-type"),
        Some("text/event-stream")
    );
    if watch.read().expect("a stream") && watch.raw().windows(4).any(|bytes| bytes == b"\nid:") {
        return Some(watch);
    }
    assert_eq!(watch.next(), None);
    let text = String::from_utf8_lossy(watch.raw()).into_owned();
    assert!(
        text.starts_with("retry: ") && text.ends_with("\n\n"),
        "{text:?}"
    );
    assert_eq!(text.lines().count(), 2, "{text:?}");
    None
}

#[test]
fn a10_streams_of_one_address_are_bounded() {
    let Some(hub) = start(&launch!("TIDINGS_LIMITS_SUBSCRIPTIONS_PER_ADDRESS" = "3")) else {
        return;
    };
    let mut watchers: Vec<_> = (0..3).map(|_| is_let_in(&hub).expect("a place")).collect();
    for _ in 0..20 {
        assert!(is_let_in(&hub).is_none());
    }
    assert_eq!(
        hub.metric("tidings_soft_refusals_total{reason=\"address\"}"),
        20
    );
    let line = hub.wait_for_log("limits.subscriptions_per_address");
    assert!(
        line.contains("set it to \\\"none\\\" if it is a proxy's"),
        "{line}"
    );
    assert!(!line.contains(&hub.address().ip().to_string()), "{line}");
    // The address is bounded in streams alone.
    assert_eq!(hub.post("/t/a", "x").status, 200);
    for watcher in &mut watchers {
        assert_eq!(watcher.next().expect("an event").data, "x");
    }
    drop(watchers.pop());
    wait_until("a place is given again", || is_let_in(&hub).is_some());
}

#[test]
fn without_a_bound_one_address_may_take_every_place() {
    let launch = launch!(
        "TIDINGS_LIMITS_SUBSCRIPTIONS" = "4",
        "TIDINGS_LIMITS_SUBSCRIPTIONS_PER_ADDRESS" = "none",
    );
    let Some(hub) = start(&launch) else { return };
    let watchers: Vec<_> = (0..4).map(|_| is_let_in(&hub)).collect();
    assert!(watchers.iter().all(Option::is_some));
    assert!(is_let_in(&hub).is_none());
    assert_eq!(
        hub.metric("tidings_soft_refusals_total{reason=\"subscriptions\"}"),
        1
    );
}

/// By default one address has half of the places.
#[test]
fn a10_nobody_alone_takes_every_place() {
    let Some(hub) = start(&launch!("TIDINGS_LIMITS_SUBSCRIPTIONS" = "4")) else {
        return;
    };
    let watchers: Vec<_> = (0..4).map(|_| is_let_in(&hub)).collect();
    assert_eq!(watchers.iter().flatten().count(), 2);
}

#[test]
fn loopback_is_nobody() {
    let hub = launch!("TIDINGS_LIMITS_SUBSCRIPTIONS_PER_ADDRESS" = "1").start();
    let watchers: Vec<_> = (0..4).map(|_| is_let_in(&hub)).collect();
    assert!(watchers.iter().all(Option::is_some));
}

#[test]
fn metrics_tell_whether_the_hub_is_open() {
    for (open, value) in [("false", 0), ("true", 1)] {
        let hub = launch!("TIDINGS_OPEN" = open).start();
        assert_eq!(hub.metric("tidings_open"), value);
        // The one that asks.
        hub.wait_for_metric("tidings_connections", 1);
    }
}
