//! URL patterns against the crate that parses them, which compiles and runs a
//! regular expression for each of their eight parts.

use proptest::prelude::*;
use tidings_matcher::{Base, Index, Matcher, Subject};
use url::Url;
use urlpattern::{UrlPattern, UrlPatternInit, UrlPatternMatchInput};

/// What the crate itself says; `None` if it refuses the pattern.
fn oracle(pattern: &str, base: &Base) -> Option<UrlPattern> {
    let hub = Some(base.hub().clone());
    let mut init = UrlPatternInit::parse_constructor_string::<regex::Regex>(pattern, hub).ok()?;
    if init.protocol.is_some() {
        init.base_url = None;
    }
    <UrlPattern>::parse(init, Default::default()).ok()
}

fn pattern() -> impl Strategy<Value = String> {
    let origin = "(https?|http\\{s\\}\\?|\\*|:s)://(\\*\\.)?(a\\.example|:host|\\*)(:8443|:\\*)?";
    let path = "(/(a|:x|\\*|:x[?+*]|\\(\\[ab\\]\\+\\)|\\{b-\\}\\?:y|a\\*b|%2F|é|\\\\:)){0,3}/?";
    let rest = "(\\?(q=:q|\\*))?(#(\\*|f))?";
    (prop::option::of(origin), path, rest)
        .prop_map(|(origin, path, rest)| format!("{}{path}{rest}", origin.unwrap_or_default()))
}

fn topic() -> impl Strategy<Value = String> {
    let origin = "(https?|ftp)://(u:p@)?(b\\.)?a\\.example(:8443|:443)?";
    let path = "(/(a|b|ab|b-a|aXb|%2F|é|:)?){0,3}";
    let rest = "(\\?(q=1)?)?(#f?)?";
    (prop::option::of(origin), path, rest)
        .prop_map(|(origin, path, rest)| format!("{}{path}{rest}", origin.unwrap_or_default()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn they_match_what_the_crate_says(
        pattern in pattern(),
        topics in prop::collection::vec(topic(), 1..12),
    ) {
        let base = Base::new("https://a.example").unwrap();
        let (ours, theirs) = (Matcher::url_pattern(&pattern, &base), oracle(&pattern, &base));
        prop_assert_eq!(ours.is_ok(), theirs.is_some(), "{}", pattern);
        let (Ok(ours), Some(theirs)) = (ours, theirs) else {
            return Ok(());
        };
        let mut index = Index::new();
        index.insert(&ours, ());
        for topic in topics {
            let expected = base.hub().join(&topic).is_ok_and(|url: Url| {
                theirs.test(UrlPatternMatchInput::Url(url)).unwrap()
            });
            let subject = Subject::new(&topic, &base);
            prop_assert_eq!(ours.matches(&subject), expected, "{} {}", pattern, topic);
            let mut found = false;
            index.matches(&[subject], |()| found = true);
            prop_assert_eq!(found, expected, "indexed: {} {}", pattern, topic);
        }
    }
}
