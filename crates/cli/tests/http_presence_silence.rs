//! Peers that vanish without a word: their machine loses its address, so nothing that
//! is sent to them is answered, and nothing comes from them, neither FIN nor RST.

use serde_json::Value;
use std::time::{Duration, Instant};
use tidings_testkit::guide::{Machine, Running};
use tidings_testkit::skip;

/// By when a peer that vanished is found, as is promised.
const FOUND: Duration = Duration::from_secs(30);
/// For how long it may come back then.
const GRACE: Duration = Duration::from_secs(2);
/// How late a busy machine may ask. Without what finds such peers it were a quarter of an
/// hour.
const LATE: Duration = Duration::from_secs(25);

/// Another machine on the same network, `far`, beside the hub's.
const NETWORK: &str = "ip netns add far && \
    ip link add near address 02:00:00:00:00:01 type veth \
        peer name far address 02:00:00:00:00:02 netns far && \
    ip addr add 10.9.0.1/24 dev near && ip link set near up && \
    ip -n far addr add 10.9.0.2/24 dev far && ip -n far link set far up && \
    ip neigh replace 10.9.0.2 lladdr 02:00:00:00:00:02 dev near nud permanent";
const WATCH: &str = "exec nsenter --net=/run/netns/far curl --silent --no-buffer \
    --retry 30 --retry-connrefused --retry-delay 1";

struct Hub {
    machine: Machine,
    _hub: Running,
}

impl Hub {
    /// A hub that is reached from afar, if this machine can have one.
    fn start() -> Result<Self, String> {
        let machine = Machine::new(env!("CARGO_BIN_EXE_tidings"))?;
        for program in ["curl", "ip"] {
            if !machine.has(program) {
                return Err(format!("{program} is missing"));
            }
        }
        let (status, output) = machine.end(NETWORK);
        if !status.success() {
            return Err(format!("no second machine: {output}"));
        }
        let hub = machine.start(
            "export TIDINGS_LISTEN=10.9.0.1:8080,127.0.0.1:8080 TIDINGS_OPEN=true \
             TIDINGS_STORE=memory TIDINGS_PRESENCE_GRACE=2s; exec tidings serve",
        );
        let hub = Self { machine, _hub: hub };
        wait("the hub listens", Duration::from_secs(30), || {
            hub.machine.listens(8080)
        });
        Ok(hub)
    }

    /// What those are called who are at the topic, sorted.
    fn called(&self) -> Vec<String> {
        let page = self
            .machine
            .run("curl --silent 'http://127.0.0.1:8080/presence?topic=news'");
        let page: Value = serde_json::from_str(&page).expect("JSON");
        let members = page["members"].as_array().expect("a list").iter();
        let called = members.map(|own| own["as"].as_str().expect("a name").to_owned());
        let mut called: Vec<_> = called.collect();
        called.sort_unstable();
        called
    }
}

#[track_caller]
fn wait(what: &str, patience: Duration, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + patience;
    while !done() {
        assert!(Instant::now() < end, "not within {patience:?}: {what}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

#[test]
fn who_vanishes_without_a_word_is_gone_within_thirty_seconds_and_the_grace() {
    let hub = match Hub::start() {
        Ok(hub) => hub,
        Err(why) => return skip(&why),
    };
    let watch = |words: &str| hub.machine.start(words);
    // A lane's, and one that is pulled.
    let mut ann = watch(&format!("{WATCH} 'http://10.9.0.1:8080/t/news?as=ann'"));
    let prior = "--http2-prior-knowledge";
    let mut bob = watch(&format!(
        "{WATCH} {prior} 'http://10.9.0.1:8080/t/news?as=bob'"
    ));
    // One that listens, of which the own log has something for whoever is gone.
    let mut cid = watch(&format!(
        "{WATCH} 'http://10.9.0.1:8080/t/news?as=cid&presence=1'"
    ));
    let near = "exec curl --silent --no-buffer 'http://127.0.0.1:8080/t/news?as=near'";
    let mut near = watch(near);
    let patience = Duration::from_secs(30);
    let everyone = ["ann", "bob", "cid", "near"];
    wait("all are there", patience, || hub.called() == everyone);
    hub.machine.run("ip -n far addr flush dev far");
    wait("they are gone", FOUND + GRACE + LATE, || {
        hub.called() == ["near"]
    });
    // They have neither ended nor been told of an end: they were cut off.
    for peer in [&mut ann, &mut bob, &mut cid, &mut near] {
        assert_eq!(peer.ended(), None, "{}", peer.output());
    }
}
