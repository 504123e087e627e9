//! Topics, selectors and ids: what they accept, tabulated, and what they match.

use proptest::prelude::*;
use tidings_engine::{
    InvalidSelector, InvalidTopic, LogId, MercureSelector, Position, Selection, Selector, Topic,
    WireId,
};
use tidings_matcher::{Base, Matcher};

fn check_topic(text: &str, expected: Result<(), InvalidTopic>) {
    assert_eq!(Topic::new(text).map(|_| ()), expected, "{text:?}");
    if let Err(reason) = expected
        && reason != InvalidTopic::Wildcard
    {
        let selector = Selector::new(text).map(|_| ());
        assert_eq!(selector, Err(InvalidSelector::Path(reason)), "{text:?}");
    }
}

#[test]
fn a3_topics_too_long_empty_or_with_controls() {
    check_topic("", Err(InvalidTopic::Empty));
    check_topic(&"x".repeat(4096), Ok(()));
    check_topic(&"x".repeat(4097), Err(InvalidTopic::TooLong));
    check_topic(&"é".repeat(2048), Ok(()));
    check_topic(&"é".repeat(2049), Err(InvalidTopic::TooLong));
    for control in [
        '\0', '\t', '\r', '\n', '\u{1f}', '\u{7f}', '\u{80}', '\u{85}', '\u{9f}',
    ] {
        check_topic(&format!("a{control}b"), Err(InvalidTopic::Control));
        check_topic(&control.to_string(), Err(InvalidTopic::Control));
    }
    for text in [
        "a b",
        "\u{a0}",
        "a\u{2028}b",
        "日本/東京",
        "%2561",
        "a?b#c",
        "A",
        "...",
    ] {
        check_topic(text, Ok(()));
    }
}

#[test]
fn a6_topics_are_compared_byte_by_byte() {
    let composed = Topic::new("caf\u{e9}").unwrap();
    let decomposed = Topic::new("cafe\u{301}").unwrap();
    assert_ne!(composed, decomposed);
    assert!(!Selector::new("caf\u{e9}").unwrap().matches(&decomposed));
    assert!(
        !Selector::new("NEWS")
            .unwrap()
            .matches(&Topic::new("news").unwrap())
    );
}

#[test]
fn b10_topics_that_a_url_parser_would_change() {
    for text in ["/", "/a", "a/", "a//b", "//", "//host/a", "https://host/a"] {
        check_topic(text, Err(InvalidTopic::EmptySegment));
    }
    for text in [".", "..", "./a", "a/./b", "a/..", "../a"] {
        check_topic(text, Err(InvalidTopic::DotSegment));
    }
    for text in ["*", "a*", "**", "a/*/b"] {
        check_topic(text, Err(InvalidTopic::Wildcard));
    }
    for (text, reserved) in [
        ("$hub", true),
        ("$hub/a", true),
        ("a/$hub", false),
        ("%24hub", false),
    ] {
        assert_eq!(Topic::new(text).unwrap().is_reserved(), reserved, "{text}");
    }
}

#[test]
fn a5_selectors() {
    use InvalidSelector::*;
    for (text, expected) in [
        ("a", Ok(())),
        ("*", Ok(())),
        ("**", Ok(())),
        ("a/*", Ok(())),
        ("*/a/*/b/**", Ok(())),
        ("$hub/*", Ok(())),
        ("a*", Err(PartialWildcard)),
        ("*a", Err(PartialWildcard)),
        ("a/***", Err(PartialWildcard)),
        ("a/**b", Err(PartialWildcard)),
        ("**/a", Err(RestNotLast)),
        ("a/**/b", Err(RestNotLast)),
        ("**/**", Err(RestNotLast)),
        ("*/", Err(Path(InvalidTopic::EmptySegment))),
        ("*/..", Err(Path(InvalidTopic::DotSegment))),
        ("", Err(Path(InvalidTopic::Empty))),
        // Not special: these are texts, not regular expressions or templates.
        ("(a+)+$", Ok(())),
        ("{x}/{y}", Ok(())),
        ("(", Ok(())),
        ("{", Ok(())),
        ("[", Ok(())),
    ] {
        assert_eq!(Selector::new(text).map(|_| ()), expected, "{text:?}");
    }
}

#[test]
fn selectors_that_match() {
    for (selector, topic, expected) in [
        ("a/*", "a/b", true),
        ("a/*", "a", false),
        ("a/*", "a/b/c", false),
        ("a/**", "a", false),
        ("a/**", "a/b", true),
        ("a/**", "a/b/c", true),
        ("**", "a", true),
        ("*", "a", true),
        ("*", "$a", false),
        ("**", "$a", false),
        ("*/b", "$a/b", false),
        ("$a/*", "$a/b", true),
        ("$a/**", "$a/b/c", true),
        ("a/*", "a/$b", true),
    ] {
        let matches = Selector::new(selector)
            .unwrap()
            .matches(&Topic::new(topic).unwrap());
        assert_eq!(matches, expected, "{selector} on {topic}");
    }
}

#[test]
fn wire_ids_are_read_as_written_and_not_otherwise() {
    let log = "0000000000007";
    for (log, position, text) in [
        (0, 0, "td-0000000000000-0"),
        (7, 42, "td-0000000000007-42"),
        (31, 1, "td-000000000000v-1"),
        (32, 1, "td-0000000000010-1"),
        (u64::MAX, u64::MAX, "td-fvvvvvvvvvvvv-18446744073709551615"),
    ] {
        let id = WireId {
            log: LogId(log),
            position: Position(position),
        };
        assert_eq!(id.to_string(), text);
        assert_eq!(id.to_event_id().as_str(), text);
        assert_eq!(WireId::parse(text), Some(id), "{text}");
    }
    for text in [
        String::new(),
        "td-".into(),
        format!("td-{log}"),
        format!("td-{log}-"),
        format!("td-{log}-01"),
        format!("td-{log}-00"),
        format!("td-{log}-+1"),
        format!("td-{log}--1"),
        format!("td-{log}- 1"),
        format!("td-{log}-1 "),
        format!(" td-{log}-1"),
        format!("td-{log}-1x"),
        format!("td-{log}-٣"),
        format!("td-{log}-18446744073709551616"),
        format!("td-{log}-118446744073709551615"),
        format!("td-{log}_1"),
        format!("td-0{log}-1"),
        format!("td-{}-1", &log[1..]),
        format!("TD-{log}-1"),
        format!("td{log}-1"),
        "td-g000000000000-1".into(),
        "td-000000000000w-1".into(),
        "td-000000000000V-1".into(),
        "td-00000000000é-1".into(),
        "td-éééééé0-1".into(),
        "td-000000000000".into(),
    ] {
        assert_eq!(WireId::parse(&text), None, "{text:?}");
    }
}

/// Segments that meet each other often: two literals, a reserved one, wildcards.
fn selector() -> impl Strategy<Value = Selector> {
    let segment = prop::sample::select(vec!["a", "b", "$r", "*"]);
    let last = prop::option::of(Just("**"));
    (prop::collection::vec(segment, 0..4), last).prop_filter_map("empty", |(mut path, last)| {
        path.extend(last);
        Selector::new(&path.join("/")).ok()
    })
}

fn topics() -> Vec<Topic> {
    let mut texts: Vec<String> = Vec::new();
    let mut longest = vec![String::new()];
    for _ in 0..5 {
        longest = longest
            .iter()
            .flat_map(|path| {
                let slash = if path.is_empty() { "" } else { "/" };
                ["a", "b", "c", "$r"].map(|segment| format!("{path}{slash}{segment}"))
            })
            .collect();
        texts.extend(longest.iter().cloned());
    }
    texts.iter().map(|text| Topic::new(text).unwrap()).collect()
}

/// The rule in other words: segment lists, matched recursively.
fn oracle(selector: &[&str], topic: &[&str]) -> bool {
    match (selector, topic) {
        ([], []) => true,
        (["**"], [_, ..]) => true,
        ([wanted, selector @ ..], [segment, topic @ ..]) => {
            (*wanted == "*" || wanted == segment) && oracle(selector, topic)
        }
        _ => false,
    }
}

fn naive(selector: &Selector, topic: &Topic) -> bool {
    let wanted: Vec<&str> = selector.as_str().split('/').collect();
    let segments: Vec<&str> = topic.as_str().split('/').collect();
    let spelled = wanted[0] == segments[0] || !segments[0].starts_with('$');
    spelled && oracle(&wanted, &segments)
}

/// What rules of Mercure's are known to begin with agrees with what they match,
/// and so does what they are told to share with other selectors.
#[test]
fn beginnings_overlaps_and_covers_of_mercures_rules() {
    let base = std::sync::Arc::new(Base::new("https://hub.example").unwrap());
    let templates = ["a/{x}", "a/{x}/b", "{x}", "%24{x}", "/{x}"];
    let heads = ["https://hub.example/t/", "https://o.example/", ""];
    let texts = heads
        .iter()
        .flat_map(|head| templates.map(|tail| format!("{head}{tail}")));
    let mut rules: Vec<Matcher> = texts.map(|t| Matcher::selector(&t).unwrap()).collect();
    for text in ["https://hub.example/t/a/:x", "https://*/a/:x"] {
        rules.push(Matcher::url_pattern(text, &base).unwrap());
    }
    let selectors = |rule| MercureSelector::selectors(rule, &base);
    let rules: Vec<Selector> = rules.iter().flat_map(selectors).collect();
    let patterns = [
        "**",
        "*",
        "a/**",
        "a/*",
        "*/b",
        "$mercure/**",
        "$mercure/https:/%/**",
        "$mercure/https:/%/o.example/a/**",
        "$r/**",
        "a/b",
    ];
    let patterns = patterns.map(|text| Selector::new(text).unwrap());
    let names = ["a/1", "a/1/b", "b", "%2524x", "$r/1", "a", "/a", "a/", ""];
    let names = heads
        .iter()
        .flat_map(|head| names.map(|tail| format!("{head}{tail}")));
    let named = names.filter_map(|name| tidings_engine::mercure::from_mercure(&name, &base));
    let all: Vec<Topic> = named.chain(topics()).collect();
    let (mut met, mut apart, mut covered) = (0, 0, 0);
    for rule in &rules {
        for topic in all.iter().filter(|topic| rule.matches(topic)) {
            let mut beginnings = rule.beginnings().into_iter();
            assert!(
                beginnings.any(|text| topic.as_str().starts_with(&*text)),
                "{topic} of {rule:?}"
            );
        }
        for pattern in patterns.iter().chain(&rules) {
            let both = all.iter().any(|t| rule.matches(t) && pattern.matches(t));
            let overlaps = rule.overlaps(pattern);
            assert!(overlaps || !both, "{rule:?} and {pattern:?}");
            assert_eq!(pattern.overlaps(rule), overlaps);
            let holds = all.iter().all(|t| pattern.matches(t) || !rule.matches(t));
            assert!(holds || !pattern.covers(rule), "{pattern:?} over {rule:?}");
            met += usize::from(overlaps);
            apart += usize::from(!overlaps);
            covered += usize::from(pattern != rule && pattern.covers(rule));
        }
    }
    assert!(
        met > 50 && apart > 50 && covered > 5,
        "{met} {apart} {covered}"
    );
}

proptest! {
    #[test]
    fn selectors_match_as_the_oracle_says(selector in selector()) {
        for topic in topics() {
            prop_assert_eq!(selector.matches(&topic), naive(&selector, &topic), "{} on {}", selector.as_str(), topic);
        }
    }

    #[test]
    fn selections_match_if_a_selector_does(selectors in prop::collection::vec(selector(), 0..6)) {
        let selection = Selection::new(selectors.clone());
        for topic in topics() {
            let expected = selectors.iter().any(|selector| naive(selector, &topic));
            prop_assert_eq!(selection.matches(&topic), expected, "{:?} on {}", selection, topic);
        }
    }

    /// Topics of five segments over one letter more than selectors use show
    /// every overlap and every hole of selectors of at most four segments.
    #[test]
    fn overlaps_and_covers_as_all_topics_show(a in selector(), b in selector()) {
        let all = topics();
        let both = all.iter().any(|topic| naive(&a, topic) && naive(&b, topic));
        prop_assert_eq!(a.overlaps(&b), both, "{} and {}", a.as_str(), b.as_str());
        prop_assert_eq!(b.overlaps(&a), both);
        // `$r` is a letter like the others behind the first segment, and
        // nothing is reserved there; a literal never covers a wildcard.
        let covered = all.iter().all(|topic| naive(&a, topic) || !naive(&b, topic));
        prop_assert_eq!(a.covers(&b), covered, "{} over {}", a.as_str(), b.as_str());
    }

    #[test]
    fn wire_ids_round_trip(log: u64, position: u64) {
        let id = WireId { log: LogId(log), position: Position(position) };
        prop_assert_eq!(WireId::parse(&id.to_string()), Some(id));
    }

    #[test]
    fn whatever_reads_as_a_wire_id_is_written_so(text in "td-[0-9a-w]{12,14}-[0-9]{1,21}") {
        if let Some(id) = WireId::parse(&text) {
            prop_assert_eq!(id.to_string(), text);
        }
    }
}
