//! The task that tells in the hub's own log who comes and goes.

use super::Shared;
use crate::always::always;
use std::sync::{Arc, Weak};
use tidings_codec::EventType;
use tidings_engine::control::PRESENCE_EVENT;
use tidings_engine::presence::Account;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// Of how many topics is told before others have their turn.
const AT_ONCE: usize = 32;

/// Runs for as long as there is a hub, also after a panic: nobody would leave any
/// more.
pub async fn tell(shared: Weak<Shared>, changed: Arc<Notify>) {
    let begin = move || run(Weak::clone(&shared), Arc::clone(&changed));
    always("telling who is present", begin).await;
}

async fn run(shared: Weak<Shared>, changed: Arc<Notify>) {
    let event_type = EventType::new(PRESENCE_EVENT).ok();
    loop {
        let Some(own) = shared.upgrade() else { return };
        let due = own.roster().due().map(|due| own.started + due);
        match due {
            Some(due) if due <= Instant::now() => {
                let now = own.now();
                let accounts = own.roster().take(AT_ONCE, now);
                say(&own, accounts, event_type.as_ref());
                drop(own);
                tokio::task::yield_now().await;
            }
            Some(due) => {
                drop(own);
                tokio::select! {
                    () = sleep_until(due) => {}
                    () = changed.notified() => {}
                }
            }
            None => {
                drop(own);
                changed.notified().await;
            }
        }
    }
}

/// Writes the accounts, where the roster isn't locked: whoever begins a stream doesn't
/// wait for lists. Who is shown a snapshot meanwhile has in it what is just being told,
/// and leaves that out.
fn say(own: &Shared, accounts: Vec<Account>, event_type: Option<&EventType>) {
    for account in accounts {
        if let Some(topic) = super::told_at(&account.topic) {
            own.own.say(&topic, event_type, &account.to_json());
        }
    }
}
