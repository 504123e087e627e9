//! The hub over TLS: HTTP/1.1 and HTTP/2, with hyper and on the lanes.

mod secure;
mod tool;

use bytes::Bytes;
use secure::{hub, post, watch, with_tls};
use std::process::{Command, Stdio};
use std::sync::Arc;
use tidings_testkit::{Identity, PATIENCE, Watch, launch};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ProtocolVersion;
use tool::{Tool, run};

#[test]
fn the_first_line_names_both_schemes() {
    let (_identity, hub) = hub();
    let urls = format!(" http://{}, https://{}\n", hub.address(), hub.tls_address());
    assert!(hub.first_line().ends_with(&urls), "{}", hub.first_line());
}

#[test]
fn https_alone() {
    let identity = Identity::new();
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("hub.toml");
    std::fs::write(&file, "listen = []\nstore = \"memory\"\n").expect("a file");
    let mut hub = tool::command(&["serve", "--config", &file.display().to_string()]);
    with_tls(&mut hub, &identity);
    let mut hub = Tool::spawn(&mut hub);
    let first = hub.line();
    let address = first
        .split_once(" listening on https://")
        .expect("an address")
        .1;
    let mut http = identity
        .trusted()
        .connect(address.parse().expect("an address"))
        .expect("TLS");
    assert_eq!(http.request("GET", "/livez", &[], b"").status, 200);
    hub.interrupt();
    assert_eq!(hub.ended().code, Some(0));
}

#[test]
fn http_1_1_over_both_versions_of_tls() {
    let (identity, hub) = hub();
    let version = [ProtocolVersion::TLSv1_3, ProtocolVersion::TLSv1_2];
    for (version, trust) in version
        .into_iter()
        .zip([identity.trusted(), identity.trusted_by_old()])
    {
        let mut watch = watch(&hub, &trust, "/t/news", None).opened();
        let tls = watch.http().tls();
        assert_eq!(tls.protocol_version(), Some(version));
        assert_eq!(tls.alpn_protocol(), Some(&b"http/1.1"[..]));
        post(&hub, &trust, "over TLS");
        hub.post("/t/news", "without");
        let data: Vec<String> = watch
            .events(2)
            .into_iter()
            .map(|event| event.data)
            .collect();
        assert_eq!(data, ["over TLS", "without"]);
    }
    assert_eq!(hub.metric("tidings_events_published_total"), 4);
}

/// One connection that carries eight streams and a publish.
#[test]
fn http_2_by_alpn() {
    let (identity, hub) = hub();
    let mut trust = identity.trusted();
    trust.config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let all = async {
        let socket = tokio::net::TcpStream::connect(hub.tls_address())
            .await
            .expect("a hub");
        let name = "localhost".try_into().expect("a name");
        let connector = TlsConnector::from(Arc::new(trust.config.clone()));
        let tls = connector.connect(name, socket).await.expect("TLS");
        assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (mut requests, connection) = h2::client::handshake(tls).await.expect("HTTP/2");
        tokio::spawn(connection);
        let url = |path: &str| format!("https://{}{path}", hub.tls_address());
        let request = |method: &str, path: &str| {
            let request = http::Request::builder().method(method).uri(url(path));
            request
                .header("accept", "text/event-stream")
                .body(())
                .expect("a request")
        };
        let mut streams = Vec::new();
        for _ in 0..8 {
            let (response, _) = requests
                .send_request(request("GET", "/t/news"), true)
                .expect("sent");
            let response = response.await.expect("an answer");
            assert_eq!(response.status(), 200);
            streams.push(response.into_body());
        }
        let (response, mut body) = requests
            .send_request(request("POST", "/t/news"), false)
            .expect("sent");
        body.send_data(Bytes::from_static(b"to all"), true)
            .expect("sent");
        assert_eq!(response.await.expect("an answer").status(), 200);
        for mut stream in streams {
            let mut text = String::new();
            while !text.contains("data: to all\n") {
                let data = stream.data().await.expect("more").expect("data");
                stream
                    .flow_control()
                    .release_capacity(data.len())
                    .expect("room");
                text.push_str(&String::from_utf8_lossy(&data));
            }
        }
    };
    let all = async {
        tokio::time::timeout(PATIENCE, all)
            .await
            .expect("within 30 s")
    };
    runtime.expect("a runtime").block_on(all);
}

#[test]
fn listen_and_publish_over_https() {
    let (identity, hub) = hub();
    let url = format!("https://localhost:{}/t/news", hub.tls_address().port());
    let cacert = format!("--cacert={}", identity.certificate_file().display());
    let mut listen = Tool::start(&["listen", &url, &cacert, "--format=data", "--since=earliest"]);
    for data in ["one", "two"] {
        let published = run(&["publish", &url, data, &cacert], b"");
        published.check(0, &[]);
        assert_eq!(listen.line(), data);
    }
    run(&["publish", &url, "x"], b"").check(6, &["the TLS handshake failed"]);
    listen.interrupt();
    assert_eq!(listen.ended().code, Some(130));
}

/// What is far more than a socket takes is read by a watcher that is slow.
#[test]
fn a_long_history_is_read_slowly() {
    let (identity, hub) = hub();
    let trust = identity.trusted();
    let data = "x".repeat(500_000);
    for n in 0..8 {
        post(&hub, &trust, &format!("{n}{data}"));
    }
    let http = trust.connect(hub.tls_address()).expect("TLS");
    http.receive_buffer(64 * 1024).expect("a small buffer");
    let mut watch = Watch::try_over(http, "/t/news?since=earliest", None).expect("an answer");
    for n in 0..8 {
        let event = watch.next().expect("an event");
        assert!(event.data == format!("{n}{data}"), "event {n}");
    }
    // And then what is live, with nothing left over.
    post(&hub, &trust, "live");
    assert_eq!(watch.next().expect("an event").data, "live");
}

/// Where the system has taken all of an event but a part of its last record,
/// that part follows without a next event or a heartbeat.
#[test]
fn the_last_record_needs_no_other_behind_it() {
    let identity = Identity::new();
    let quiet = launch!(
        "TIDINGS_STREAM_HEARTBEAT" = "1h",
        "TIDINGS_STREAM_IDLE_TIMEOUT" = "1d"
    );
    let hub = identity.shown_by(quiet).start();
    let trust = identity.trusted();
    // Sizes around what the system takes for a watcher that doesn't read, in
    // steps smaller than a record.
    let sizes = (100_000..500_000).step_by(6_000);
    let watchers: Vec<(usize, Watch)> = sizes
        .map(|size| {
            let http = trust.connect(hub.tls_address()).expect("TLS");
            http.receive_buffer(32 * 1024).expect("a small buffer");
            let path = format!("/t/size/{size}");
            let watch = Watch::try_over(http, &path, None).expect("an answer");
            (size, watch.opened())
        })
        .collect();
    for (size, _) in &watchers {
        let data = "x".repeat(*size);
        assert_eq!(hub.post(&format!("/t/size/{size}"), data).status, 200);
    }
    hub.wait_for_metric("tidings_events_published_total", watchers.len() as u64);
    for (size, mut watch) in watchers {
        let event = watch.next().expect("an event");
        assert!(event.data.len() == size, "{size}");
    }
}

/// The same connection, after requests that hyper answered, goes to a lane.
#[test]
fn a_connection_that_was_kept_becomes_a_stream() {
    let (identity, hub) = hub();
    for trust in [identity.trusted(), identity.trusted_by_old()] {
        let mut http = trust.connect(hub.tls_address()).expect("TLS");
        for data in ["one", "two"] {
            let answer = http.request("POST", "/t/kept", &[], data.as_bytes());
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        let watch = Watch::try_over(http, "/t/kept?since=last:2", None);
        let mut watch = watch.expect("an answer");
        let kept: Vec<String> = watch
            .events(2)
            .into_iter()
            .map(|event| event.data)
            .collect();
        assert_eq!(kept, ["one", "two"]);
        assert_eq!(hub.post("/t/kept", "three").status, 200);
        assert_eq!(watch.next().expect("an event").data, "three");
    }
}

/// With a record that the socket didn't take, too.
#[test]
fn p12_a_watcher_that_takes_nothing_is_given_up() {
    let identity = Identity::new();
    let hub = identity
        .shown_by(launch!("TIDINGS_LIMITS_STALL" = "1s"))
        .start();
    let trust = identity.trusted();
    let mut stalled = watch(&hub, &trust, "/t/news", None).opened();
    let mut reading = watch(&hub, &trust, "/t/news", None).opened();
    let data = "x".repeat(500_000);
    // More than the system keeps of what nobody reads.
    for n in 0..40 {
        post(&hub, &trust, &format!("{n}{data}"));
        let event = reading.next().expect("an event");
        assert!(event.data == format!("{n}{data}"), "event {n}");
    }
    hub.wait_for_metric("tidings_subscribers", 1);
    // What it reads of it later, it resumes behind.
    while stalled.next().is_some() {}
    let seen = stalled.last_event_id().to_owned();
    let mut resumed = watch(&hub, &trust, "/t/news", Some(&seen));
    let rest: Vec<_> = resumed.events(1);
    assert!(rest[0].data.ends_with(&data));
}

#[test]
fn p15_a_stream_that_is_drained_ends_with_a_close_notify() {
    let identity = Identity::new();
    let hub = identity
        .shown_by(launch!("TIDINGS_DRAIN_WINDOW" = "300ms"))
        .start();
    let mut watch = watch(&hub, &identity.trusted(), "/t/news", None).opened();
    let (status, _) = hub.finish();
    assert_eq!(status.code(), Some(0));
    // rustls tells an end without it as an error.
    assert!(watch.try_next().expect("an end").is_none());
    assert!(watch.retry().is_some());
}

/// The commands of the page, in its order.
#[test]
fn what_the_page_says_works() {
    for tool in ["openssl", "curl"] {
        if Command::new(tool).arg("version").output().is_err() {
            return tidings_testkit::skip(&format!("{tool} isn't installed"));
        }
    }
    let page = include_str!("../../../docs/tls.md");
    let blocks = |language: &str| -> Vec<&str> {
        let fence = format!("```{language}\n");
        page.split(&*fence)
            .skip(1)
            .filter_map(|rest| rest.split("```").next())
            .collect()
    };
    let (shell, toml) = (blocks("sh"), blocks("toml"));
    let [make, serve, ask, renew] = shell[..] else {
        panic!("other commands: {shell:?}");
    };
    let directory = tempfile::tempdir().expect("a directory");
    let ports = |text: &str| {
        text.replace("127.0.0.1:8080", "127.0.0.1:0")
            .replace("127.0.0.1:8443", "127.0.0.1:0")
    };
    std::fs::write(directory.path().join("hub.toml"), ports(toml[0])).expect("a file");
    let run = |script: &str| {
        let binary = std::path::Path::new(env!("CARGO_BIN_EXE_tidings"));
        let own = binary.parent().expect("a directory").display().to_string();
        let path = format!("{own}:{}", std::env::var("PATH").unwrap_or_default());
        let mut shell = Command::new("sh");
        shell
            .args(["-euc", script])
            .current_dir(directory.path())
            .env("PATH", path);
        shell
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Tool::spawn(&mut shell)
    };
    run(make).ended().check(0, &[]);
    let mut hub = run(&format!("exec {serve}"));
    let first = hub.line();
    let (_, address) = first
        .split_once(", https://127.0.0.1:")
        .expect("an address for HTTPS");
    let asked = run(&ask.replace("8443", address)).ended();
    asked.check(0, &[]);
    assert!(asked.stdout.contains("\ndata: hello\n"), "{asked:?}");
    assert!(renew.starts_with("kill -HUP "));
    hub.interrupt();
    assert_eq!(hub.ended().code, Some(0));
}
