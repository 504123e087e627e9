//! Chains that agree two by two, and not together.

use super::*;

/// Three chains, each of which agrees with each other one about every pair
/// that both have, and which no one order can satisfy.
#[test]
fn i4_a_circle_through_three_chains_is_a_contradiction() {
    let published = ["a", "b", "c"]
        .into_iter()
        .zip(0..)
        .map(|(data, publisher)| Published {
            publisher,
            number: 0,
            topic: data.into(),
            event_type: None,
            data: data.into(),
            called: Moment(1),
            outcome: Outcome::Acked {
                id: format!("own-{data}"),
                at: Moment(9),
            },
            expires: None,
            reopens: false,
        });
    let chain = |first: &str, second: &str| Chain {
        selection: vec![first.into(), second.into()],
        begin: Begin::Earliest { at: Moment(0) },
        slow: SlowPolicy::Disconnect,
        steps: [first, second]
            .map(|data| Step::Event {
                id: format!("own-{data}"),
                topic: None,
                event_type: "message".into(),
                data: data.into(),
            })
            .into(),
        complete: true,
    };
    let mut history = History {
        published: published.collect(),
        closed: Vec::new(),
        chains: vec![chain("a", "b"), chain("b", "c"), chain("a", "c")],
    };
    assert_eq!(check(&history), []);
    history.chains[2] = chain("c", "a");
    let found = check(&history);
    let [violation] = &found[..] else {
        panic!("{found:#?}")
    };
    assert_eq!(violation.invariant, I4Agreement);
    for name in [
        "publisher 0",
        "publisher 1",
        "publisher 2",
        "chain 0",
        "chain 1",
        "chain 2",
    ] {
        assert!(violation.to_string().contains(name), "{violation}");
    }
}
