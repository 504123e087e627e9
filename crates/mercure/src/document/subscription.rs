//! Active subscriptions: their documents and their events, in both shapes.

use super::path::Route;
use crate::base::Base;
use crate::dialect::Dialect;
use crate::matcher::{Kind, Matcher};
use serde::Serialize;
use serde_json::Value;

/// One matcher of one connection.
#[derive(Debug, Clone, Copy)]
pub struct Active<'a> {
    /// What is watched.
    pub matcher: &'a Matcher,
    /// The hub's name for the connection, never one of the client's choice.
    pub subscriber: &'a str,
    /// Whether it is going on.
    pub active: bool,
    /// What the subscriber's token says about it.
    pub payload: Option<&'a Value>,
}

/// What the hub publishes when a subscription begins or ends: always private.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionEvent {
    /// Its only topic.
    pub topic: String,
    /// 1.0 names its events, 0.x doesn't.
    pub event_type: Option<&'static str>,
    /// The document.
    pub data: String,
}

const CONTEXT: &str = "https://mercure.rocks/";

#[derive(Serialize)]
struct DocumentV0<'a> {
    #[serde(rename = "@context", skip_serializing_if = "Option::is_none")]
    context: Option<&'static str>,
    id: String,
    r#type: &'static str,
    topic: &'a str,
    subscriber: &'a str,
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a Value>,
    #[serde(rename = "lastEventID", skip_serializing_if = "Option::is_none")]
    last_event_id: Option<&'a str>,
}

/// The list comes last, in both, and is empty: the documents are put into it.
#[derive(Serialize)]
struct CollectionV0<'a> {
    #[serde(rename = "@context")]
    context: &'static str,
    id: String,
    r#type: &'static str,
    #[serde(rename = "lastEventID")]
    last_event_id: &'a str,
    subscriptions: [(); 0],
}

#[derive(Serialize)]
struct DocumentV1<'a> {
    id: String,
    r#type: &'static str,
    match_type: &'a str,
    r#match: &'a str,
    subscriber: &'a str,
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a Value>,
}

#[derive(Serialize)]
struct CollectionV1 {
    id: String,
    r#type: &'static str,
    subscriptions: [(); 0],
}

/// The type of a matcher in 1.0; `None` for a URI template, which it doesn't have.
pub(super) fn match_type(matcher: &Matcher) -> Option<&'static str> {
    match matcher.kind() {
        Kind::Any | Kind::Exact => Some("exact"),
        Kind::UrlPattern => Some("urlpattern"),
        Kind::Template => None,
    }
}

impl<'a> Active<'a> {
    /// Whether `dialect` can say what is watched. Topics and `*` have both
    /// shapes, URI templates that of 0.x, URL patterns that of 1.0.
    pub fn shows_in(&self, dialect: Dialect) -> bool {
        match dialect {
            Dialect::V0 => self.matcher.kind() != Kind::UrlPattern,
            Dialect::V1 => match_type(self.matcher).is_some(),
        }
    }

    /// Where its document is, if `dialect` has one.
    pub fn route(&self, dialect: Dialect) -> Option<Route> {
        let (matcher, subscriber) = (self.matcher.as_str().into(), self.subscriber.into());
        match dialect {
            Dialect::V0 => self.shows_in(dialect).then_some(Route::TopicOne {
                topic: matcher,
                subscriber,
            }),
            Dialect::V1 => match_type(self.matcher).map(|match_type| Route::MatcherOne {
                match_type: match_type.into(),
                matcher,
                subscriber,
            }),
        }
    }

    /// The event that says it began or ended, if `dialect` has one. A
    /// subscription is announced in every dialect that can say it.
    pub fn event(&self, dialect: Dialect, base: &Base) -> Option<SubscriptionEvent> {
        Some(SubscriptionEvent {
            topic: self.route(dialect)?.path(base),
            event_type: (dialect == Dialect::V1).then_some("mercure"),
            data: self.document(dialect, None, base)?,
        })
    }

    /// Its document, if `dialect` has one. `last_event_id` is that of the
    /// hub's last event (or [`crate::dialect::EARLIEST`]); 0.x says it in the
    /// document, 1.0 in a [`super::Link`].
    pub fn document(
        &self,
        dialect: Dialect,
        last_event_id: Option<&str>,
        base: &Base,
    ) -> Option<String> {
        Some(match dialect {
            Dialect::V0 => to_json(&DocumentV0 {
                context: Some(CONTEXT),
                last_event_id,
                ..self.document_v0(base)?
            }),
            Dialect::V1 => to_json(&self.document_v1(base)?),
        })
    }

    /// Its document as it stands in a [`Collection`], if `dialect` has one.
    pub fn item(&self, dialect: Dialect, base: &Base) -> Option<String> {
        Some(match dialect {
            Dialect::V0 => to_json(&self.document_v0(base)?),
            Dialect::V1 => to_json(&self.document_v1(base)?),
        })
    }

    fn document_v0<'b>(&self, base: &Base) -> Option<DocumentV0<'b>>
    where
        'a: 'b,
    {
        Some(DocumentV0 {
            context: None,
            id: self.route(Dialect::V0)?.path(base),
            r#type: "Subscription",
            topic: self.matcher.as_str(),
            subscriber: self.subscriber,
            active: self.active,
            payload: self.payload,
            last_event_id: None,
        })
    }

    fn document_v1(&self, base: &Base) -> Option<DocumentV1<'a>> {
        Some(DocumentV1 {
            id: self.route(Dialect::V1)?.path(base),
            r#type: "subscription",
            match_type: match_type(self.matcher)?,
            r#match: self.matcher.as_str(),
            subscriber: self.subscriber,
            active: self.active,
            payload: self.payload,
        })
    }
}

/// The document of a collection, without what it lists: [`Collection::begin`], the
/// items of [`Active::item`] with commas between them, [`Collection::end`]. So it
/// can be made piece by piece.
#[derive(Debug, Clone)]
pub struct Collection(String);

impl Collection {
    const END: &str = "]}";

    /// The collection that `route` names. `last_event_id` as in
    /// [`Active::document`].
    pub fn new(route: &Route, dialect: Dialect, last_event_id: &str, base: &Base) -> Self {
        let id = route.path(base);
        Self(match dialect {
            Dialect::V0 => to_json(&CollectionV0 {
                context: CONTEXT,
                id,
                r#type: "Subscriptions",
                last_event_id,
                subscriptions: [],
            }),
            Dialect::V1 => to_json(&CollectionV1 {
                id,
                r#type: "subscriptions",
                subscriptions: [],
            }),
        })
    }

    /// What stands before the first item.
    pub fn begin(&self) -> &str {
        self.0.strip_suffix(Self::END).unwrap_or_default()
    }

    /// What stands behind the last.
    pub fn end(&self) -> &str {
        Self::END
    }
}

/// The media type of the API's documents.
pub fn media_type(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::V0 => "application/ld+json",
        Dialect::V1 => "application/json",
    }
}

fn to_json(document: &impl Serialize) -> String {
    serde_json::to_string(document).expect("texts and JSON values always serialize")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn base() -> Base {
        Base::new("https://hub.example").unwrap()
    }

    fn parse(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    /// The collection of two, of which `route` names some.
    fn collection(route: &Route, both: [Active<'_>; 2], dialect: Dialect) -> Value {
        let whole = Collection::new(route, dialect, "x", &base());
        let named = both.iter().filter(|active| route.selects(active));
        let items: Vec<_> = named
            .filter_map(|active| active.item(dialect, &base()))
            .collect();
        parse(&[whole.begin(), &items.join(","), whole.end()].concat())
    }

    #[test]
    fn documents_of_0_x() {
        let (matcher, payload) = (
            Matcher::selector("https://a/{id}").unwrap(),
            json!({"user": 1}),
        );
        let active = Active {
            matcher: &matcher,
            subscriber: "urn:uuid:1",
            active: true,
            payload: Some(&payload),
        };
        let id = "/.well-known/mercure/subscriptions/https%3A%2F%2Fa%2F%7Bid%7D/urn%3Auuid%3A1";
        let document = |context: bool, cursor: bool| {
            let mut document = json!({
                "id": id, "type": "Subscription", "topic": "https://a/{id}",
                "subscriber": "urn:uuid:1", "active": true, "payload": {"user": 1},
            });
            if context {
                document["@context"] = "https://mercure.rocks/".into();
            }
            if cursor {
                document["lastEventID"] = "x".into();
            }
            document
        };
        let event = active.event(Dialect::V0, &base()).unwrap();
        assert_eq!((&*event.topic, event.event_type), (id, None));
        assert_eq!(parse(&event.data), document(true, false));
        let single = active.document(Dialect::V0, Some("x"), &base()).unwrap();
        assert_eq!(parse(&single), document(true, true));
        let item = document(false, false);
        assert_eq!(
            collection(&Route::All, [active; 2], Dialect::V0),
            json!({
                "@context": "https://mercure.rocks/", "id": "/.well-known/mercure/subscriptions",
                "type": "Subscriptions", "lastEventID": "x", "subscriptions": [item, item],
            })
        );
    }

    #[test]
    fn documents_of_1_0() {
        let matcher = Matcher::url_pattern("/:id", &base()).unwrap();
        let active = Active {
            matcher: &matcher,
            subscriber: "urn:uuid:1",
            active: false,
            payload: None,
        };
        let id = "/.well-known/mercure/subscriptions/urlpattern/%2F%3Aid/urn%3Auuid%3A1";
        let document = json!({
            "id": id, "type": "subscription", "match_type": "urlpattern", "match": "/:id",
            "subscriber": "urn:uuid:1", "active": false,
        });
        let event = active.event(Dialect::V1, &base()).unwrap();
        assert_eq!((&*event.topic, event.event_type), (id, Some("mercure")));
        assert_eq!(parse(&event.data), document);
        assert_eq!(
            parse(&active.document(Dialect::V1, Some("x"), &base()).unwrap()),
            document
        );
        let route = Route::Matcher {
            match_type: "urlpattern".into(),
            matcher: "/:id".into(),
        };
        let other = Matcher::exact("/:id");
        let other = Active {
            matcher: &other,
            ..active
        };
        assert_eq!(
            collection(&route, [other, active], Dialect::V1),
            json!({
                "id": "/.well-known/mercure/subscriptions/urlpattern/%2F%3Aid",
                "type": "subscriptions", "subscriptions": [document],
            })
        );
    }

    #[test]
    fn who_shows_where() {
        for (matcher, v0, v1) in [
            (Matcher::Any, true, true),
            (Matcher::exact("a"), true, true),
            (Matcher::selector("/{a}").unwrap(), true, false),
            (Matcher::url_pattern("/:a", &base()).unwrap(), false, true),
        ] {
            let active = Active {
                matcher: &matcher,
                subscriber: "s",
                active: true,
                payload: None,
            };
            for (dialect, expected) in [(Dialect::V0, v0), (Dialect::V1, v1)] {
                let shown = active.item(dialect, &base()).is_some();
                assert_eq!(shown, expected);
                assert_eq!(
                    active.shows_in(dialect),
                    expected,
                    "{matcher:?} {dialect:?}"
                );
                assert_eq!(active.event(dialect, &base()).is_some(), expected);
                if let Some(route) = active.route(dialect) {
                    assert!(route.selects(&active));
                    assert_eq!(Route::parse(&route.path(&base()), &base()), Some(route));
                }
            }
        }
    }

    #[test]
    fn a_route_selects_by_matcher_and_subscriber() {
        let (a, b) = (Matcher::exact("a"), Matcher::exact("b"));
        let active = |matcher, subscriber| Active {
            matcher,
            subscriber,
            active: true,
            payload: None,
        };
        let one = Route::TopicOne {
            topic: "a".into(),
            subscriber: "1".into(),
        };
        assert!(one.selects(&active(&a, "1")));
        assert!(!one.selects(&active(&a, "2")));
        assert!(!one.selects(&active(&b, "1")));
        let pattern = Route::Matcher {
            match_type: "urlpattern".into(),
            matcher: "a".into(),
        };
        assert!(!pattern.selects(&active(&a, "1")));
    }
}
