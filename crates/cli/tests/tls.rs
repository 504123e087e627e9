//! The hub over TLS: HTTP/1.1 and HTTP/2, certificates that are exchanged,
//! handshakes that come to nothing.

mod tool;

use bytes::Bytes;
use rustix::process::Signal;
use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::Arc;
use tidings_testkit::{
    HubProcess, Identity, PATIENCE, Trust, Watch, check_problem, launch, wait_until,
};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{HandshakeKind, ProtocolVersion};
use tool::{Tool, run};

/// A hub that speaks both, and who it is.
fn hub() -> (Identity, HubProcess) {
    let identity = Identity::new();
    let hub = identity.shown_by(launch!()).start();
    (identity, hub)
}

/// Gives a command the environment that a hub with TLS has.
fn with_tls(command: &mut Command, identity: &Identity) {
    command.env("TIDINGS_TLS_LISTEN", "127.0.0.1:0");
    command.env("TIDINGS_TLS_CERTIFICATE", identity.certificate_file());
    command.env("TIDINGS_TLS_KEY", identity.key_file());
}

fn watch(hub: &HubProcess, trust: &Trust, path: &str, last_event_id: Option<&str>) -> Watch {
    let http = trust.connect(hub.tls_address()).expect("TLS");
    let watch = Watch::try_over(http, path, last_event_id).expect("an answer");
    assert_eq!(watch.head().status, 200);
    watch
}

#[track_caller]
fn post(hub: &HubProcess, trust: &Trust, data: &str) {
    let mut http = trust.connect(hub.tls_address()).expect("TLS");
    let answer = http.request("POST", "/t/news", &[], data.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// How often a handshake failed for `reason`.
fn failures(hub: &HubProcess, reason: &str) -> u64 {
    let name = format!("tidings_tls_handshake_failures_total{{reason=\"{reason}\"}}");
    hub.metric(&name)
}

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

#[test]
fn without_alpn_it_is_http_1_1() {
    let (identity, hub) = hub();
    let mut trust = identity.trusted();
    trust.config.alpn_protocols.clear();
    post(&hub, &trust, "x");
    trust.config.alpn_protocols = vec![b"gopher".to_vec()];
    let refused = trust
        .connect(hub.tls_address())
        .expect_err("nothing in common");
    assert!(
        refused.to_string().contains("NoApplicationProtocol"),
        "{refused}"
    );
    wait_until("it is counted", || failures(&hub, "protocol") == 1);
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

#[test]
fn p15_handshakes_that_stall_hold_no_hub() {
    let identity = Identity::new();
    let hub = identity
        .shown_by(launch!("TIDINGS_DRAIN_WINDOW" = "300ms"))
        .start();
    let _silent = tidings_testkit::Http::connect(hub.tls_address());
    // Accepted by now, because those who come later are served.
    post(&hub, &identity.trusted(), "x");
    let (status, log) = hub.finish();
    assert_eq!(status.code(), Some(0));
    assert!(log.contains("\"drained\""), "{log}");
}

#[test]
fn sighup_exchanges_the_certificate_and_streams_stay() {
    let (mut identity, hub) = hub();
    let before = identity.trusted();
    let mut open = watch(&hub, &before, "/t/news", None).opened();
    let old = identity.certificate().clone();
    assert_eq!(
        open.http().tls().peer_certificates(),
        Some(&[old.clone()][..])
    );
    identity.renew();
    hub.signal(Signal::HUP);
    hub.wait_for_log("the TLS certificate was read again");
    // Its tickets open nothing any more, and it doesn't trust the new one.
    let refused = before
        .connect(hub.tls_address())
        .expect_err("another certificate");
    assert!(refused.to_string().contains("certificate"), "{refused}");
    let after = identity.trusted();
    let http = after.connect(hub.tls_address()).expect("TLS");
    let new = identity.certificate().clone();
    assert_eq!(http.tls().peer_certificates(), Some(&[new][..]));
    post(&hub, &after, "through both");
    assert_eq!(open.next().expect("an event").data, "through both");
    let seen = open.last_event_id().to_owned();
    drop(open);
    post(&hub, &after, "in between");
    let mut resumed = watch(&hub, &after, "/t/news", Some(&seen));
    assert_eq!(resumed.next().expect("an event").data, "in between");
}

#[test]
fn a_bad_file_changes_nothing_on_sighup() {
    let (mut identity, hub) = hub();
    let trust = identity.trusted();
    let key = std::fs::read_to_string(identity.key_file()).expect("a file");
    let other = Identity::new();
    let certificate = std::fs::read(other.certificate_file()).expect("a file");
    std::fs::write(identity.certificate_file(), certificate).expect("a file");
    hub.signal(Signal::HUP);
    let line = hub.wait_for_log("the TLS certificate stays as it was");
    assert!(
        line.contains("it isn't the key of the certificate in tls.certificate"),
        "{line}"
    );
    post(&hub, &trust, "still");
    std::fs::write(identity.key_file(), &key[..40]).expect("a file");
    hub.signal(Signal::HUP);
    let line = hub.wait_for_log("the TLS certificate stays as it was");
    assert!(line.contains("a section has no end"), "{line}");
    post(&hub, &trust, "still");
    // It can be mended without a restart.
    identity.renew();
    hub.signal(Signal::HUP);
    hub.wait_for_log("the TLS certificate was read again");
    post(&hub, &identity.trusted(), "mended");
}

#[test]
fn sighup_without_tls_ends_nothing() {
    let hub = launch!().start();
    hub.signal(Signal::HUP);
    hub.wait_for_log("there is nothing to read again");
    assert_eq!(hub.post("/t/news", "x").status, 200);
}

#[test]
fn c23_tickets_resume_without_early_data() {
    let (identity, hub) = hub();
    let mut trust = identity.trusted();
    trust.config.enable_early_data = true;
    for kind in [
        HandshakeKind::Full,
        HandshakeKind::Resumed,
        HandshakeKind::Resumed,
    ] {
        let mut connection = trust.connection();
        assert!(
            connection.early_data().is_none(),
            "a publish could be played again"
        );
        let http = tidings_testkit::Http::connect(hub.tls_address());
        let mut http = http.secure(connection).expect("TLS");
        // The tickets come with or before the answer.
        assert_eq!(http.request("GET", "/livez", &[], b"").status, 200);
        assert_eq!(http.tls().handshake_kind(), Some(kind));
    }
}

#[test]
fn plain_http_on_the_tls_port_is_told_what_to_do() {
    let (_identity, hub) = hub();
    let mut http = tidings_testkit::Http::connect(hub.tls_address());
    let answer = http.request("GET", "/t/news", &[], b"");
    assert_eq!((answer.status, &*answer.code()), (400, "bad-request"));
    assert!(answer.text().contains("https://"), "{}", answer.text());
    assert_eq!(http.read_to_close().expect("a close"), b"");
    wait_until("it is counted", || failures(&hub, "plain-http") == 1);
}

#[test]
fn c10_tls_on_the_plain_port_is_refused() {
    let (identity, hub) = hub();
    let mut hello = Vec::new();
    identity
        .trusted()
        .connection()
        .write_tls(&mut hello)
        .expect("a hello");
    let mut http = hub.http();
    http.send(&hello).expect("sent");
    let answer = http.answer(false).expect("an answer");
    check_problem(&answer, 400, "bad-request");
    assert_eq!(http.read_to_close().expect("a close"), b"");
}

/// RUSTSEC-2024-0399 was a panic at a hello in several records.
#[test]
fn c23_a_hello_in_pieces() {
    let (identity, hub) = hub();
    let mut trust = identity.trusted();
    trust.config.max_fragment_size = Some(32);
    post(&hub, &trust, "fragments");
    // And byte by byte, each in a segment of its own.
    let mut connection = trust.connection();
    let mut hello = Vec::new();
    while connection.wants_write() {
        connection.write_tls(&mut hello).expect("a hello");
    }
    let mut http = tidings_testkit::Http::connect(hub.tls_address());
    for byte in &hello {
        http.send(&[*byte]).expect("sent");
    }
    let mut http = http.secure(connection).expect("TLS");
    assert_eq!(http.request("POST", "/t/news", &[], b"bytes").status, 200);
    assert_eq!(hub.metric("tidings_events_published_total"), 2);
}

#[test]
fn c23_handshakes_that_come_to_nothing() {
    let (identity, hub) = hub();
    let trust = identity.trusted();
    let mut hello = Vec::new();
    trust.connection().write_tls(&mut hello).expect("a hello");
    // Silent, half a record, and a handshake that stops half-way.
    let mut stalled: Vec<_> = [&hello[..0], &hello[..40], &hello]
        .into_iter()
        .map(|bytes| {
            let mut http = tidings_testkit::Http::connect(hub.tls_address());
            http.send(bytes).expect("sent");
            http
        })
        .collect();
    // A hello without an end, and one that says too much.
    let huge = [&[22, 3, 1, 64, 0, 1, 15, 255, 255][..], &[0; 16380]].concat();
    for bytes in [&huge[..], &[21, 3, 3, 0, 2, 2, 40]] {
        let mut socket = TcpStream::connect(hub.tls_address()).expect("a hub");
        let _ = socket.write_all(bytes);
        let mut http = tidings_testkit::Http::connect(hub.tls_address());
        let _ = http.send(bytes);
        let _ = http.read_to_close();
    }
    drop(TcpStream::connect(hub.tls_address()).expect("a hub"));
    wait_until("who leaves is counted", || failures(&hub, "closed") > 0);
    wait_until("who breaks it is counted", || {
        failures(&hub, "protocol") > 0
    });
    post(&hub, &trust, "meanwhile");
    for http in &mut stalled {
        // Closed: by an end, or by a reset where something was unread.
        let closed = http.read_to_close();
        assert!(!closed.is_err_and(|error| error.kind() == ErrorKind::WouldBlock));
    }
    wait_until("who is slow is counted", || failures(&hub, "timeout") == 3);
}

#[test]
fn e2_a_hub_with_bad_files_does_not_start() {
    let identity = Identity::new();
    let other = Identity::new();
    std::fs::copy(other.key_file(), identity.key_file()).expect("a file");
    let launch = identity.shown_by(launch!());
    let (status, said) = launch.try_start().expect_err("another's key");
    assert_eq!(status.code(), Some(2));
    let key = identity.key_file().display().to_string();
    let expected = format!(
        "the configuration is invalid\n  tls.key: {key}: it isn't the key of the certificate in \
         tls.certificate\n"
    );
    assert!(said.ends_with(&expected), "{said}");
    std::fs::remove_file(identity.key_file()).expect("a file");
    let (status, said) = launch.try_start().expect_err("no key");
    assert_eq!(status.code(), Some(2));
    assert!(
        said.contains(&format!("tls.key: {key}: there is no such file")),
        "{said}"
    );
}

#[test]
fn config_check_reads_the_files() {
    let identity = Identity::new();
    let check = || {
        let mut command = tool::command(&["config", "check"]);
        with_tls(&mut command, &identity);
        Tool::spawn(&mut command).ended()
    };
    let fine = check();
    assert_eq!((fine.code, &*fine.stderr), (Some(0), ""));
    assert!(!fine.stdout.contains("warning: tls"), "{}", fine.stdout);
    let everyone = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(identity.key_file(), everyone).expect("a file of ours");
    let open = check();
    assert_eq!(open.code, Some(0));
    assert!(
        open.stdout.contains("\nwarning: tls.key: "),
        "{}",
        open.stdout
    );
    std::fs::write(identity.key_file(), "").expect("a file");
    check().check(2, &["tls.key: ", "the file is empty"]);
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
