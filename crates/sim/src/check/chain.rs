//! One chain, step by step: what each delivery may not be, and what the
//! chain has passed over.

use super::events::Events;
use super::{Found, Invariant};
use crate::{Chain, Moment, SlowPolicy, Step};

/// What came of a chain.
pub struct Walk<'a> {
    pub number: usize,
    pub chain: &'a Chain,
    /// The events it was given, each once, in order.
    pub given: Vec<usize>,
    /// Whether it has the event of this number.
    pub has: Vec<bool>,
    /// What was declared missing.
    pub gaps: Vec<Missing>,
    /// The position and the moment of its first opening.
    pub opened: Option<(u64, Moment)>,
    /// The highest position it was told to be behind it.
    pub behind: u64,
}

/// Positions `after + 1 ..= to` were declared missing at a moment.
pub struct Missing {
    pub after: u64,
    pub to: u64,
    /// Because the watcher was too slow.
    pub slow: bool,
    pub at: Moment,
}

pub fn walk<'a>(
    events: &Events<'_>,
    number: usize,
    chain: &'a Chain,
    found: &mut Found,
) -> Walk<'a> {
    let mut walk = Walk {
        number,
        chain,
        given: Vec::new(),
        has: vec![false; events.list.len()],
        gaps: Vec::new(),
        opened: None,
        behind: 0,
    };
    // A stream that starts behind a gap opens with the position there, and
    // the gap follows: it reaches back to what came before both.
    let mut before_opening = None;
    for step in &chain.steps {
        let opening = before_opening.take();
        match step {
            Step::Opened { id, at } => {
                before_opening = Some(walk.behind);
                let position = events.position(id).unwrap_or(0);
                walk.opened.get_or_insert((position, *at));
                walk.behind = walk.behind.max(position);
            }
            Step::Reached { id } => walk.reached(events.position(id).unwrap_or(0), id, found),
            Step::Gap { to, slow, at } => {
                let after = opening.unwrap_or(walk.behind);
                let to = events.position(to).unwrap_or(0);
                if *slow {
                    walk.passed_over(to, found);
                }
                walk.opened.get_or_insert((to, *at));
                walk.gaps.push(Missing {
                    after,
                    to,
                    slow: *slow,
                    at: *at,
                });
                walk.behind = walk.behind.max(to);
            }
            Step::Event {
                id,
                topic,
                event_type,
                data,
            } => {
                let Some(event) = events.with_data(data) else {
                    walk.report(
                        Invariant::I5NoPhantom,
                        format!("{id} has data that nobody published"),
                        found,
                    );
                    continue;
                };
                walk.delivered(
                    events,
                    event,
                    [Some(id), topic.as_ref(), Some(event_type)],
                    found,
                );
            }
            Step::Ended { id, .. } => walk.ended(events.position(id).unwrap_or(0), id, found),
            Step::Disconnected => {}
        }
    }
    walk
}

impl Walk<'_> {
    pub fn report(&self, invariant: Invariant, what: String, found: &mut Found) {
        let topics = self.chain.selection.join(", ");
        found.report(
            invariant,
            Some(self.number),
            format!("(watches {topics}) {what}"),
        );
    }

    /// A gap for its slowness, up to `to`.
    fn passed_over(&self, to: u64, found: &mut Found) {
        if self.chain.slow != SlowPolicy::Gap {
            let what = format!("was too slow up to {to}, and its policy is no gap");
            self.report(Invariant::I1NoLoss, what, found);
        }
        if to <= self.behind {
            let what = format!(
                "a gap up to {to} was declared, behind position {}",
                self.behind
            );
            self.report(Invariant::I3Order, what, found);
        }
    }

    fn reached(&mut self, position: u64, id: &str, found: &mut Found) {
        if position < self.behind {
            let what = format!(
                "{id} was stated as reached, behind position {}",
                self.behind
            );
            self.report(Invariant::I3Order, what, found);
        }
        self.behind = self.behind.max(position);
    }

    fn ended(&mut self, position: u64, id: &str, found: &mut Found) {
        if position <= self.behind {
            let what = format!("the end {id} came behind position {}", self.behind);
            self.report(Invariant::I3Order, what, found);
        }
        self.behind = self.behind.max(position);
    }

    fn delivered(
        &mut self,
        events: &Events<'_>,
        number: usize,
        [id, topic, event_type]: [Option<&String>; 3],
        found: &mut Found,
    ) {
        let event = &events.list[number];
        let id = id.map_or("", String::as_str);
        if self.has[number] {
            self.report(
                Invariant::I2NoDuplicate,
                format!("{event} came again, as {id}"),
                found,
            );
            return;
        }
        if event.refused {
            self.report(
                Invariant::I7HonestAck,
                format!("{event} came as {id}"),
                found,
            );
        }
        if event.id != Some(id) {
            // Without an answer, the other id is one that another chain had.
            let invariant = match event.acked {
                Some(_) => Invariant::I5NoPhantom,
                None => Invariant::I4Agreement,
            };
            self.report(invariant, format!("{event} came as {id}"), found);
        }
        let published_type = event.is.event_type.as_deref().unwrap_or("message");
        if event_type.is_some_and(|event_type| event_type != published_type) {
            self.report(
                Invariant::I5NoPhantom,
                format!("{event} came with another type"),
                found,
            );
        }
        if topic.is_some_and(|topic| *topic != event.is.topic) {
            self.report(
                Invariant::I5NoPhantom,
                format!("{event} came with another topic"),
                found,
            );
        }
        if !selects(&self.chain.selection, &event.is.topic) {
            self.report(
                Invariant::I5NoPhantom,
                format!("{event} came, which is not selected"),
                found,
            );
        }
        if let Some(position) = events.position(id) {
            if position <= self.behind {
                let what = format!("{event} came after all up to position {} had", self.behind);
                self.report(Invariant::I3Order, what, found);
            }
            self.behind = self.behind.max(position);
        }
        self.has[number] = true;
        self.given.push(number);
    }
}

/// Whether a topic is watched: written again here, from the rules for
/// selectors, so that the engine's own matching is under test too.
pub fn selects(selection: &[String], topic: &str) -> bool {
    selection.iter().any(|selector| {
        if selector.starts_with('*') && topic.starts_with('$') {
            return false;
        }
        let (mut wanted, mut has) = (selector.split('/'), topic.split('/'));
        loop {
            match (wanted.next(), has.next()) {
                (None, None) => return true,
                (Some("**"), Some(_)) => return true,
                (Some(wanted), Some(has)) if wanted == "*" || wanted == has => {}
                _ => return false,
            }
        }
    })
}
