//! How `tidings listen` ends, and with which exit code.

mod tool;

use std::process::Stdio;
use tidings_testkit::Scripted;
use tool::{Tool, command, listen, run, stream};

/// What becomes of the answer to the first request.
#[track_caller]
fn check_exit(args: &[&str], status: u16, headers: &[(&str, &str)], code: i32, said: &str) {
    let server = Scripted::new();
    let tool = listen(&server, args);
    server.next().answer(status, headers, "data: x\n\n");
    let ended = tool.ended();
    ended.check(code, &[said]);
    assert_eq!(ended.stdout, "");
}

#[test]
fn exit_codes_of_answers() {
    for preset in ["standard", "resilient", "once"] {
        let preset = format!("--preset={preset}");
        for (status, code) in [
            (400, 4),
            (401, 4),
            (404, 4),
            (410, 4),
            (500, 5),
            (501, 5),
            (503, 5),
            (205, 1),
        ] {
            let said = format!("the server answered {status}");
            check_exit(&[&preset], status, &[], code, &said);
        }
        check_exit(
            &[&preset],
            429,
            &[("Retry-After", "3600")],
            4,
            "the server answered 429",
        );
        check_exit(&[&preset], 204, &[], 0, "");
        check_exit(
            &[&preset],
            200,
            &[("Content-Type", "text/html")],
            1,
            "not text/event-stream",
        );
        check_exit(&[&preset], 302, &[], 1, "a redirect can't be followed");
        check_exit(
            &[&preset],
            302,
            &[("Location", "")],
            1,
            "a redirect can't be followed",
        );
    }
}

#[test]
fn what_a_refusal_says_is_shown() {
    let problem = [("Content-Type", "application/problem+json")];
    let detail = "{\"detail\":\"no \\u001bsuch topic\"}";
    for preset in ["standard", "resilient", "once"] {
        let server = Scripted::new();
        let tool = listen(&server, &["--preset", preset]);
        server.next().answer(404, &problem, detail);
        let text = "the server answered 404, an event stream needs 200: no such topic\n";
        tool.ended().check(4, &[text]);
    }
    let hub = tidings_testkit::launch!().start();
    let url = format!("{}/t/x?since=last:many", hub.address());
    run(&["listen", &url], b"").check(4, &["needs 200: "]);
}

#[test]
fn an_answer_that_ends_ends_it() {
    let until = ["--until", "[DONE]", "--preset=once", "--format=data"];
    let table = [
        (
            &until[..],
            "data: a\n\ndata: [DONE]\n\ndata: b\n\n",
            "a\n",
            0,
        ),
        // Part of the answer is missing.
        (&until, "data: a\n\n", "a\n", 6),
        (&until[2..], "data: a\n\ndata: [DONE]\n\n", "a\n[DONE]\n", 0),
    ];
    for (args, text, output, code) in table {
        let server = Scripted::new();
        let tool = listen(&server, args);
        stream(&server, text).end();
        let ended = tool.ended();
        ended.check(code, &[]);
        assert_eq!(ended.stdout, output);
    }
}

#[test]
fn exit_codes_without_an_answer() {
    let table = [
        (
            &["listen", "127.0.0.1:1"][..],
            6,
            "listen: 127.0.0.1:1: the server could not be reached",
        ),
        (
            &["listen", "127.0.0.1:1", "--preset=standard"],
            6,
            "could not be reached",
        ),
        (
            &["listen", "127.0.0.1:1", "--preset=once"],
            6,
            "could not be reached",
        ),
        (
            &["listen", "127.0.0.1:1", "--wait", "300ms"],
            7,
            "no connection in the time",
        ),
        (
            &[
                "listen",
                "127.0.0.1:1",
                "--wait",
                "1h",
                "--timeout",
                "300ms",
            ],
            7,
            "the time is over",
        ),
    ];
    for (args, code, said) in table {
        run(args, b"").check(code, &[said]);
    }
    let server = Scripted::new();
    let tool = listen(&server, &["--timeout", "300ms"]);
    let ended = tool.ended();
    ended.check(7, &["the time is over"]);
    // It is lost before there is an answer. TLS is no request at all.
    let server = Scripted::new();
    let tool = listen(&server, &[]);
    server.next().reset();
    tool.ended().check(6, &["listen: 127.0.0.1:"]);
    let hub = tidings_testkit::launch!().start();
    let url = format!("https://{}/", hub.address());
    run(&["listen", &url], b"").check(6, &["the TLS handshake failed"]);
}

#[test]
fn e10_a_closed_pipe_ends_it_at_once() {
    // While nothing is there to write, and when something is.
    for text in ["", "data: x\n\n"] {
        let server = Scripted::new();
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let url = server.url("/");
        let mut command = command(&["listen", &url]);
        let tool = Tool::spawn(command.stdout(writer));
        drop(command);
        let mut exchange = stream(&server, "");
        drop(reader);
        exchange.send(text);
        let ended = tool.ended();
        ended.check(0, &[]);
        assert_eq!(ended.stderr, "");
        exchange.closed();
    }
}

#[test]
fn an_output_that_is_full_fails() {
    let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else {
        eprintln!("skipped: there is no /dev/full");
        return;
    };
    let server = Scripted::new();
    let url = server.url("/");
    let tool = Tool::spawn(command(&["listen", &url]).stdout(full));
    stream(&server, "data: x\n\n");
    tool.ended().check(1, &["standard output can't be written"]);
}

#[test]
fn an_interrupt_ends_it_with_130() {
    let server = Scripted::new();
    let mut tool = listen(&server, &["--format=data"]);
    let exchange = stream(&server, "data: x\n\n");
    assert_eq!(tool.line(), "x");
    tool.interrupt();
    let ended = tool.ended();
    assert_eq!((ended.code, &*ended.stderr), (Some(130), ""));
    exchange.closed();
    // Also while it waits for who reads its output.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let url = server.url("/");
    let tool = Tool::spawn(
        command(&["listen", &url])
            .stdout(writer)
            .stdin(Stdio::null()),
    );
    let mut exchange = stream(&server, "");
    exchange.send(format!("data: {}\n\n", "x".repeat(1 << 20)));
    tidings_testkit::wait_until("the pipe is full", || {
        rustix::io::ioctl_fionread(&reader).is_ok_and(|bytes| bytes >= 4096)
    });
    tool.interrupt();
    assert_eq!(tool.ended().code, Some(130));
}
