//! The globals of the realm (`js/globals`), and the shell around them.

mod support;

use support::server::Server;
use support::{check_page, pages, shell};

/// A test per page of `js/globals`.
macro_rules! globals {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                let page = concat!("globals/", stringify!($name), ".js");
                check_page(&["harness.js", "pages.js", page]);
            }
        )*
    };
}

globals! {
    events
    fetching
    streams
    urls
    window
}

/// What the shell prints, what of it goes to standard error, and how it ends.
#[track_caller]
fn check(args: &[&str], printed: &str, complained: &str, code: i32) {
    let output = shell(args);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout), printed, "{error}");
    assert!(error.contains(complained), "{error}");
    assert!(error.is_empty() || !complained.is_empty(), "{error}");
    assert_eq!(output.status.code(), Some(code), "{error}");
}

#[test]
fn scripts_share_a_realm_and_come_in_order() {
    let path = pages().join("nothing_such.js");
    check(
        &["-e", "let x = 1", "-e", "print(x, location.href)"],
        "1 about:blank\n",
        "",
        0,
    );
    check(&[path.to_str().expect("UTF-8")], "", "can't be read", 2);
}

#[test]
fn what_nothing_catches_is_told_and_stops_nothing_else() {
    let throws = "setTimeout(() => print('later')); throw new TypeError('why')";
    check(
        &["-e", throws, "-e", "print('next')"],
        "next\nlater\n",
        "TypeError: why",
        1,
    );
    check(
        &["-e", "Promise.reject(new RangeError('no'))"],
        "",
        "RangeError: no",
        1,
    );
    check(&["-e", "}"], "", "SyntaxError", 1);
    let handled = "const p = Promise.reject(1); p.catch(() => print('ok'))";
    check(&["-e", handled], "ok\n", "", 0);
    let canceled = "onerror = () => true; throw 1";
    check(&["-e", canceled], "", "", 0);
}

#[test]
fn it_ends_when_nothing_is_pending_or_its_time_is_over() {
    check(
        &["-e", "setTimeout(() => print('last'), 5)"],
        "last\n",
        "",
        0,
    );
    check(
        &["-e", "new ReadableStream().getReader().read()"],
        "",
        "",
        0,
    );
    for endless in [
        "setTimeout(() => {}, 1e6)",
        "setInterval(() => {})",
        "for (;;);",
    ] {
        check(
            &["--timeout", "0.05", "-e", endless],
            "",
            "--timeout is over",
            7,
        );
    }
}

#[test]
fn output_goes_where_a_shell_sends_it() {
    let code = "console.log('a', {b: [1, 'x']}); print('c', 2)";
    check(&["-e", code], "a {b: [1, \"x\"]}\nc 2\n", "", 0);
    check(&["-e", "console.error('e')"], "", "e\n", 0);
    check(&["-e", "print('\\ud800')"], "\u{FFFD}\n", "", 0);
}

#[test]
fn meta_lines_are_followed_if_asked_to() {
    let server = Server::start();
    let location = format!("http://page.test:{}/dir/", server.ports[0]);
    let args = [
        "--location",
        &location,
        "--resolve",
        "page.test=127.0.0.1",
        "--meta",
    ];
    let body = "header=Content-Type:text/javascript&body=print(typeof%20test,'of%20the%20script')";
    let scripts = [
        "'document' in self || print('no document yet')",
        // What a harness waits for, until all scripts have been evaluated.
        "function test() {} Promise.resolve().then(() => print('microtask'))",
        &format!(
            "// META: title=The title\n// META: script=/serve?{body}\nprint(document.title, META_TITLE)"
        ),
    ];
    let scripts = scripts.iter().flat_map(|code| ["-e", code]);
    let args: Vec<&str> = args.into_iter().chain(scripts).collect();
    let printed = "no document yet\nfunction of the script\nThe title The title\nmicrotask\n";
    check(&args, printed, "", 0);
}
