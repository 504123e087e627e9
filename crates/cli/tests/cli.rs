//! The binary as a shell sees it: exit codes, standard output and error,
//! closed pipes.

use std::io::Write;
use std::process::{Command, Output, Stdio};

/// The binary with nothing of the caller's settings in its environment.
fn tidings(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TIDINGS_") {
            command.env_remove(name);
        }
    }
    command.args(args).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it with `input` on standard input.
fn run_with(args: &[&str], environment: &[(&str, &str)], input: &[u8]) -> Output {
    let mut command = tidings(args);
    command
        .envs(environment.iter().copied())
        .stdin(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    let mut stdin = child.stdin.take().expect("piped");
    // A command that doesn't read its input may be gone already.
    let _ = stdin.write_all(input);
    drop(stdin);
    child.wait_with_output().expect("the binary ends")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

#[track_caller]
fn check_fails(output: &Output, code: i32, parts: &[&str]) {
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert_eq!(text(&output.stdout), "", "an error goes to standard error");
    for part in parts {
        assert!(stderr.contains(part), "{part:?} isn't in {stderr:?}");
    }
}

#[track_caller]
fn check_succeeds(output: &Output, parts: &[&str]) {
    let stdout = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for part in parts {
        assert!(stdout.contains(part), "{part:?} isn't in {stdout:?}");
    }
}

/// What needs nothing but standard output.
const PRINTING: [&[&str]; 7] = [
    &["--help"],
    &["--version"],
    &["help", "serve"],
    &["serve", "--help"],
    &["decode", "--help"],
    &["config", "default"],
    &["config", "check"],
];

#[test]
fn e10_help_version_and_config_without_a_terminal() {
    for args in PRINTING {
        let output = run_with(args, &[], b"");
        check_succeeds(&output, &[]);
        assert!(!output.stdout.is_empty(), "{args:?}");
        assert!(
            output.stderr.is_empty(),
            "{args:?}: {}",
            text(&output.stderr)
        );
        assert!(
            !output.stdout.contains(&0x1b),
            "colour without a terminal: {args:?}"
        );
    }
    let version = run_with(&["--version"], &[], b"");
    let expected = format!("tidings {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(text(&version.stdout), expected);
}

#[test]
fn e10_a_closed_pipe_is_no_error() {
    let decode: &[&str] = &["decode", "--json"];
    for args in PRINTING.into_iter().chain([decode]) {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = tidings(args);
        command.stdout(writer).stdin(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        drop(command);
        let mut stdin = child.stdin.take().expect("piped");
        let _ = stdin.write_all(b"data: x\n\n");
        drop(stdin);
        let output = child.wait_with_output().expect("the binary ends");
        assert_eq!(
            output.status.code(),
            Some(0),
            "{args:?}: {}",
            text(&output.stderr)
        );
        assert_eq!(text(&output.stderr), "", "{args:?}");
    }
}

#[test]
fn e10_a_closed_standard_error_does_not_hide_the_exit_code() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    for (args, code) in [
        (["serve", "--listen", "x"], 2),
        (["no", "such", "thing"], 2),
    ] {
        let stderr = writer.try_clone().expect("a pipe");
        let status = tidings(&args)
            .stderr(stderr)
            .status()
            .expect("the binary starts");
        assert_eq!(status.code(), Some(code));
    }
}

#[test]
fn usage_errors_have_exit_code_2() {
    for args in [
        &[][..],
        &["srve"],
        &["serve", "--lisen", "127.0.0.1:0"],
        &["config"],
        &["decode", "file"],
    ] {
        assert_eq!(run_with(args, &[], b"").status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn the_printed_default_is_a_valid_configuration() {
    let default = run_with(&["config", "default"], &[], b"");
    check_succeeds(
        &default,
        &["listen = [\"127.0.0.1:8080\"]", "heartbeat = \"15s\""],
    );
    let checked = run_with(&["config", "check", "--config", "-"], &[], &default.stdout);
    check_succeeds(
        &checked,
        &[
            "ok: standard input",
            "connections: ",
            ", if the hub may open as many files as this process",
            "memory at worst: ",
            "of those of presence)",
            "history on disk: ",
        ],
    );
}

/// Whoever names the numbers gets the arithmetic of these, wherever it is asked
/// for; whoever names the memory gets as many places as that pays for.
#[test]
fn check_says_how_many_places_there_are() {
    let check = |limits: &str, texts: &[&str]| {
        let file = format!("[limits]\n{limits}\n");
        let output = run_with(&["config", "check", "--config", "-"], &[], file.as_bytes());
        check_succeeds(&output, texts);
    };
    check(
        "connections = 2000000\nsubscriptions = 3000000",
        &["connections: 2000000, streams: 3000000\n"],
    );
    check(
        "subscriptions = 5000",
        &["connections: ", ", streams: 5000\n"],
    );
    check(
        "memory_bytes = \"1GiB\"",
        &["connections: ", "memory at worst: "],
    );
}

#[test]
fn check_says_what_deserves_a_second_thought() {
    let file = b"listen = \"0.0.0.0:80\"\nopen = true\nstore = \"memory\"\n";
    let output = run_with(&["config", "check", "--config", "-"], &[], file);
    check_succeeds(
        &output,
        &[
            "warning: open = true on 0.0.0.0:80",
            "warning: store = \"memory\"",
            "in memory too",
        ],
    );
}

#[test]
fn e1_errors_of_a_file_have_its_name_line_and_column() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("hub.toml");
    std::fs::write(&path, "data = \"hunter2\"\n[stream]\nretri = 2\n").expect("a file");
    let path = path.to_str().expect("UTF-8");
    for args in [
        ["config", "check", "--config", path],
        ["serve", "--open", "--config", path],
    ] {
        let output = run_with(&args, &[], b"");
        let place =
            format!("{path}:3:1: unknown key \"retri\" in [stream]; did you mean \"retry\"?");
        check_fails(
            &output,
            2,
            &["tidings: the configuration is invalid\n  ", &place],
        );
        assert!(!text(&output.stderr).contains("hunter2"));
    }
}

#[test]
fn e1_errors_of_the_environment_and_of_flags_name_them() {
    let environment = [
        ("TIDINGS_STREAM_RETRI", "2s"),
        ("TIDINGS_LOG_LEVEL", "loud"),
    ];
    let output = run_with(&["serve", "--listen", "nowhere"], &environment, b"");
    check_fails(
        &output,
        2,
        &[
            "environment variable TIDINGS_STREAM_RETRI: there is no such setting; did you mean \
             \"TIDINGS_STREAM_RETRY\"?",
            "environment variable TIDINGS_LOG_LEVEL: expected \"error\"",
            "flag --listen: expected an IP address and a port",
        ],
    );
}

#[test]
fn a_configuration_file_that_is_missing_is_named() {
    let missing = "no/such/file.toml";
    let output = run_with(&["config", "check", "--config", missing], &[], b"");
    check_fails(
        &output,
        2,
        &["no/such/file.toml: there is no such configuration file"],
    );
    let output = run_with(&["serve"], &[("TIDINGS_CONFIG", missing)], b"");
    check_fails(
        &output,
        2,
        &["no/such/file.toml: there is no such configuration file"],
    );
}

#[test]
fn e2_a_configuration_that_is_not_utf8() {
    let output = run_with(
        &["config", "check", "--config", "-"],
        &[],
        b"open = true\n\xff",
    );
    check_fails(&output, 2, &["standard input:2:1: a byte that isn't UTF-8"]);
}

#[test]
fn an_exposed_address_needs_open() {
    let output = run_with(&["serve", "--listen", "0.0.0.0:0"], &[], b"");
    check_fails(
        &output,
        2,
        &["flag --listen: 0.0.0.0:0 can be reached", "--open"],
    );
}

#[test]
fn decode_writes_events_and_reports_what_it_skips() {
    let output = run_with(
        &["decode", "--json"],
        &[],
        b"event: a\ndata: \xf0\x9f\x8e\x89\nid: 1\n\n",
    );
    let expected = "{\"event\":\"a\",\"data\":\"🎉\",\"id\":\"1\",\"retry\":null}\n";
    assert_eq!(text(&output.stdout), expected);
    check_succeeds(&output, &[]);
    let output = run_with(&["decode"], &[], b"data:x\r\rdata: cut off");
    assert_eq!(text(&output.stdout), "data: x\n\n");
    assert!(text(&output.stderr).contains("the stream ends inside an event"));
    assert_eq!(output.status.code(), Some(0));
}
