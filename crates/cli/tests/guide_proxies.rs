//! The proxies of the guide, with the configuration that their pages show: events
//! arrive at once, heartbeats keep streams open, and streams resume through them.

use tidings_testkit::guide::{Machine, Running, Walk};

/// What a watcher behind the proxy runs.
const WATCH: &str = "curl -N -D - --cacert certificate.pem https://localhost/t/proof";

/// What a page says, done; the machine goes on.
fn stand(page: &str, change: impl FnOnce(&Machine)) -> Option<Walk> {
    let mut walk = Walk::begin(page, env!("CARGO_BIN_EXE_tidings"))?;
    change(walk.machine());
    walk.go();
    Some(walk)
}

/// Starts a watcher, and waits until the hub has told it where it begins.
fn watch(machine: &Machine, command: &str) -> Running {
    let mut watching = machine.start(command);
    watching.wait_for("where it begins", |output| output.contains("\nid: td-"));
    watching
}

fn publish(machine: &Machine, data: &str) {
    machine.run(&format!("curl -d '{data}' localhost:8080/t/proof"));
}

/// An event is there with nothing behind it that could have pushed it through,
/// over both versions of HTTP; and who resumes is given what came meanwhile.
#[track_caller]
fn check_passes_at_once(page: &str) {
    let Some(walk) = stand(page, |_| ()) else {
        return;
    };
    let machine = walk.machine();
    let versions = [("--http2", "HTTP/2 200"), ("--http1.1", "HTTP/1.1 200 OK")];
    let mut watching = versions.map(|(flag, head)| {
        let mut watching = watch(machine, &format!("{WATCH} {flag}"));
        watching.wait_for(head, |output| output.starts_with(head));
        watching
    });
    publish(machine, "the first");
    let mut ids = watching.iter_mut().map(|watching| {
        let seen = watching.wait_for("the event", |output| {
            output.contains("data: the first\n") && output.ends_with("\n\n")
        });
        let behind = seen
            .split_once("data: the first\nid: ")
            .map(|(_, rest)| rest);
        let id = behind.map(str::trim_end).filter(|id| !id.contains('\n'));
        id.unwrap_or_else(|| panic!("more came behind it: {seen}"))
            .to_owned()
    });
    let id = ids.next().expect("two of them");
    assert_eq!(ids.next(), Some(id.clone()));
    publish(machine, "the second");
    for (version, _) in versions {
        let mut resumed = machine.start(&format!("{WATCH} {version} -H 'Last-Event-ID: {id}'"));
        let seen = resumed.wait_for("what it missed", |output| {
            output.contains("data: the second\n")
        });
        assert!(!seen.contains("the first"), "{seen}");
    }
}

#[test]
fn nginx_passes_events_at_once() {
    check_passes_at_once("docs/howto/nginx.md");
}

#[test]
fn caddy_passes_events_at_once() {
    check_passes_at_once("docs/howto/caddy.md");
}

#[test]
fn haproxy_passes_events_at_once() {
    check_passes_at_once("docs/howto/haproxy.md");
}

#[test]
fn traefik_passes_events_at_once() {
    check_passes_at_once("docs/howto/traefik.md");
}

/// What the checks above would notice: an nginx that doesn't listen to the hub.
#[test]
fn nginx_that_is_told_to_buffer_holds_events_back() {
    let second = |machine: &Machine| drop(machine.run("TIDINGS_STREAM_HEARTBEAT=1s"));
    let Some(walk) = stand("docs/howto/nginx.md", second) else {
        return;
    };
    let machine = walk.machine();
    change(
        machine,
        "nginx.conf",
        &[
            (
                "proxy_read_timeout 60s;",
                "proxy_ignore_headers X-Accel-Buffering;",
            ),
            ("proxy_http_version 1.1;", ""),
            ("proxy_set_header Connection \"\";", ""),
        ],
    );
    machine.run("nginx -p . -c nginx.conf -s stop; while pidof nginx; do :; done");
    machine.run("nginx -p . -c nginx.conf");
    let mut direct = watch(machine, "curl -N localhost:8080/t/proof");
    let mut held = machine.start(WATCH);
    machine.run("until curl -s localhost:8080/metrics | grep '^tidings_subscribers 2'; do :; done");
    publish(machine, "held back");
    direct.wait_for("the event, and heartbeats behind it", |output| {
        let behind = output.split_once("data: held back\n");
        behind.is_some_and(|(_, behind)| beats(behind) >= 2)
    });
    assert_eq!(
        held.output().matches("data:").count(),
        0,
        "{}",
        held.output()
    );
    machine.run("curl -X DELETE localhost:8080/t/proof");
    held.wait_for("all of it", |output| output.contains("data: held back\n"));
}

/// Puts others in the place of some words of a file.
fn change(machine: &Machine, file: &str, words: &[(&str, &str)]) {
    let path = machine.directory().join(file);
    let mut text = std::fs::read_to_string(&path).expect("the page's file");
    for (from, to) in words {
        assert!(text.contains(from), "{file} has no {from}");
        text = text.replace(from, to);
    }
    std::fs::write(&path, text).expect("room for a file");
}

fn beats(output: &str) -> usize {
    output.lines().filter(|line| line.trim_end() == ":").count()
}

/// With the page's time-out of 60 s cut to 2 s: heartbeats of 1 s are passed on
/// and keep a stream for several times as long, and without any it ends.
#[track_caller]
fn check_heartbeats_keep_it_open(page: &str, file: &str) {
    let set = |machine: &Machine, heartbeat: &str| {
        change(machine, file, &[("60s", "2s")]);
        machine.run(&format!("TIDINGS_STREAM_HEARTBEAT={heartbeat}"));
    };
    let Some(walk) = stand(page, |machine| set(machine, "1s")) else {
        return;
    };
    let mut kept = watch(walk.machine(), &format!("{WATCH} --http2"));
    kept.wait_for("six heartbeats", |output| beats(output) >= 6);
    publish(walk.machine(), "still there");
    kept.wait_for("the event", |output| output.contains("data: still there\n"));
    drop(walk);
    let walk = stand(page, |machine| set(machine, "40s"));
    let walk = walk.expect("it could be run a moment ago");
    watch(walk.machine(), &format!("{WATCH} --http2")).wait();
}

#[test]
fn heartbeats_keep_streams_through_nginx_open() {
    check_heartbeats_keep_it_open("docs/howto/nginx.md", "nginx.conf");
}

#[test]
fn heartbeats_keep_streams_through_haproxy_open() {
    check_heartbeats_keep_it_open("docs/howto/haproxy.md", "haproxy.cfg");
}
