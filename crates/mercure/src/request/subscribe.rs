//! Subscribing: `GET` and `QUERY`, in both dialects.

use super::cursor::{self, Resume};
use super::{BodyType, bad_form, body_type, not_a_form};
use crate::base::Base;
use crate::dialect::Dialect;
use crate::form::Form;
use crate::matcher::Matcher;
use crate::refusal::{Refusal, RefusalKind};
use crate::topic::{MATCHERS, check_text};
use http::HeaderMap;
use std::fmt;

/// What a subscriber asks for.
#[derive(Debug, Clone)]
pub struct Subscribe {
    /// 1.0 if any parameter of it is there, else 0.x.
    pub dialect: Dialect,
    /// Sorted, each once; at least one.
    pub matchers: Vec<Matcher>,
    /// The cursor, if the request brought one.
    pub resume: Option<Resume>,
    /// The token in the query, which only 0.x has; see [`QueryToken`].
    pub token: Option<QueryToken>,
}

/// A token in the query string. Whether it may count is up to authorization:
/// URLs stand in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct QueryToken(String);

impl QueryToken {
    /// The token.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for QueryToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QueryToken(…)")
    }
}

/// Parses the request of a `GET` or `HEAD`, or, with a `body`, of a `QUERY`.
/// Parameters of query and body count together. Whether `Accept` leaves an
/// event stream out is asked elsewhere, as for every stream of the hub.
///
/// A request with both `topic` and `match…` is one of 1.0, where `topic` is
/// an unknown name like any other.
///
/// # Errors
/// [`Refusal`] says which rule the request breaks.
pub fn subscribe(
    headers: &HeaderMap,
    query: Option<&str>,
    body: Option<&[u8]>,
    base: &Base,
) -> Result<Subscribe, Refusal> {
    let query = Form::query(query.unwrap_or_default()).map_err(|e| bad_form(&e, "query"))?;
    let body = body.map(|body| query_body(headers, body)).transpose()?;
    let fields = || query.fields().chain(body.iter().flat_map(Form::fields));
    let dialect = match fields().any(|(name, _)| is_match(name)) {
        true => Dialect::V1,
        false => Dialect::V0,
    };
    let mut matchers = Vec::new();
    for (name, value) in fields() {
        if let Some(matcher) = matcher(name, value, dialect, base)? {
            if matchers.len() == MATCHERS {
                let detail = format!("more than {MATCHERS} topics or matchers are asked for");
                return Err(Refusal::new(RefusalKind::BadRequest, detail));
            }
            matchers.push(matcher);
        }
    }
    if matchers.is_empty() {
        return Err(Refusal::new(
            RefusalKind::BadRequest,
            "nothing is asked for; give at least one 'topic', 'match' or 'match_urlpattern'",
        ));
    }
    matchers.sort();
    matchers.dedup();
    Ok(Subscribe {
        dialect,
        matchers,
        resume: cursor::resume(headers, &query, body.as_ref())?,
        token: query_token(&query)?,
    })
}

fn query_body(headers: &HeaderMap, body: &[u8]) -> Result<Form, Refusal> {
    match body_type(headers) {
        BodyType::Form => Form::body(body).map_err(|reason| bad_form(&reason, "body")),
        BodyType::Other => Err(not_a_form()),
        BodyType::Unclear => Err(Refusal::new(
            RefusalKind::BadRequest,
            "'Content-Type' is missing or no media type",
        )),
    }
}

/// Names that begin so are 1.0's, those it doesn't know yet too.
fn is_match(name: &str) -> bool {
    name.get(..5)
        .is_some_and(|start| start.eq_ignore_ascii_case("match"))
}

/// The matcher that a field asks for; `None` for a field of another meaning.
fn matcher(
    name: &str,
    value: &str,
    dialect: Dialect,
    base: &Base,
) -> Result<Option<Matcher>, Refusal> {
    let invalid = |reason: &dyn fmt::Display| {
        // The name is one of ours, not the request's.
        let place = if name == "topic" { "topic" } else { "matcher" };
        Refusal::new(
            RefusalKind::InvalidTopic,
            format!("a {place} is not valid: it {reason}"),
        )
    };
    let built = match (dialect, name) {
        (Dialect::V0, "topic") => Matcher::selector(value).map_err(|e| e.to_string()),
        (Dialect::V1, "match" | "match_exact") => Ok(Matcher::exact(value)),
        (Dialect::V1, "match_urlpattern") => {
            // Before it is compiled: the bound on its length is a bound on that.
            check_text(value, dialect).map_err(|reason| invalid(&reason))?;
            Matcher::url_pattern(value, base).map_err(|e| e.to_string())
        }
        (Dialect::V1, name) if is_match(name) => {
            return Err(Refusal::new(
                RefusalKind::BadRequest,
                "a parameter begins with 'match' and is none of 'match', 'match_exact' and \
                 'match_urlpattern'; names are case-sensitive",
            ));
        }
        _ => return Ok(None),
    };
    check_text(value, dialect).map_err(|reason| invalid(&reason))?;
    built.map(Some).map_err(|reason| {
        Refusal::new(
            RefusalKind::InvalidTopic,
            format!("a matcher is not valid: {reason}"),
        )
    })
}

fn query_token(query: &Form) -> Result<Option<QueryToken>, Refusal> {
    let mut tokens = query.all("authorization");
    let token = tokens.next().map(|token| QueryToken(token.to_owned()));
    if tokens.next().is_some() {
        return Err(Refusal::new(
            RefusalKind::BadRequest,
            "the parameter 'authorization' is given more than once",
        ));
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matcher::Kind;
    use http::HeaderValue;

    fn ask(query: &str) -> Result<Subscribe, RefusalKind> {
        let base = Base::new("https://example.com").unwrap();
        let asked = subscribe(&HeaderMap::new(), Some(query), None, &base);
        asked.map_err(|refusal| {
            assert!(refusal.detail.len() <= 200, "{}", refusal.detail);
            refusal.kind
        })
    }

    fn check(query: &str, dialect: Dialect, expected: &[(Kind, &str)]) {
        let asked = ask(query).unwrap();
        assert_eq!(asked.dialect, dialect, "{query}");
        let matchers: Vec<_> = asked
            .matchers
            .iter()
            .map(|m| (m.kind(), m.as_str()))
            .collect();
        assert_eq!(matchers, expected, "{query}");
    }

    #[test]
    fn selectors_of_0_x() {
        check(
            "topic=a&topic=b&topic=a",
            Dialect::V0,
            &[(Kind::Exact, "a"), (Kind::Exact, "b")],
        );
        check("topic=*", Dialect::V0, &[(Kind::Any, "*")]);
        check(
            "topic=%2F%7Bid%7D&x=y",
            Dialect::V0,
            &[(Kind::Template, "/{id}")],
        );
        check("topic=/{id}", Dialect::V0, &[(Kind::Template, "/{id}")]);
        check(
            "topic=a%E2%80%8Db",
            Dialect::V0,
            &[(Kind::Exact, "a\u{200d}b")],
        );
    }

    #[test]
    fn matchers_of_1_0() {
        check(
            "match=a&match_exact=b",
            Dialect::V1,
            &[(Kind::Exact, "a"), (Kind::Exact, "b")],
        );
        check("match={id}", Dialect::V1, &[(Kind::Exact, "{id}")]);
        check(
            "match_urlpattern=/books/:id",
            Dialect::V1,
            &[(Kind::UrlPattern, "/books/:id")],
        );
        check(
            "match_urlpattern=*&match=*",
            Dialect::V1,
            &[(Kind::Any, "*")],
        );
        check("topic=a&match=b", Dialect::V1, &[(Kind::Exact, "b")]);
    }

    #[test]
    fn a1_nothing_asked_for() {
        for query in ["", "x=y", "Topic=a", "lastEventID=1"] {
            assert_eq!(ask(query).unwrap_err(), RefusalKind::BadRequest, "{query}");
        }
    }

    #[test]
    fn names_of_matchers_are_case_sensitive_and_closed() {
        for query in [
            "Match=a",
            "MATCH_EXACT=a",
            "match=a&match_regexp=b",
            "match_=a",
            "matches=a",
            "matchÉ=a",
        ] {
            assert_eq!(ask(query).unwrap_err(), RefusalKind::BadRequest, "{query}");
        }
    }

    /// Mercure #1260: the number of elements had no bound.
    #[test]
    fn a2_mercure_1260_matchers_are_bounded_in_number_and_length() {
        let many = |count: usize| {
            (0..count)
                .map(|i| format!("&topic={i}"))
                .collect::<String>()
        };
        assert_eq!(ask(&many(100)).unwrap().matchers.len(), 100);
        assert_eq!(ask(&many(101)).unwrap_err(), RefusalKind::BadRequest);
        assert_eq!(ask(&many(1_001)).unwrap_err(), RefusalKind::BadRequest);
        assert_eq!(
            ask(&"match=a&".repeat(101)).unwrap_err(),
            RefusalKind::BadRequest
        );
        for name in ["topic", "match", "match_exact", "match_urlpattern"] {
            let long = |length: usize| format!("{name}=/{}", "x".repeat(length - 1));
            assert!(ask(&long(4_096)).is_ok(), "{name}");
            assert_eq!(
                ask(&long(4_097)).unwrap_err(),
                RefusalKind::InvalidTopic,
                "{name}"
            );
        }
    }

    #[test]
    fn a3_a5_bad_matchers() {
        for query in [
            "topic=",
            "topic=a%00",
            "topic=a%0D",
            "topic=a%C2%85",
            "match=",
            "match=a%7F",
            "match=a%E2%80%8Db",
            "match_urlpattern=%EF%BB%BFa",
            "match_urlpattern=/(",
            "match_urlpattern=/(a{1000}{1000})",
            "match_urlpattern=https://[",
        ] {
            assert_eq!(
                ask(query).unwrap_err(),
                RefusalKind::InvalidTopic,
                "{query}"
            );
        }
        let many = format!("topic={}", "{x}".repeat(1_000));
        assert_eq!(ask(&many).unwrap_err(), RefusalKind::InvalidTopic);
        for query in [
            "topic=%",
            "topic=%zz",
            "topic=%C0%AF",
            "match=%ED%A0%80",
            "=a",
        ] {
            assert_eq!(ask(query).unwrap_err(), RefusalKind::BadRequest, "{query}");
        }
    }

    fn ask_query(content_type: &[&str], query: &str, body: &str) -> Result<Vec<String>, u16> {
        let base = Base::new("https://example.com").unwrap();
        let mut headers = HeaderMap::new();
        for value in content_type {
            headers.append("content-type", HeaderValue::from_str(value).unwrap());
        }
        subscribe(&headers, Some(query), Some(body.as_bytes()), &base)
            .map(|asked| {
                asked
                    .matchers
                    .iter()
                    .map(|m| m.as_str().to_owned())
                    .collect()
            })
            .map_err(|refusal| refusal.kind.status(Dialect::V1))
    }

    #[test]
    fn query_joins_its_body_and_its_query_string() {
        let form = ["application/x-www-form-urlencoded"];
        let joined = Ok(vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!(ask_query(&form, "match=a", "match=b&match=a"), joined);
        assert_eq!(
            ask_query(
                &["Application/X-WWW-Form-Urlencoded; charset=utf-8"],
                "",
                "match=a&match=b"
            ),
            joined
        );
        assert_eq!(ask_query(&[], "match=a", ""), Err(400));
        assert_eq!(ask_query(&["nonsense"], "match=a", ""), Err(400));
        assert_eq!(ask_query(&[form[0], form[0]], "match=a", ""), Err(400));
        assert_eq!(ask_query(&["application/json"], "match=a", "{}"), Err(415));
        assert_eq!(ask_query(&form, "", ""), Err(400));
    }

    #[test]
    fn a_token_in_the_query_is_never_shown() {
        let asked = ask("topic=a&authorization=secret").unwrap();
        assert_eq!(asked.token.as_ref().unwrap().as_str(), "secret");
        assert!(!format!("{asked:?}").contains("secret"));
        assert!(ask("topic=a&authorization=a&authorization=a").is_err());
    }
}
