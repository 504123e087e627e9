//! The paths of the subscription API, in both dialects.

use super::subscription::{Active, match_type};
use crate::base::Base;
use crate::dialect::Dialect;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What the hub's path is followed by.
const SUBSCRIPTIONS: &str = "/subscriptions";

/// All but the unreserved characters (RFC 3986, 2.3), so that a segment is
/// what a URI template's `{/topic}` gives.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Which subscriptions a path of the API names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// `/subscriptions`.
    All,
    /// `/subscriptions/{topic}`, of 0.x.
    Topic {
        /// The selector.
        topic: String,
    },
    /// `/subscriptions/{match_type}/{match}`, of 1.0.
    Matcher {
        /// `exact` or `urlpattern`.
        match_type: String,
        /// The matcher.
        matcher: String,
    },
    /// `/subscriptions/{topic}/{subscriber}`, of 0.x.
    TopicOne {
        /// The selector.
        topic: String,
        /// The subscriber.
        subscriber: String,
    },
    /// `/subscriptions/{match_type}/{match}/{subscriber}`, of 1.0.
    MatcherOne {
        /// `exact` or `urlpattern`.
        match_type: String,
        /// The matcher.
        matcher: String,
        /// The subscriber.
        subscriber: String,
    },
}

impl Route {
    /// Reads a request's path, percent-encoded as it came; `None` if it is
    /// none of the API's. Two segments are of 1.0 if the first is one of its
    /// types of matchers: a 0.x subscription to the topic `exact` can't be
    /// looked at by itself.
    pub fn parse(path: &str, base: &Base) -> Option<Self> {
        let rest = path
            .strip_prefix(base.hub().path())?
            .strip_prefix(SUBSCRIPTIONS)?;
        if rest.is_empty() {
            return Some(Self::All);
        }
        let segments = rest.strip_prefix('/')?.split('/');
        let segments: Option<Vec<String>> = segments.map(decode).collect();
        let mut segments = segments?.into_iter();
        let first = segments.next()?;
        let is_type = matches!(&*first, "exact" | "urlpattern");
        match (segments.next(), segments.next(), segments.next()) {
            (None, ..) => Some(Self::Topic { topic: first }),
            (Some(matcher), None, _) if is_type => Some(Self::Matcher {
                match_type: first,
                matcher,
            }),
            (Some(subscriber), None, _) => Some(Self::TopicOne {
                topic: first,
                subscriber,
            }),
            (Some(matcher), Some(subscriber), None) if is_type => Some(Self::MatcherOne {
                match_type: first,
                matcher,
                subscriber,
            }),
            _ => None,
        }
    }

    /// The dialect that alone has this path; `None` for [`Route::All`].
    pub fn dialect(&self) -> Option<Dialect> {
        match self {
            Self::All => None,
            Self::Topic { .. } | Self::TopicOne { .. } => Some(Dialect::V0),
            Self::Matcher { .. } | Self::MatcherOne { .. } => Some(Dialect::V1),
        }
    }

    /// Whether it names one subscription, and not a collection.
    pub fn is_one(&self) -> bool {
        matches!(self, Self::TopicOne { .. } | Self::MatcherOne { .. })
    }

    /// Whether it names `active`.
    pub fn selects(&self, active: &Active<'_>) -> bool {
        let text = active.matcher.as_str();
        match self {
            Self::All => true,
            Self::Topic { topic } => active.shows_in(Dialect::V0) && topic == text,
            Self::TopicOne { topic, subscriber } => {
                active.shows_in(Dialect::V0) && topic == text && subscriber == active.subscriber
            }
            Self::Matcher {
                match_type: kind,
                matcher,
            } => match_type(active.matcher) == Some(kind) && matcher == text,
            Self::MatcherOne {
                match_type: kind,
                matcher,
                subscriber,
            } => {
                match_type(active.matcher) == Some(kind)
                    && matcher == text
                    && subscriber == active.subscriber
            }
        }
    }

    /// The path, each segment percent-encoded exactly once: the `id` of the
    /// document, and the topic of the events.
    pub fn path(&self, base: &Base) -> String {
        let segments: &[&str] = match self {
            Self::All => &[],
            Self::Topic { topic } => &[topic],
            Self::TopicOne { topic, subscriber } => &[topic, subscriber],
            Self::Matcher {
                match_type,
                matcher,
            } => &[match_type, matcher],
            Self::MatcherOne {
                match_type,
                matcher,
                subscriber,
            } => &[match_type, matcher, subscriber],
        };
        let mut path = format!("{}{SUBSCRIPTIONS}", base.hub().path());
        for segment in segments {
            path.push('/');
            path.extend(utf8_percent_encode(segment, SEGMENT));
        }
        path
    }
}

/// A segment, decoded once; `None` if it is empty, or no UTF-8.
fn decode(segment: &str) -> Option<String> {
    let text = percent_decode_str(segment).decode_utf8().ok()?;
    (!text.is_empty()).then(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(path: &str) -> Option<Route> {
        let base = Base::new("https://example.com").unwrap();
        Route::parse(&format!("/.well-known/mercure{path}"), &base)
    }

    #[test]
    fn paths_of_both_dialects() {
        let (topic, subscriber) = (
            "https://example.com/{id}".to_owned(),
            "urn:uuid:1".to_owned(),
        );
        let (encoded, by) = ("https%3A%2F%2Fexample.com%2F%7Bid%7D", "urn%3Auuid%3A1");
        let (match_type, matcher) = ("urlpattern".to_owned(), "/:id".to_owned());
        for (path, expected) in [
            ("/subscriptions".to_owned(), Route::All),
            (
                format!("/subscriptions/{encoded}"),
                Route::Topic {
                    topic: topic.clone(),
                },
            ),
            (
                format!("/subscriptions/{encoded}/{by}"),
                Route::TopicOne {
                    topic,
                    subscriber: subscriber.clone(),
                },
            ),
            (
                "/subscriptions/urlpattern/%2F%3Aid".to_owned(),
                Route::Matcher {
                    match_type: match_type.clone(),
                    matcher: matcher.clone(),
                },
            ),
            (
                format!("/subscriptions/urlpattern/%2F%3Aid/{by}"),
                Route::MatcherOne {
                    match_type,
                    matcher,
                    subscriber,
                },
            ),
            (
                "/subscriptions/exact".to_owned(),
                Route::Topic {
                    topic: "exact".into(),
                },
            ),
        ] {
            let base = Base::new("https://example.com").unwrap();
            assert_eq!(parse(&path), Some(expected.clone()), "{path}");
            assert_eq!(expected.path(&base), format!("/.well-known/mercure{path}"));
        }
    }

    #[test]
    fn what_is_no_path_of_the_api() {
        for path in [
            "",
            "/",
            "/subscription",
            "/subscriptionsx",
            "/subscriptions/",
            "/subscriptions//a",
            "/subscriptions/a/",
            "/subscriptions/a/b/c",
            "/subscriptions/exact/a/b/c",
            "/subscriptions/%FF",
        ] {
            assert_eq!(parse(path), None, "{path}");
        }
    }

    proptest! {
        #[test]
        fn every_segment_comes_back(topic in "\\PC{1,9}", subscriber in "[a-z%/:é]{1,9}") {
            prop_assume!(topic != "exact" && topic != "urlpattern");
            let base = Base::new("https://example.com").unwrap();
            let route = Route::TopicOne { topic, subscriber };
            let path = route.path(&base);
            prop_assert_eq!(Route::parse(&path, &base), Some(route));
        }
    }
}
