//! `tidings listen` against a server whose every byte the test says.

mod tool;

use tidings_testkit::{CANARY, Scripted};
use tool::{Ended, Tool, listen, run, stream};

const STREAM: &str = "id: 0\n\nretry: 20\n: comment\nevent: kind\ndata: two\ndata: lines\nid: 1\n\n\
                      data: plain\n\nid\ndata: ünï\n\n";

/// What `STREAM` becomes.
#[track_caller]
fn check_output(args: &[&str], expected: &str) -> Ended {
    let server = Scripted::new();
    let tool = listen(&server, &[args, &["--preset", "once"]].concat());
    stream(&server, STREAM).end();
    let ended = tool.ended();
    assert_eq!(ended.stdout, expected, "{args:?}");
    ended.check(0, &[]);
    assert_eq!(
        ended.stderr, "",
        "it says nothing unless asked, or to a terminal"
    );
    ended
}

#[test]
fn output_has_the_form_that_was_asked_for() {
    let sse = "event: kind\nretry: 20\ndata: two\ndata: lines\nid: 1\n\ndata: plain\n\ndata: ünï\nid: \n\n";
    let json = "{\"event\":\"kind\",\"data\":\"two\\nlines\",\"id\":\"1\",\"retry\":20}\n\
                {\"event\":\"message\",\"data\":\"plain\",\"id\":\"1\",\"retry\":null}\n\
                {\"event\":\"message\",\"data\":\"ünï\",\"id\":\"\",\"retry\":null}\n";
    check_output(&[], sse);
    check_output(&["--format", "sse"], sse);
    check_output(&["--json"], json);
    check_output(&["--format", "json"], json);
    check_output(&["--format", "data"], "two\nlines\nplain\nünï\n");
}

#[test]
fn types_and_count_choose_events() {
    check_output(&["--format=data", "--type", "kind"], "two\nlines\n");
    check_output(
        &["--format=data", "--event=message", "--type=kind"],
        "two\nlines\nplain\nünï\n",
    );
    check_output(&["--format=data", "--type=other"], "");
    for (count, output) in [("1", "two\nlines\n"), ("2", "two\nlines\nplain\n")] {
        let server = Scripted::new();
        let tool = listen(&server, &["--format", "data", "-n", count]);
        let exchange = stream(&server, STREAM);
        let ended = tool.ended();
        ended.check(0, &[]);
        assert_eq!(ended.stdout, output);
        exchange.closed();
    }
    let server = Scripted::new();
    let tool = listen(&server, &["--format=data", "--count=1", "--type=message"]);
    stream(&server, STREAM);
    assert_eq!(tool.ended().stdout, "plain\n");
}

#[test]
fn output_is_the_input_of_decode() {
    let server = Scripted::new();
    let tool = listen(&server, &["--preset", "once"]);
    stream(&server, STREAM).end();
    let decoded = run(&["decode", "--json"], tool.ended().stdout.as_bytes());
    check_output(&["--json"], &decoded.stdout);
}

/// The request that `args` make, with `input` on standard input.
#[track_caller]
fn asked(args: &[&str], input: &str) -> tidings_testkit::Asked {
    let server = Scripted::new();
    let mut tool = listen(&server, args);
    tool.input(input.as_bytes());
    tool.end_input();
    server.next().asked
}

#[test]
fn the_request_is_what_was_asked_for() {
    let plain = asked(&[], "unread");
    assert_eq!((&*plain.method, &*plain.path), ("GET", "/t/x"));
    assert_eq!(plain.header("accept").as_deref(), Some("text/event-stream"));
    assert_eq!(plain.header("cache-control").as_deref(), Some("no-cache"));
    for name in ["last-event-id", "content-type", "authorization"] {
        assert_eq!(plain.header(name), None);
    }
    let headers = asked(
        &[
            "-H",
            "X-A: 1",
            "--header=x-a:2",
            "-H",
            "Authorization: Bearer t",
        ],
        "",
    );
    assert_eq!(headers.header("x-a").as_deref(), Some("1, 2"));
    assert_eq!(headers.header("authorization").as_deref(), Some("Bearer t"));
    assert_eq!(
        asked(&["--since", "last:5 &"], "").path,
        "/t/x?since=last%3A5+%26"
    );
    let id = asked(&["--last-event-id", "é 1"], "").header("last-event-id");
    assert_eq!(id.as_deref(), Some("é 1"));
}

#[test]
fn data_is_posted() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("body");
    std::fs::write(&file, "from a file\n").expect("a file");
    let from_file = format!("@{}", file.display());
    let text = "text/plain; charset=utf-8";
    let table = [
        (
            &["--data", "{\"stream\":true}"][..],
            "",
            "POST",
            "application/json",
            "{\"stream\":true}",
        ),
        (&["-d", "a b"], "", "POST", text, "a b"),
        (&["-d", "-"], "from input\n", "POST", text, "from input\n"),
        (&["-d", &from_file], "", "POST", text, "from a file\n"),
        (&["-d", "x", "-X", "REPORT"], "", "REPORT", text, "x"),
        (
            &["-d", "x", "-H", "content-type: a/b"],
            "",
            "POST",
            "a/b",
            "x",
        ),
    ];
    for (args, input, method, content_type, body) in table {
        let asked = asked(args, input);
        assert_eq!((&*asked.method, &*asked.text()), (method, body), "{args:?}");
        assert_eq!(
            asked.header("content-type").as_deref(),
            Some(content_type),
            "{args:?}"
        );
    }
    assert_eq!(asked(&["-X", "OPTIONS"], "").method, "OPTIONS");
}

#[test]
fn a_user_in_the_url_is_authorized() {
    let server = Scripted::new();
    let url = format!("me:p%20w@{}/t/x", server.address());
    let _tool = Tool::start(&["listen", &url]);
    let asked = server.next().asked;
    // RFC 7617: base64 of "me:p w".
    assert_eq!(
        asked.header("authorization").as_deref(),
        Some("Basic bWU6cCB3")
    );
    assert_eq!(asked.path, "/t/x");
}

#[test]
fn a_lost_stream_is_resumed_and_only_said_when_asked() {
    for verbose in [false, true] {
        let server = Scripted::new();
        let args: &[&str] = if verbose { &["-v"] } else { &[] };
        let mut tool = listen(
            &server,
            &[args, &["--format", "data", "--since=1m", "-n", "3"]].concat(),
        );
        stream(&server, "retry: 100\ndata: a\nid: 1\n\n").end();
        assert_eq!(tool.line(), "a");
        let mut second = stream(&server, "data: b\nid: 2\n\nid: 3\n\n");
        assert_eq!(second.asked.path, "/t/x?since=1m");
        assert_eq!(second.asked.header("last-event-id").as_deref(), Some("1"));
        assert_eq!(tool.line(), "b");
        second.send("data: cut off");
        second.reset();
        let third = stream(&server, "data: c\n\n");
        assert_eq!(third.asked.header("last-event-id").as_deref(), Some("3"));
        let ended = tool.ended();
        ended.check(0, &[]);
        assert_eq!(ended.stdout, "c\n");
        let told = ended.stderr.lines().count();
        match verbose {
            true => {
                ended.check(
                    0,
                    &[
                        "tidings listen: connected to 127.0.0.1:",
                        "the server ended the stream; again in 0.1 s",
                    ],
                );
                assert_eq!(told, 5, "{}", ended.stderr);
            }
            false => assert_eq!(told, 0, "{}", ended.stderr),
        }
    }
}

#[test]
fn d14_silence_is_a_lost_connection() {
    let server = Scripted::new();
    let mut tool = listen(&server, &["--format=data", "--idle=300ms"]);
    let first = stream(&server, "retry: 100\ndata: a\nid: 1\n\n");
    assert_eq!(tool.line(), "a");
    let second = stream(&server, "data: b\n\n");
    assert_eq!(second.asked.header("last-event-id").as_deref(), Some("1"));
    assert_eq!(tool.line(), "b");
    first.closed();
}

#[test]
fn gaps_are_shown() {
    let gap = "event: tidings:gap\ndata: {\"reason\":\"expired\",\"since\":\"td-7\"}\nid: td-7\n\ndata: after\n\n";
    let json = "{\"event\":\"tidings:gap\",\"data\":\"{\\\"reason\\\":\\\"expired\\\",\\\"since\\\":\\\"td-7\\\"}\",\
                \"id\":\"td-7\",\"retry\":null}\n\
                {\"event\":\"message\",\"data\":\"after\",\"id\":\"td-7\",\"retry\":null}\n";
    let table = [
        (&["--format=sse"][..], gap),
        (&["--json"], json),
        (&["--json", "--type=message"], json),
        (&["--format=data"], "after\n"),
    ];
    for (args, output) in table {
        let server = Scripted::new();
        // A gap doesn't count.
        let tool = listen(&server, &[args, &["-n", "1"]].concat());
        stream(&server, gap);
        let ended = tool.ended();
        assert_eq!(ended.stdout, output, "{args:?}");
        ended.check(
            0,
            &["tidings listen: events are missing before what comes next: "],
        );
        assert_eq!(ended.stderr.lines().count(), 1);
    }
}

#[test]
fn d8_too_large_events_are_reported_and_fail_the_command() {
    let server = Scripted::new();
    let tool = listen(&server, &["--format=data", "--preset=once"]);
    let mut exchange = stream(&server, "data: a\n\ndata: ");
    exchange.send(vec![b'x'; (16 << 20) + 1]);
    exchange.send("\n\ndata: b\n\n");
    exchange.end();
    let ended = tool.ended();
    assert_eq!(ended.stdout, "a\nb\n");
    ended.check(
        1,
        &[
            "tidings listen: an event is larger than the limit",
            "too large and were skipped: 1",
        ],
    );
}

#[test]
fn wait_is_for_the_first_connection_only() {
    let server = Scripted::new();
    let mut tool = listen(&server, &["--wait", "1h", "--format=data", "-v", "-n2"]);
    server.next().answer(503, &[], "");
    stream(&server, "retry: 100\ndata: a\n\n").end();
    assert_eq!(tool.line(), "a");
    stream(&server, "data: b\n\n");
    tool.ended()
        .check(0, &["the server answered 503", "connected to"]);
}

#[test]
fn usage_errors_repeat_no_secrets() {
    let header = format!("--header=Authorization {CANARY}");
    let control = format!("--header=X: {CANARY}\u{1}");
    let unknown = format!("--secret={CANARY}");
    let in_path = format!("ftp://host/{CANARY}");
    let in_user = format!("http://user:{CANARY}@host:99999/");
    let since = format!("host/?since={CANARY}");
    let id = format!("--last-event-id={CANARY}\n");
    let table: [&[&str]; 14] = [
        &["listen"],
        &["listen", "--header", "Authorization:", "Bearer", CANARY],
        &["listen", "host", &unknown],
        &["listen", ""],
        &["listen", "/t/x"],
        &["listen", &in_path],
        &["listen", &in_user],
        &["listen", "host", &header],
        &["listen", "host", &control],
        &["listen", "host", "--header", "Last-Event-ID: 1"],
        &["listen", &since, "--since=1m"],
        &["listen", "host", &id],
        &["listen", "host", "--method", "G T"],
        &["listen", "host", "--cacert", "/nowhere"],
    ];
    for args in table {
        let ended = run(args, b"");
        ended.check(2, &[]);
        assert!(!ended.stderr.is_empty() && ended.stdout.is_empty());
        assert!(!ended.stderr.contains(CANARY), "{args:?}: {}", ended.stderr);
    }
    let table: [&[&str]; 6] = [
        &["--count", "0"],
        &["--count", "-1"],
        &["--preset", "brave"],
        &["--idle", "45"],
        &["--timeout", "soon"],
        &["--json", "--format=data"],
    ];
    for args in table {
        run(&[&["listen", "127.0.0.1:1"], args].concat(), b"").check(2, &[]);
    }
}

#[test]
fn p26_secrets_stand_in_no_output() {
    let answers: [(u16, &[(&str, &str)]); 5] = [
        (401, &[]),
        (500, &[]),
        (302, &[("Location", "http://user:kanarienvogel@[")]),
        (302, &[("Location", "ftp://host/kanarienvogel")]),
        (200, &[("Content-Type", "text/kanarienvogel")]),
    ];
    let header = format!("Authorization: Bearer {CANARY}");
    let secret = |server: &Scripted| {
        let url = format!(
            "http://me:{CANARY}@{}/{CANARY}?token={CANARY}#{CANARY}",
            server.address()
        );
        let id = format!("--last-event-id={CANARY}");
        Tool::start(&[
            "listen",
            &url,
            "-v",
            "-H",
            &header,
            &id,
            "--format=data",
            "--data",
            CANARY,
        ])
    };
    for (status, headers) in answers {
        let server = Scripted::new();
        let tool = secret(&server);
        server.next().answer(status, headers, CANARY);
        let ended = tool.ended();
        assert!(!ended.stderr.is_empty());
        assert!(!format!("{ended:?}").contains(CANARY), "{ended:?}");
    }
    let server = Scripted::new();
    let mut tool = secret(&server);
    stream(&server, "retry: 100\ndata: seen\n\n").end();
    assert_eq!(tool.line(), "seen");
    server.next().answer(403, &[], CANARY);
    let ended = tool.ended();
    ended.check(
        4,
        &[
            "connected to 127.0.0.1",
            "again in",
            "the server answered 403",
        ],
    );
    assert!(!format!("{ended:?}").contains(CANARY), "{ended:?}");
}
