//! Our client watches nginx: as a server of its own with nchan, and as a proxy
//! that compresses, in front of another server.

mod interop;

use interop::client::Client;
use interop::cutter::Cutter;
use interop::hub::{check_remembers_the_start, check_watches};
use interop::nginx::Nginx;
use interop::ours::Ours;
use interop::server::{Server, expected};
use interop::table::{CUTS, Row, check_same, rows};
use interop::{ours, python};
use std::net::SocketAddr;
use tidings_eventsource::transport::Hyper;
use tidings_testkit::{Http, Received, Watch};

/// Where nobody is: for an nginx that isn't a proxy.
const NOWHERE: ([u8; 4], u16) = ([127, 0, 0, 1], 9);

#[test]
fn nchan() {
    let Some(nginx) = Nginx::start(NOWHERE.into()) else {
        return;
    };
    // It writes a lone CR as it is, where it ends the line.
    let rows = rows().into_iter();
    let rows: Vec<Row> = rows
        .filter(|row| !row.data.replace("\r\n", "").contains('\r'))
        .collect();
    let cutter = Cutter::new(&CUTS);
    cutter.lead_to(nginx.http1);
    let (history, live) = rows.split_at(rows.len() / 2);
    let expected = publish(nginx.http1, history, 0);
    let mut client = ours::negotiated(&format!("http://{}/subscribe", cutter.address()));
    check_same(&mut client, &expected);
    let expected = publish(nginx.http1, live, history.len());
    check_same(&mut client, &expected);
    cutter.wait_for_cuts();
}

/// Publishes behind so many events; answers what is to be seen, with the ids
/// that nchan has given.
#[track_caller]
fn publish(nginx: SocketAddr, rows: &[Row], behind: usize) -> Vec<Received> {
    for row in rows {
        let mut headers = vec![];
        headers.extend(row.event.map(|event| ("X-EventSource-Event", event)));
        let mut http = Http::connect(nginx);
        let answer = http.request("POST", "/publish", &headers, row.data.as_bytes());
        let status = answer.status;
        assert!(matches!(status, 201 | 202), "{}: {status}", row.about);
    }
    let mut watch = Watch::open(nginx, "/subscribe", None);
    let ids = watch.events(behind + rows.len()).split_off(behind);
    let events = rows.iter().zip(ids);
    events.map(|(row, seen)| row.seen(seen.id)).collect()
}

#[test]
fn a_proxy_that_compresses() {
    check_proxy(false, "HTTP/1.1 gzip");
}

#[test]
fn a_proxy_that_compresses_over_http2_and_tls() {
    check_proxy(true, "HTTP/2.0 gzip");
}

/// The connection between the proxy and the server is cut within events, which
/// the proxy passes on.
#[track_caller]
fn check_proxy(tls: bool, logged: &str) {
    let Some(python) = python() else { return };
    let server = Server::start(&python, "sse_starlette_server.py", &[]);
    let cutter = Cutter::new(&CUTS);
    cutter.lead_to(server.address());
    let Some(nginx) = Nginx::start(cutter.address()) else {
        return;
    };
    let mut client = match tls {
        false => ours::negotiated(&format!("http://{}/events", nginx.http1)),
        true => over_tls(&nginx, "/events"),
    };
    check_same(&mut client, &expected());
    cutter.wait_for_cuts();
    let log = nginx.access_log();
    let cut = log.lines().filter(|line| *line == logged).count();
    assert_eq!(cut, CUTS.len(), "{log}");
}

fn over_tls(nginx: &Nginx, path: &str) -> Ours {
    let transport = Hyper::builder().add_root_certificate(nginx.certificate.as_bytes());
    let transport = transport.expect("a certificate");
    ours::watching(&format!("https://{}{path}", nginx.tls), transport)
}

/// Ours and ours, and an nginx between them that compresses and, left to itself,
/// buffers. While the hub is away it answers 502, which our client tries again.
#[test]
fn our_own_hub_behind_a_proxy() {
    // The hub and its cutter are made by the check, and are behind.
    let Some(_) = Nginx::start(NOWHERE.into()) else {
        return;
    };
    check_watches(Proxied::new);
    check_remembers_the_start(Proxied::new);
}

struct Proxied {
    client: Ours,
    _nginx: Nginx,
}

impl Proxied {
    fn new(url: &str) -> Self {
        let rest = url.strip_prefix("http://").expect("a URL");
        let (upstream, path) = rest.split_once('/').expect("a path");
        let upstream = upstream.parse().expect("an address");
        let nginx = Nginx::start(upstream).expect("nginx");
        Self {
            client: over_tls(&nginx, &format!("/{path}")),
            _nginx: nginx,
        }
    }
}

impl Client for Proxied {
    fn name(&self) -> &str {
        self.client.name()
    }

    fn event(&mut self) -> Received {
        self.client.event()
    }
}
