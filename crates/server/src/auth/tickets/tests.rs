//! What stands behind a ticket goes away at any moment.

use super::*;
use crate::auth::Wish;
use crate::testing::{closed_hub, holder};
use serde_json::json;
use tidings_engine::{Limits, Selection, Selector};

#[tokio::test]
async fn a_stream_that_goes_while_its_ticket_is_used_again_is_let_go_behind_the_lock() {
    let hub = closed_hub(Limits::default(), &[]);
    let auth = hub.auth();
    let who = holder(&hub, json!({ "tidings": { "subscribe": ["a"] } })).await;
    let random = Random::new().expect("randomness");
    let given = auth.give_ticket(&who, &random).expect("a ticket");
    let key = &auth.kept.tickets.key;
    let ticket = key.open(&given.ticket, auth.base(), now());
    let ticket = Arc::new(ticket.expect("its own"));
    let wish = Wish {
        face: Face::Native,
        selection: Selection::new(vec![Selector::new("a").expect("one")]),
        connection: None,
        lifetime: None,
    };
    // Nobody carries it yet: without its last holder, it takes its ticket back.
    let opener = Who::Ticket(Arc::clone(&ticket), Use::Opens);
    let admitted = auth.stand(&opener, wish).expect("granted");
    let mut last = admitted.standing;
    let replaced = last.as_ref().expect("a standing").id();
    let by = StreamId(u64::MAX);
    let (used, ends) = auth
        .kept
        .tickets
        .present(&ticket, true, by, |_| last.take());
    assert_eq!((used, ends), (Ok(Some(replaced)), Some(replaced)));
    assert!(auth.standings().is_empty());
    // It has taken back its own use alone.
    assert_eq!(auth.kept.tickets.used().stream(ticket.id), Some(by));
}
