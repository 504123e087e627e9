//! Lanes with real sockets, without HTTP: what a watcher at the other end sees.

mod own;
mod stall;
mod standing;

use super::{Socket, Taken};
use crate::auth::Admitted;
use crate::http1::Framing;
use crate::hub::Hub;
use crate::own::OwnWatch;
use crate::testing::{hub, publish, watch};
use bytes::Bytes;
use http::Version;
use std::sync::Arc;
use std::time::Duration;
use tidings_codec::{Decoder, Item};
use tidings_engine::{Limits, Position, Selection, Selector, SlowPolicy, WireId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const HEAD: &str = "HTTP/1.1 200 OK\r\n\r\n";
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A watcher at its end of the socket.
struct Peer {
    socket: TcpStream,
    head: usize,
    framing: Framing,
    decoder: Decoder,
    /// Types and data of the events that came.
    events: Vec<(String, String)>,
    /// How often a reconnection time came, and the last one.
    retries: usize,
    retry_ms: u64,
    ended: bool,
}

impl Peer {
    /// Watches `selectors`, from behind `after` on.
    async fn watch(hub: &Arc<Hub>, selectors: &[&str], after: Position) -> Self {
        let admitted = Admitted {
            selection: selection(selectors),
            standing: None,
        };
        Self::carry(hub, admitted, after).await
    }

    /// Watches what has been admitted, from behind `after` on.
    async fn carry(hub: &Arc<Hub>, admitted: Admitted, after: Position) -> Self {
        Self::carry_with(hub, admitted, after, None).await
    }

    /// The same, with what is watched of the hub's own log.
    async fn carry_with(
        hub: &Arc<Hub>,
        admitted: Admitted,
        after: Position,
        own: Option<OwnWatch>,
    ) -> Self {
        let (socket, accepted) = sockets().await;
        hub.live()
            .lanes()
            .take(taken(hub, accepted, admitted, after, own));
        Self {
            socket,
            head: HEAD.len(),
            framing: Framing::chunked(),
            decoder: Decoder::new(),
            events: Vec::new(),
            retries: 0,
            retry_ms: 0,
            ended: false,
        }
    }

    /// Reads until `done` holds, or to the end of the stream.
    async fn until(&mut self, done: impl Fn(&Self) -> bool) -> &mut Self {
        let mut space = vec![0; 64 * 1024];
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !self.ended && !done(self) {
            let read = tokio::time::timeout_at(deadline, self.socket.read(&mut space));
            let read = read.await.expect("bytes, or an end").unwrap_or(0);
            self.ended |= read == 0;
            self.take(&space[..read]);
        }
        self
    }

    fn take(&mut self, bytes: &[u8]) {
        let head = self.head.min(bytes.len());
        self.head -= head;
        let mut blocks = Vec::new();
        let len = self
            .framing
            .take(&bytes[head..], |content| blocks.extend_from_slice(content))
            .expect("chunks");
        assert_eq!(
            len,
            bytes.len() - head,
            "nothing stands behind the last chunk"
        );
        let mut rest = &blocks[..];
        while let Some(item) = self.decoder.next(&mut rest) {
            match item {
                Item::Event(event) => self
                    .events
                    .push((event.event_type.to_owned(), event.data.to_owned())),
                Item::Retry(retry) => {
                    self.retries += 1;
                    self.retry_ms = retry;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn data(&self) -> Vec<&str> {
        self.events.iter().map(|(_, data)| &data[..]).collect()
    }

    /// Where somebody goes on who was here.
    fn position(&self) -> Position {
        let id = WireId::parse(self.decoder.last_event_id()).expect("the hub's");
        id.position
    }
}

/// A watcher's end of a connection, and the hub's.
async fn sockets() -> (TcpStream, std::net::TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (socket, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    (socket.unwrap(), accepted.unwrap().0.into_std().unwrap())
}

/// What a lane is handed on `socket` for what has been admitted, from behind `after`
/// on, and what is watched of the hub's own log.
fn taken(
    hub: &Arc<Hub>,
    socket: std::net::TcpStream,
    admitted: Admitted,
    after: Position,
    own: Option<OwnWatch>,
) -> Taken {
    let (watch, place) = watch((hub, Version::HTTP_11), admitted, after, own);
    Taken {
        socket: Socket::plain(socket),
        head: Bytes::from_static(HEAD.as_bytes()),
        watch,
        place: Box::new(place),
    }
}

fn selection(texts: &[&str]) -> Selection {
    let selectors = texts.iter().map(|text| Selector::new(text).unwrap());
    Selection::new(selectors.collect())
}

/// What was published, as many of them as there are numbers.
fn numbers(range: std::ops::Range<usize>, bytes: usize) -> Vec<String> {
    range.map(|number| format!("{number:0>bytes$}")).collect()
}

async fn publish_all(hub: &Hub, topic: &str, data: &[String]) {
    for data in data {
        publish(hub, topic, data).await;
    }
}

/// Resolves when `done` holds: soon, or never.
async fn eventually(what: &str, done: impl Fn() -> bool) {
    let wait = async {
        while !done() {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, wait).await;
    assert!(waited.is_ok(), "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn everyone_gets_what_they_watch_in_order() {
    let hub = hub(Limits::default(), SlowPolicy::default());
    let mut peers = Vec::new();
    for number in 0..50 {
        let selectors: &[&str] = if number % 2 == 0 { &["a"] } else { &["*", "b"] };
        peers.push((number, Peer::watch(&hub, selectors, Position::START).await));
    }
    let (a, b) = (numbers(0..300, 1), numbers(300..400, 1));
    tokio::join!(publish_all(&hub, "a", &a), publish_all(&hub, "b", &b));
    for (number, peer) in &mut peers {
        let expect = if *number % 2 == 0 { 300 } else { 400 };
        peer.until(|peer| peer.events.len() >= expect).await;
        let of = |range: &[String]| {
            let own = peer.data().into_iter().map(str::to_owned);
            own.filter(|data| range.contains(data)).collect::<Vec<_>>()
        };
        assert_eq!(of(&a), a, "peer {number}");
        assert_eq!(peer.events.len(), expect, "peer {number}");
        assert_eq!(of(&b).len(), expect - 300, "peer {number}");
    }
    assert_eq!(hub.places().connections(), 50);
    drop(peers);
    eventually("lanes forget who is gone", || {
        hub.places().connections() == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p12_a_reader_that_stops_delays_nobody_and_loses_nothing() {
    let limits = Limits {
        lag_bytes: 1 << 30,
        tail_bytes: 4 << 20,
        ..Limits::default()
    };
    let hub = hub(limits, SlowPolicy::Disconnect);
    let mut slow = Peer::watch(&hub, &["a"], Position::START).await;
    let mut quick = Peer::watch(&hub, &["a"], Position::START).await;
    // Far more than socket, kernel and tail together hold.
    let data = numbers(0..1_000, 20_000);
    let reading = quick.until(|peer| peer.events.len() >= 1_000);
    tokio::join!(publish_all(&hub, "a", &data), reading);
    assert_eq!(quick.data(), data);
    slow.until(|peer| peer.events.len() >= 1_000).await;
    assert_eq!(slow.data(), data, "from the store, and then from the tail");
}

/// A watcher that reads nothing while 30 MB come for it, under a policy.
async fn lags(policy: SlowPolicy) -> (Arc<Hub>, Peer, Vec<String>) {
    let limits = Limits {
        lag_bytes: 1 << 20,
        ..Limits::default()
    };
    let hub = hub(limits, policy);
    let mut peer = Peer::watch(&hub, &["a/*"], Position::START).await;
    peer.until(|peer| peer.retries > 0).await;
    let data = numbers(0..1_500, 20_000);
    for (data, number) in data.iter().zip(0..) {
        publish(&hub, ["a/x", "a/y", "a/z"][number % 3], data).await;
    }
    (hub, peer, data)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_is_disconnected_and_resumes() {
    let (hub, mut peer, data) = lags(SlowPolicy::Disconnect).await;
    peer.until(|_| false).await;
    let got = peer.events.len();
    assert!(got < data.len(), "all {got} came");
    assert_eq!(peer.data(), data[..got]);
    let mut again = Peer::watch(&hub, &["a/*"], peer.position()).await;
    again
        .until(|peer| peer.events.len() >= data.len() - got)
        .await;
    assert_eq!(again.data(), data[got..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_is_told_of_a_gap() {
    let (hub, mut peer, data) = lags(SlowPolicy::Gap).await;
    let is_gap =
        |(kind, data): &(String, String)| kind == "tidings:gap" && data.contains("\"slow\"");
    peer.until(|peer| peer.events.iter().any(is_gap)).await;
    publish(&hub, "a/x", "end").await;
    peer.until(|peer| peer.events.iter().any(|(_, data)| data == "end"))
        .await;
    assert_eq!(peer.events.iter().filter(|event| is_gap(event)).count(), 1);
    let came = peer.data();
    let came: Vec<_> = came
        .iter()
        .filter(|came| data.iter().any(|d| d == *came))
        .collect();
    assert!(came.len() < data.len(), "all came");
    assert!(came.is_sorted() && !peer.ended);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_is_given_the_latest() {
    let (_hub, mut peer, data) = lags(SlowPolicy::Latest).await;
    let last = &data[data.len() - 1];
    peer.until(|peer| peer.events.iter().any(|(_, data)| data == last))
        .await;
    let came = peer.data();
    assert!(
        came.len() < data.len() && came.is_sorted(),
        "{}",
        came.len()
    );
    // The last three are the newest of the three topics.
    assert_eq!(came[came.len() - 3..], data[data.len() - 3..]);
    assert!(peer.events.iter().all(|(kind, _)| kind != "tidings:gap"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a22_a_reader_that_takes_nothing_is_given_up() {
    let limits = Limits {
        lag_bytes: 1 << 30,
        stall: Duration::from_millis(300),
        ..Limits::default()
    };
    let hub = hub(limits, SlowPolicy::Disconnect);
    let mut peer = Peer::watch(&hub, &["a"], Position::START).await;
    publish_all(&hub, "a", &numbers(0..1_000, 20_000)).await;
    eventually("it is given up", || hub.places().connections() == 0).await;
    peer.until(|_| false).await;
    assert!(peer.events.len() < 1_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a21_a22_whoever_speaks_on_a_stream_or_hangs_up_is_let_go() {
    let hub = hub(Limits::default(), SlowPolicy::default());
    for said in [&b"\r\n"[..], b"GET / HTTP/1.1\r\n\r\n", b"\0"] {
        let mut peer = Peer::watch(&hub, &["a"], Position::START).await;
        peer.until(|peer| peer.retries > 0).await;
        peer.socket.write_all(said).await.unwrap();
        if said == b"\r\n" {
            publish(&hub, "a", "empty lines mean nothing").await;
            peer.until(|peer| !peer.events.is_empty()).await;
            peer.socket.shutdown().await.unwrap();
        }
        assert!(peer.until(|_| false).await.ended);
    }
    eventually("lanes forget them", || hub.places().connections() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_talks_without_end_is_let_go() {
    let hub = hub(Limits::default(), SlowPolicy::default());
    let mut talking = Vec::new();
    let mut peers = Vec::new();
    // On every lane.
    for _ in 0..hub.settings().lanes {
        let mut peer = Peer::watch(&hub, &["a"], Position::START).await;
        talking.push(tokio::spawn(async move {
            let lines = vec![b'\n'; 64 * 1024];
            while peer.socket.write_all(&lines).await.is_ok() {}
        }));
        peers.push(Peer::watch(&hub, &["a"], Position::START).await);
    }
    publish_all(&hub, "a", &numbers(0..100, 1)).await;
    for peer in &mut peers {
        peer.until(|peer| peer.events.len() >= 100).await;
    }
    for talking in talking {
        let let_go = tokio::time::timeout(PATIENCE, talking).await;
        assert!(let_go.is_ok(), "a lane listens on");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn quiet_streams_have_heartbeats_with_their_position() {
    let limits = Limits {
        heartbeat: Duration::from_millis(200),
        ..Limits::default()
    };
    let hub = hub(limits, SlowPolicy::default());
    let mut peer = Peer::watch(&hub, &["a"], Position::START).await;
    peer.until(|peer| peer.retries > 0).await;
    publish_all(&hub, "another", &numbers(0..3, 1)).await;
    peer.until(|peer| peer.position() == hub.live().end()).await;
    assert_eq!(peer.events, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn p15_streams_end_with_a_time_to_come_back() {
    let hub = hub(Limits::default(), SlowPolicy::default());
    let mut peers = Vec::new();
    for _ in 0..20 {
        let mut peer = Peer::watch(&hub, &["a"], Position::START).await;
        peer.until(|peer| peer.retries > 0).await;
        peers.push(peer);
    }
    hub.begin_drain();
    peers.push(Peer::watch(&hub, &["a"], Position::START).await);
    for peer in &mut peers {
        peer.until(|_| false).await;
        assert_eq!(peer.retries, 2);
        assert!(peer.framing.is_over(), "the last chunk came");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn publishers_wait_for_lanes_and_go_on() {
    let limits = Limits {
        tail_bytes: 2 << 20,
        lag_bytes: 1 << 30,
        ..Limits::default()
    };
    let hub = hub(limits, SlowPolicy::default());
    let mut peers = Vec::new();
    for _ in 0..30 {
        peers.push(Peer::watch(&hub, &["a"], Position::START).await);
    }
    let reading: Vec<_> = peers
        .into_iter()
        .map(|mut peer| {
            tokio::spawn(async move { peer.until(|p| p.events.len() >= 400).await.events.len() })
        })
        .collect();
    for data in numbers(0..400, 50_000) {
        publish(&hub, "a", &data).await;
        let behind = hub.live().delivered() - hub.live().lanes().followed();
        assert!(
            behind <= (1 << 20) + 51_000,
            "{behind} bytes ahead of the lanes"
        );
    }
    for reading in reading {
        assert_eq!(reading.await.unwrap(), 400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_ends_one_connection() {
    let hub = hub(Limits::default(), SlowPolicy::default());
    let mut first = Peer::watch(&hub, &["a"], Position::START).await;
    let mut unlucky = Peer::watch(&hub, &["panic"], Position::START).await;
    let mut last = Peer::watch(&hub, &["a"], Position::START).await;
    unlucky.until(|peer| peer.retries > 0).await;
    publish(&hub, "panic", super::socket::PANICS).await;
    assert!(unlucky.until(|_| false).await.ended);
    publish(&hub, "a", "goes on").await;
    for peer in [&mut first, &mut last] {
        peer.until(|peer| !peer.events.is_empty()).await;
        assert_eq!(peer.data(), ["goes on"]);
    }
}
