//! The future's side: each thing that the stream tells becomes a task of the
//! standard, which changes the state, if it does, and then fires an event.

use super::{DomEvent, EventSource, MessageEvent};
use crate::Error;
use crate::driver::{Driver, Told};
use crate::event::{Event, Text};
use crate::protocol::{Notice, ReadyState};
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

/// After how many tasks the others of an executor have their turn: a stream
/// that always has more must not keep them waiting.
const TASKS_IN_A_ROW: u32 = 64;

/// Reads the stream and fires its events at `target`, until it is closed.
pub(super) async fn drive(mut driver: Driver, target: EventSource) {
    let mut origin = Text::EMPTY;
    let mut in_a_row = 0;
    while let Some(told) = poll_fn(|cx| driver.poll_told(cx)).await {
        match told {
            Told::Notice(Notice::Open { url }) => {
                // B4: where the response came from, after redirects.
                origin = url.origin().ascii_serialization().as_str().into();
                target.announce();
            }
            Told::Notice(Notice::Reconnecting { cause, .. }) => target.reestablish(cause),
            Told::Notice(Notice::Failed(error)) => target.fail(error),
            Told::Notice(Notice::Complete) => target.close(),
            Told::Event(event) => target.message(event, &origin),
            Told::TooLarge(excess) => target.lost(Error::TooLarge(excess)),
            Told::Retry(_) | Told::Comment(_) => {}
        }
        in_a_row += 1;
        if in_a_row == TASKS_IN_A_ROW {
            in_a_row = 0;
            give_way().await;
        }
    }
}

/// Lets the executor poll others first.
async fn give_way() {
    let mut has_waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl EventSource {
    /// T1.
    fn announce(&self) {
        if self.core.become_unless_closed(ReadyState::Open) {
            self.fire(&DomEvent::open());
        }
    }

    /// T2; the wait and the next attempt are the protocol's.
    fn reestablish(&self, cause: Error) {
        if self.core.become_unless_closed(ReadyState::Connecting) {
            self.fire(&DomEvent::failed(cause));
        }
    }

    /// T3.
    fn fail(&self, error: Error) {
        if self.core.become_unless_closed(ReadyState::Closed) {
            self.fire(&DomEvent::failed(error));
        }
        self.close();
    }

    /// B4, B5.
    fn message(&self, event: Event, origin: &Text) {
        if self.ready_state() == ReadyState::Closed {
            return;
        }
        let message = MessageEvent {
            data: event.data,
            origin: origin.clone(),
            last_event_id: event.last_event_id,
        };
        self.fire(&DomEvent::message_of_stream(event.event_type, message));
    }

    /// An event went beyond the limits, of which the standard knows nothing.
    fn lost(&self, error: Error) {
        if self.ready_state() != ReadyState::Closed {
            self.fire(&DomEvent::failed(error));
        }
    }

    /// Calls the listeners of `event` (DOM standard, "inner invoke").
    pub(super) fn fire(&self, event: &DomEvent) {
        let listeners = self.core.lock().listeners.of(event.event_type());
        for id in listeners {
            let Some(listener) = self.core.lock().listeners.at_its_turn(id) else {
                continue;
            };
            // "Report the exception": the panic hook has done it. What the
            // listener left half done is its own; nothing of ours is.
            let _ = catch_unwind(AssertUnwindSafe(|| listener(self, event)));
            if event.is_stopped() {
                return;
            }
        }
    }
}
