//! Random events, watchers and policies against the rules, written out once
//! more in plain code that shares nothing with the crate but its types.
//!
//! `TIDINGS_CASES` sets how many cases, `TIDINGS_SEED` the seed.
// A test prints its seed, and may be given one; the crate itself does no IO.
#![allow(clippy::disallowed_macros, clippy::disallowed_methods)]

mod common;

use common::*;
use fastrand::Rng;
use serde_json::{Value, json};
use std::sync::Arc;
use tidings_auth::revocation::{Entry, Revoked};
use tidings_auth::{
    Action, Caller, Face, Policy, Revocations, Rights, Roles, Strictness, TopicName, Verdict,
    Visibility, authorize,
};
use tidings_engine::{Selection, Timestamp};

const CASES: u64 = 1_000_000;
/// How many tokens and policies are made; cases are drawn from them.
const TOKENS: usize = 1_500;
const POLICIES: usize = 200;

const SEGMENTS: [&str; 4] = ["a", "b", "ab", "$h"];
const FOREIGN: [&str; 4] = ["raw", "https://x.example/a", "https://x.example/a/b", "a"];

/// A selector as a claim has it.
#[derive(Clone, Debug)]
enum Granted {
    Native(String),
    Mercure(String),
}

/// What is known of a token from how it was made.
#[derive(Clone, Debug)]
struct Made {
    publish: Vec<Granted>,
    subscribe: Vec<Granted>,
    /// What its key is for.
    to_publish: bool,
    to_watch: bool,
    expires_s: u64,
    issued_s: Option<u64>,
    subject: Option<&'static str>,
}

struct World {
    open: bool,
    anonymous: Vec<String>,
    selection: Selection,
    mercure_anonymous: bool,
    revoked_subject: Option<&'static str>,
    /// A selector, and when.
    withdrawn: Option<(String, u64)>,
    revocations: Revocations,
}

fn path(rng: &mut Rng) -> String {
    let length = rng.usize(1..=3);
    let segments: Vec<&str> = (0..length).map(|_| SEGMENTS[rng.usize(..4)]).collect();
    segments.join("/")
}

fn native_selector(rng: &mut Rng) -> String {
    const OF_MERCURE: [&str; 4] = [
        "$mercure/**",
        "$mercure/raw",
        "$mercure/https:/%/x.example/*",
        "$mercure/%/**",
    ];
    if rng.u8(..8) == 0 {
        return OF_MERCURE[rng.usize(..4)].to_owned();
    }
    let length = rng.usize(1..=3);
    let mut segments: Vec<&str> = (0..length)
        .map(|_| {
            if rng.u8(..3) == 0 {
                "*"
            } else {
                SEGMENTS[rng.usize(..4)]
            }
        })
        .collect();
    if rng.u8(..4) == 0 {
        segments.pop();
        segments.push("**");
    }
    segments.join("/")
}

fn mercure_selector(rng: &mut Rng) -> String {
    match rng.u8(..8) {
        0 => "*".to_owned(),
        1 => "https://x.example/{x}".to_owned(),
        2 => format!("{HUB}/t/{{x}}"),
        3 => format!("{HUB}/t/a/{{x}}"),
        4 => format!("{HUB}/t/{}", path(rng)),
        _ => FOREIGN[rng.usize(..4)].to_owned(),
    }
}

fn granted(rng: &mut Rng) -> Vec<Granted> {
    (0..rng.usize(..3))
        .map(|_| match rng.bool() {
            true => Granted::Native(native_selector(rng)),
            false => Granted::Mercure(mercure_selector(rng)),
        })
        .collect()
}

fn made(rng: &mut Rng) -> Made {
    let role = rng.u8(..6);
    Made {
        to_publish: role != 0,
        to_watch: role != 1,
        publish: granted(rng),
        subscribe: granted(rng),
        expires_s: NOW_S + rng.u64(1..=100),
        issued_s: rng.bool().then(|| NOW_S - rng.u64(..100)),
        subject: [None, Some("ann"), Some("bob")][rng.usize(..3)],
    }
}

/// The token, through the verifier like any other.
fn verified(made: &Made) -> Arc<Rights> {
    let list = |granted: &[Granted], native: bool| -> Vec<String> {
        let of = |granted: &Granted| match granted {
            Granted::Native(text) => native.then(|| text.clone()),
            Granted::Mercure(text) => (!native).then(|| text.clone()),
        };
        granted.iter().filter_map(of).collect()
    };
    let mut claims = json!({
        "exp": made.expires_s,
        "tidings": {"publish": list(&made.publish, true), "subscribe": list(&made.subscribe, true)},
        "mercure": {"publish": list(&made.publish, false), "subscribe": list(&made.subscribe, false)},
    });
    if let Some(issued) = made.issued_s {
        claims["iat"] = issued.into();
    }
    if let Some(subject) = made.subject {
        claims["sub"] = subject.into();
    }
    let token = token(hs_header(), Value::clone(&claims));
    let key = secret_key(Strictness::Legacy).with_roles(Roles {
        publish: made.to_publish,
        subscribe: made.to_watch,
    });
    match verifier_of(vec![key]).verify(&token, NOW) {
        Verdict::Verified(rights) => rights,
        verdict => panic!("{verdict:?} {claims}"),
    }
}

fn world(rng: &mut Rng) -> World {
    let anonymous: Vec<String> = (0..rng.usize(..3)).map(|_| native_selector(rng)).collect();
    let texts: Vec<&str> = anonymous.iter().map(String::as_str).collect();
    let selection = selection(&texts);
    let revoked_subject = (rng.u8(..4) == 0).then_some("ann");
    let withdrawn = (rng.u8(..3) == 0).then(|| (native_selector(rng), NOW_S - rng.u64(..100)));
    let mut revocations = Revocations::default();
    let mut revoke = |revoked, at_s: u64| {
        let entry = Entry {
            revoked,
            issuer: None,
            at: at_s * 1000,
            until: None,
        };
        revocations.add(entry, NOW).expect("an entry");
    };
    if let Some(subject) = revoked_subject {
        revoke(Revoked::Subject(subject.to_owned()), NOW_S);
    }
    if let Some((selector, at)) = &withdrawn {
        revoke(Revoked::Topics(selector.clone()), *at);
    }
    World {
        open: rng.u8(..5) == 0,
        anonymous,
        selection,
        mercure_anonymous: rng.bool(),
        revoked_subject,
        withdrawn,
        revocations,
    }
}

/// A topic as a request has it.
#[derive(Clone, Debug)]
enum Named {
    Native(String),
    Mercure(String),
}

fn topic(rng: &mut Rng) -> Named {
    match rng.u8(..6) {
        0..3 => Named::Native(path(rng)),
        3 => Named::Mercure(format!("{HUB}/t/{}", path(rng))),
        4 => Named::Mercure("/.well-known/mercure/subscriptions/a/b".to_owned()),
        _ => Named::Mercure(FOREIGN[rng.usize(..4)].to_owned()),
    }
}

// The rules, in plain code. ---------------------------------------------------

const TOPICS: &str = "https://hub.example/t/";

impl Named {
    /// The path under which the log keeps it.
    fn native(&self) -> String {
        match self {
            Self::Native(path) => path.clone(),
            Self::Mercure(text) => match text.strip_prefix(TOPICS) {
                Some(path) if !path.starts_with('$') => path.to_owned(),
                _ => {
                    let segments: Vec<&str> = text.split('/').collect();
                    let named = segments.iter().map(|s| if s.is_empty() { "%" } else { s });
                    format!("$mercure/{}", named.collect::<Vec<_>>().join("/"))
                }
            },
        }
    }

    /// What Mercure calls it, unless it is the hub's own.
    fn url(&self) -> Option<String> {
        match self {
            Self::Native(path) if path.starts_with('$') => None,
            Self::Native(path) => Some(format!("{TOPICS}{path}")),
            Self::Mercure(text) => Some(text.clone()),
        }
    }

    fn is_reserved(&self) -> bool {
        let own = format!("{TOPICS}$");
        self.url()
            .is_none_or(|url| url.starts_with(&own) || url.starts_with("/.well-known/mercure"))
    }
}

fn native_matches(selector: &str, path: &str) -> bool {
    if path.starts_with('$') && selector.starts_with('*') {
        return false;
    }
    let wanted: Vec<&str> = selector.split('/').collect();
    let given: Vec<&str> = path.split('/').collect();
    let rest = wanted.last() == Some(&"**");
    let fixed = if rest { wanted.len() - 1 } else { wanted.len() };
    if given.len() < fixed + usize::from(rest) || !rest && given.len() != fixed {
        return false;
    }
    (0..fixed).all(|at| wanted[at] == "*" || wanted[at] == given[at])
}

fn grants(granted: &Granted, topic: &Named) -> bool {
    let selector = match granted {
        Granted::Native(selector) => return native_matches(selector, &topic.native()),
        Granted::Mercure(selector) => selector,
    };
    let Some(url) = topic.url() else {
        return false;
    };
    if selector == "*" || *selector == url {
        return true;
    }
    // A template with one variable at its end: letters and digits, no more.
    let rest = selector
        .strip_suffix("{x}")
        .and_then(|prefix| url.strip_prefix(prefix));
    rest.is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric()))
}

fn expected(
    world: &World,
    made: Option<&Made>,
    now_s: u64,
    action: Action,
    topics: &[Named],
) -> bool {
    if let Some(made) = made {
        if now_s >= made.expires_s {
            return false;
        }
        if made.subject.is_some() && made.subject == world.revoked_subject {
            return false;
        }
    }
    if topics.is_empty() {
        return false;
    }
    let publishes = |made: &Made, topic: &Named| {
        made.to_publish && made.publish.iter().any(|granted| grants(granted, topic))
    };
    let watches = |made: &Made, topic: &Named| {
        made.to_watch && made.subscribe.iter().any(|granted| grants(granted, topic))
    };
    let has = |does: &dyn Fn(&Made, &Named) -> bool, topic: &Named| {
        let Some(made) = made else {
            return false;
        };
        if let Some((selector, at)) = &world.withdrawn
            && native_matches(selector, &topic.native())
            && made.issued_s.is_none_or(|issued| issued <= *at)
        {
            return false;
        }
        does(made, topic)
    };
    match action {
        Action::Publish => {
            let all = topics.iter().all(|topic| has(&publishes, topic));
            !topics.iter().any(Named::is_reserved) && (world.open || all)
        }
        Action::Presence => world.open || topics.iter().all(|topic| has(&watches, topic)),
        Action::Receive { face, visibility } => {
            if topics.iter().any(|topic| has(&watches, topic)) {
                return true;
            }
            if visibility == Visibility::Private {
                return false;
            }
            if world.open {
                return true;
            }
            let named = topics.iter().any(|topic| {
                let mut opened = world.anonymous.iter();
                opened.any(|selector| native_matches(selector, &topic.native()))
            });
            match face {
                Face::Native => named,
                Face::Mercure => {
                    let public = visibility == Visibility::Public || named;
                    let admitted = made.is_some_and(|made| made.to_watch);
                    public && (admitted || world.mercure_anonymous)
                }
            }
        }
    }
}

// ------------------------------------------------------------------------------

fn action(rng: &mut Rng) -> Action {
    let face = if rng.bool() {
        Face::Native
    } else {
        Face::Mercure
    };
    let visibility = match rng.u8(..3) {
        0 => Visibility::Native,
        1 => Visibility::Public,
        _ => Visibility::Private,
    };
    match rng.u8(..4) {
        0 => Action::Publish,
        1 => Action::Presence,
        _ => Action::Receive { face, visibility },
    }
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|value| value.parse().expect("a number"))
}

#[test]
fn p9_no_case_differs_from_the_rules() {
    let seed = from_environment("TIDINGS_SEED").unwrap_or_else(|| fastrand::u64(..));
    let cases = from_environment("TIDINGS_CASES").unwrap_or(CASES);
    println!("TIDINGS_SEED={seed} TIDINGS_CASES={cases}");
    let mut rng = Rng::with_seed(seed);
    let tokens: Vec<(Made, Arc<Rights>)> = (0..TOKENS)
        .map(|_| made(&mut rng))
        .map(|made| (made.clone(), verified(&made)))
        .collect();
    let worlds: Vec<World> = (0..POLICIES).map(|_| world(&mut rng)).collect();
    let mut outcomes = [0_u64; 2];
    for case in 0..cases {
        let world = &worlds[rng.usize(..worlds.len())];
        let token = (rng.u8(..6) > 0).then(|| &tokens[rng.usize(..tokens.len())]);
        let now_s = NOW_S + if rng.u8(..10) == 0 { rng.u64(..120) } else { 0 };
        let action = action(&mut rng);
        let topics: Vec<Named> = (0..rng.usize(..=2)).map(|_| topic(&mut rng)).collect();
        let names: Vec<TopicName> = topics
            .iter()
            .map(|topic| match topic {
                Named::Native(path) => native(path),
                Named::Mercure(text) => mercure(text),
            })
            .collect();
        let policy = Policy {
            open: world.open,
            anonymous: &world.selection,
            mercure_anonymous: world.mercure_anonymous,
            revocations: &world.revocations,
        };
        let caller = token.map_or(Caller::Anonymous, |(_, rights)| Caller::Token(rights));
        let decided = authorize(caller, action, &names, &policy, Timestamp(now_s * 1000));
        let made = token.map(|(made, _)| made);
        let expected = expected(world, made, now_s, action, &topics);
        assert_eq!(
            decided.is_ok(),
            expected,
            "TIDINGS_SEED={seed}, case {case}: {decided:?}\n{action:?} {topics:?} at {now_s}\n{made:?}\n\
             open {} anonymous {:?} mercure {} withdrawn {:?} revoked {:?}",
            world.open,
            world.anonymous,
            world.mercure_anonymous,
            world.withdrawn,
            world.revoked_subject,
        );
        outcomes[usize::from(expected)] += 1;
    }
    // A test of refusals alone would prove little.
    assert!(
        cases < 1000 || outcomes.iter().all(|count| count * 10 > cases),
        "{outcomes:?}"
    );
}
