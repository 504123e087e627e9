//! Tickets: sealing, and one stream each.

mod common;

use common::*;
use serde_json::{Value, json};
use std::sync::Arc;
use tidings_auth::ticket::{
    CALM_MS, LONGEST_MS, StreamId, Ticket, TicketId, TicketKey, UsedTickets,
};
use tidings_auth::{Refusal, Rights, Strictness};
use tidings_engine::Timestamp;

/// A ticket opens its stream within a minute.
const OPENS_WITHIN_MS: u64 = 60_000;

fn key(byte: u8) -> TicketKey {
    TicketKey::new(&[byte; 32]).expect("a key")
}

fn holder(others: Value) -> Arc<Rights> {
    rights(
        &verifier(Strictness::Legacy),
        &token(hs_header(), claims(others)),
    )
}

fn later(ms: u64) -> Timestamp {
    Timestamp(NOW.0 + ms)
}

fn sealed(rights: &Rights) -> String {
    key(1)
        .seal(rights, TicketId([7; 16]), [9; 12], NOW)
        .expect("sealed")
}

fn hour() -> Arc<Rights> {
    holder(json!({
        "exp": NOW_S + 3600, "sub": "ann",
        "tidings": {"subscribe": ["news"]}, "mercure": {"subscribe": ["https://a.example/{x}"]},
    }))
}

#[track_caller]
fn check_opens(text: &str, at: Timestamp, expected: Result<(), Refusal>) {
    assert_eq!(key(1).open(text, &BASE, at).map(drop), expected);
}

#[test]
fn a_ticket_holds_the_rights_of_its_token() {
    let rights = hour();
    let text = sealed(&rights);
    let ticket = key(1).open(&text, &BASE, later(5)).expect("a ticket");
    assert_eq!(ticket.id, TicketId([7; 16]));
    assert_eq!(ticket.issued, NOW);
    assert_eq!(Some(ticket.expires), rights.expires);
    assert_eq!(ticket.rights.to_record(), rights.to_record());
    assert!(
        text.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    );
    assert!(!format!("{:?}{ticket:?}", key(1)).contains("news"));
}

#[test]
fn a_ticket_is_nobody_s_admin() {
    let rights = holder(json!({"tidings": {"admin": true, "subscribe": ["news"]}}));
    assert!(rights.admin);
    let ticket = key(1).open(&sealed(&rights), &BASE, NOW).expect("a ticket");
    assert!(!ticket.rights.admin);
}

#[test]
fn a_ticket_is_opaque_and_nobody_else_s() {
    let text = sealed(&hour());
    assert!(!text.contains(&b64("ann")[..3]) || !text.contains(&b64("news")));
    assert_eq!(
        key(2).open(&text, &BASE, NOW).map(drop),
        Err(Refusal::Ticket)
    );
    // Every character counts.
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'E' } else { b'A' };
        let changed = String::from_utf8(bytes).expect("ASCII");
        check_opens(&changed, NOW, Err(Refusal::Ticket));
    }
    for length in 0..text.len() {
        check_opens(&text[..length], NOW, Err(Refusal::Ticket));
    }
    for other in [
        format!("{text}A"),
        format!("{text}="),
        "A".repeat(1_000_000),
        "\u{fc}".into(),
    ] {
        check_opens(&other, NOW, Err(Refusal::Ticket));
    }
}

#[test]
fn a_ticket_ends_with_its_token() {
    let text = sealed(&hour());
    check_opens(&text, later(3_600_000 - 1), Ok(()));
    check_opens(&text, later(3_600_000), Err(Refusal::TicketExpired));
    let expired = key(1).seal(&hour(), TicketId([7; 16]), [9; 12], later(3_600_000));
    assert_eq!(expired, Err(Refusal::Expired));
    let endless = sealed(&holder(json!({"exp": null})));
    check_opens(&endless, later(LONGEST_MS - 1), Ok(()));
    check_opens(&endless, later(LONGEST_MS), Err(Refusal::TicketExpired));
}

fn ticket(id: u8, issued: u64) -> Ticket {
    Ticket {
        id: TicketId([id; 16]),
        rights: Rights::default().into(),
        issued: later(issued),
        expires: later(3_600_000),
    }
}

/// When, which ticket, made when, with a cursor or not, and what comes of it:
/// the stream that it replaces, each named by the moment at which it began.
type Use = (u64, u8, u64, bool, Result<Option<u64>, Refusal>);

#[track_caller]
fn check_uses(table: &mut UsedTickets, uses: &[Use]) {
    for (at, id, issued, resumes, expected) in uses {
        let stream = StreamId(*at);
        let used = table.present(&ticket(*id, *issued), *resumes, stream, later(*at), |_| {
            false
        });
        let replaced = used.map(|replaced| replaced.map(|stream| stream.0));
        assert_eq!(replaced, *expected, "ticket {id} at {at}");
    }
}

#[test]
fn a_ticket_opens_one_stream_and_resumes_it() {
    let late = OPENS_WITHIN_MS;
    check_uses(
        &mut UsedTickets::new(100, NOW),
        &[
            (10, 1, 0, false, Ok(None)),
            (20, 1, 0, false, Err(Refusal::TicketUsed)),
            // The stream that it replaces is told, each time.
            (30, 1, 0, true, Ok(Some(10))),
            (40, 1, 0, true, Ok(Some(30))),
            (late, 1, 0, false, Err(Refusal::TicketUsed)),
            (3_599_999, 1, 0, true, Ok(Some(40))),
            (3_600_000, 1, 0, true, Err(Refusal::TicketExpired)),
        ],
    );
    check_uses(
        &mut UsedTickets::new(100, NOW),
        &[
            (late - 1, 1, 0, false, Ok(None)),
            (late, 2, 0, false, Err(Refusal::TicketExpired)),
            // Not even with a cursor: it never opened a stream.
            (late, 3, 0, true, Err(Refusal::TicketExpired)),
            (late, 4, 5, true, Ok(None)),
        ],
    );
}

#[test]
fn a_stream_of_which_nothing_was_given_hasn_t_been_opened() {
    let mut table = UsedTickets::new(100, NOW);
    let (first, id) = (ticket(1, 0), TicketId([1; 16]));
    check_uses(&mut table, &[(10, 1, 0, false, Ok(None))]);
    // Another's, or none.
    table.take_back(id, StreamId(9));
    table.take_back(TicketId([2; 16]), StreamId(10));
    check_uses(&mut table, &[(20, 1, 0, false, Err(Refusal::TicketUsed))]);
    table.take_back(id, StreamId(10));
    check_uses(
        &mut table,
        &[(30, 1, 0, false, Ok(None)), (40, 1, 0, true, Ok(Some(30)))],
    );
    // Of what it resumes, something was given before.
    table.take_back(id, StreamId(40));
    check_uses(&mut table, &[(50, 1, 0, false, Err(Refusal::TicketUsed))]);
    assert_eq!(table.stream(first.id), Some(StreamId(40)));
}

/// Resumes a ticket again and again, each time `apart` milliseconds after the
/// last; answers after how many it was refused.
fn contested(table: &mut UsedTickets, apart: u64, carried: bool) -> Option<u64> {
    let ticket = ticket(1, 0);
    let present = |table: &mut UsedTickets, n: u64| {
        let (stream, at) = (StreamId(n), later(n * apart));
        table.present(&ticket, n > 0, stream, at, |_| carried)
    };
    assert_eq!(present(table, 0), Ok(None));
    for n in 1..100 {
        match present(table, n) {
            Ok(replaced) => assert_eq!(replaced, Some(StreamId(n - 1))),
            Err(refusal) => {
                assert_eq!(refusal, Refusal::TicketContested);
                assert_eq!(table.stream(ticket.id), Some(StreamId(n - 1)));
                return Some(n);
            }
        }
    }
    None
}

#[test]
fn a_ticket_that_two_take_from_each_other_is_good_for_nothing_more() {
    let mut table = UsedTickets::new(100, NOW);
    // As fast as those come back who were told to.
    assert_eq!(contested(&mut table, 7_000, true), Some(11));
    let spoilt = |table: &mut UsedTickets| {
        for (resumes, expected) in [
            (true, Refusal::TicketContested),
            (false, Refusal::TicketUsed),
        ] {
            let (stream, at) = (StreamId(200), later(3_599_999));
            let used = table.present(&ticket(1, 0), resumes, stream, at, |_| false);
            assert_eq!(used, Err(expected));
        }
    };
    spoilt(&mut table);
    let kept = table.encode();
    spoilt(&mut UsedTickets::decode(&kept, 100, NOW).expect("a table"));
    // Who comes back because nothing was left of the stream can do so for ever;
    // so can one whose cut connections the hub is slow to notice.
    for (apart, carried) in [(7_000, false), (1, false), (CALM_MS, true)] {
        let mut table = UsedTickets::new(100, NOW);
        assert_eq!(contested(&mut table, apart, carried), None, "{apart}");
    }
}

#[test]
fn after_a_restart_tickets_resume_but_open_no_second_stream() {
    let mut before = UsedTickets::new(100, NOW);
    check_uses(&mut before, &[(10, 1, 0, false, Ok(None))]);
    // The hub was killed: nothing is known of what was made before.
    let mut after = UsedTickets::new(100, later(1_000));
    check_uses(
        &mut after,
        &[
            (1_010, 1, 0, false, Err(Refusal::TicketUsed)),
            (1_020, 2, 0, false, Err(Refusal::TicketUsed)),
            (1_030, 1, 0, true, Ok(None)),
            (1_040, 1, 0, true, Ok(Some(1_030))),
            (1_050, 3, 1_045, false, Ok(None)),
        ],
    );
    // The hub was stopped, and the table kept.
    let kept = before.encode();
    let mut after = UsedTickets::decode(&kept, 100, later(1_000)).expect("a table");
    assert_eq!(after.encode(), kept);
    check_uses(
        &mut after,
        &[
            (1_010, 1, 0, false, Err(Refusal::TicketUsed)),
            (1_020, 2, 0, false, Ok(None)),
            (1_030, 1, 0, true, Ok(None)),
            (OPENS_WITHIN_MS, 9, 0, true, Err(Refusal::TicketExpired)),
        ],
    );
    for length in (0..kept.len()).filter(|length| (length + 33 - 8) % 33 != 0) {
        assert!(UsedTickets::decode(&kept[..length], 100, NOW).is_none());
    }
    let expired = UsedTickets::decode(&kept, 100, later(3_600_000)).expect("a table");
    assert!(expired.is_empty());
}

#[test]
fn the_table_is_bounded_and_forgets_nothing_that_could_open_a_second_stream() {
    let mut table = UsedTickets::new(2, NOW);
    let late = OPENS_WITHIN_MS;
    check_uses(
        &mut table,
        &[
            (10, 1, 0, false, Ok(None)),
            (20, 2, 15, false, Ok(None)),
            (30, 3, 25, false, Err(Refusal::TicketsFull)),
            (40, 1, 0, true, Ok(Some(10))),
            // The first can't open any more: it may be forgotten, and resumes all the same.
            (late, 4, 35, false, Ok(None)),
            (late + 1, 1, 0, true, Err(Refusal::TicketsFull)),
            (late + 20, 1, 0, true, Ok(None)),
        ],
    );
    assert_eq!(table.len(), 2);
    table.expire(later(3_600_000));
    assert!(table.is_empty());
    let kept = {
        let mut table = UsedTickets::new(10, NOW);
        let uses: Vec<_> = (1..=5)
            .map(|n| (10 + u64::from(n), n, u64::from(n), false, Ok(None)))
            .collect();
        check_uses(&mut table, &uses);
        table.encode()
    };
    let mut smaller = UsedTickets::decode(&kept, 2, later(50)).expect("a table");
    assert_eq!(smaller.len(), 2);
    // Of those forgotten none opens a second stream.
    check_uses(
        &mut smaller,
        &[
            (60, 3, 3, false, Err(Refusal::TicketUsed)),
            (61, 5, 5, false, Err(Refusal::TicketUsed)),
        ],
    );
}
