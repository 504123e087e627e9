//! The rules of the event stream and of EventSource, each in a page of its own
//! (`js/eventsource`), run by the shell.

mod support;

use std::collections::BTreeSet;
use std::fs;
use support::{check_page, pages};

/// A test per page of `js/eventsource`, and the list of them.
macro_rules! rules {
    ($($name:ident)*) => {
        const RULES: &[&str] = &[$(stringify!($name)),*];
        $(
            #[test]
            fn $name() {
                let page = concat!("eventsource/", stringify!($name), ".any.js");
                check_page(&["harness.js", "pages.js", page]);
            }
        )*
    };
}

rules! {
    a1_constructor
    a2_new
    a3_url
    a4_state
    a5_handlers
    a6_close
    a7_dropped
    b1_last_event_id
    b2_empty_data
    b3_line_feed
    b4_event
    b5_closed
    b6_flags
    d1_utf8
    d2_bom
    d3_ill_formed
    d4_lines
    d5_cr_at_once
    d6_end_of_file
    f10_nul
    f1_comments
    f2_colon
    f3_no_colon
    f4_names
    f5_event
    f6_data
    f7_id
    f8_retry
    f9_unknown
    f_response
    p1_readable_stream
    r1_credentials
    r2_accept
    r3_cache
    r4_last_event_id
    r5_unsendable_id
    r6_original_url
    r7_redirects
    r8_cookies
    r9_cors
    t1_announce
    t2_reestablish
    t3_fail
    t4_delay
    t5_order
    t6_across
}

/// The rules of each letter: A the object, B dispatch, D decoding, F fields, R
/// the request, T announcing, reestablishing and failing. F without a number is
/// the response table, P1 whatwg/html pull request 12272.
const NUMBERS: [(char, usize); 6] = [('a', 7), ('b', 6), ('d', 6), ('f', 10), ('r', 9), ('t', 6)];

#[test]
fn each_rule_has_its_page() {
    let prefixes: BTreeSet<_> = RULES
        .iter()
        .filter_map(|rule| rule.split('_').next())
        .collect();
    let numbered = NUMBERS
        .into_iter()
        .flat_map(|(letter, count)| (1..=count).map(move |number| format!("{letter}{number}")));
    let mut expected: BTreeSet<String> = numbered.collect();
    expected.extend(["f".to_owned(), "p1".to_owned()]);
    assert_eq!(prefixes, expected.iter().map(String::as_str).collect());
}

#[test]
fn each_page_is_run_and_in_the_table() {
    let directory = pages().join("eventsource");
    let table = fs::read_to_string(directory.join("README.md")).expect("the table");
    let files = fs::read_dir(&directory).expect("pages").map(|file| {
        file.expect("a file")
            .file_name()
            .into_string()
            .expect("UTF-8")
    });
    let files: BTreeSet<String> = files.filter(|name| name.ends_with(".js")).collect();
    let run: BTreeSet<String> = RULES.iter().map(|rule| format!("{rule}.any.js")).collect();
    assert_eq!(files, run);
    for file in files {
        assert!(
            table.contains(&format!("({file})")),
            "{file} is not in the table"
        );
    }
}
