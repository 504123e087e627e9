//! Topics that end, in one chain.

use super::*;
use crate::Closed;

const TOPIC: &str = "a";

/// Each word is a step: `1` an event, `2!` one that opens the topic again, `3$` an
/// end, `gap`. Numbers are positions.
fn run(steps: &str, closed: &[(u64, bool)], slow: SlowPolicy) -> Vec<Invariant> {
    let mut history = History::default();
    let mut chain = Chain {
        selection: vec![TOPIC.into()],
        begin: Begin::Earliest { at: Moment(0) },
        slow,
        steps: Vec::new(),
        complete: true,
    };
    for word in steps.split(' ') {
        let number = word.trim_end_matches(['!', '$']);
        if word == "gap" {
            let to = chain
                .steps
                .iter()
                .rev()
                .find_map(Step::id)
                .unwrap_or_default();
            let (to, at) = (to.to_owned(), Moment(99));
            chain.steps.push(Step::Gap {
                to,
                slow: false,
                at,
            });
            continue;
        }
        let position: u64 = number.parse().expect("a position");
        let id = wire(position as usize);
        chain.steps.push(match word.ends_with('$') {
            true => Step::Ended {
                id,
                topic: TOPIC.into(),
            },
            false => {
                history.published.push(Published {
                    publisher: 0,
                    number: position,
                    topic: TOPIC.into(),
                    event_type: None,
                    data: number.into(),
                    called: Moment(2 * position),
                    outcome: Outcome::Acked {
                        id: id.clone(),
                        at: Moment(2 * position + 1),
                    },
                    expires: None,
                    reopens: word.ends_with('!'),
                });
                let (data, event_type) = (number.into(), "message".into());
                Step::Event {
                    id,
                    topic: None,
                    event_type,
                    data,
                }
            }
        });
    }
    let closed = closed.iter().map(|(position, lasts)| Closed {
        topic: TOPIC.into(),
        outcome: Outcome::Acked {
            id: wire(*position as usize),
            at: Moment(99),
        },
        lasts: *lasts,
    });
    history.closed = closed.collect();
    history.chains.push(chain);
    let found = check(&history).into_iter();
    found.map(|violation| violation.invariant).collect()
}

#[test]
fn i11_nothing_comes_behind_an_end_but_what_opens_the_topic() {
    const CALM: SlowPolicy = SlowPolicy::Disconnect;
    for (steps, closed, slow, expected) in [
        ("1 2$", &[(2, true)][..], CALM, &[][..]),
        ("1 2$ 3! 4", &[(2, true)], CALM, &[]),
        ("1 2$ 3! 4 5$", &[(2, true), (5, true)], CALM, &[]),
        ("1 2$ 3 4", &[(2, true)], CALM, &[I11Ends]),
        ("1 2$ 3! 4$ 5", &[(2, true), (4, true)], CALM, &[I11Ends]),
        // The end is withheld.
        ("1", &[(2, true)], CALM, &[I11Ends]),
        ("1", &[(2, true)], SlowPolicy::Latest, &[I11Ends]),
        ("1 2$ 3!", &[(2, true), (4, true)], CALM, &[I11Ends]),
        ("1", &[(2, false)], CALM, &[]),
        ("1 3!", &[(2, true)], CALM, &[]),
        // It may have expired; what opened it may be missing.
        ("1 2$ 3", &[(2, false)], CALM, &[]),
        ("1 2$ gap 3", &[(2, true)], CALM, &[]),
        ("1 2$ 4", &[(2, true)], SlowPolicy::Latest, &[]),
        // Not an end that anybody asked for, or not this one.
        ("1 2$", &[], CALM, &[I5NoPhantom]),
        ("1 3$", &[(2, true)], CALM, &[I5NoPhantom, I11Ends]),
        // Out of order, or twice.
        ("2 1$", &[(1, true)], CALM, &[I3Order]),
        ("1 2$ 2$", &[(2, true)], CALM, &[I3Order]),
    ] {
        assert_eq!(run(steps, closed, slow), expected, "{steps}");
    }
}
