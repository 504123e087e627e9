//! Percent-decoding, once and strictly.

use crate::http::{Code, Problem};

/// The decoded parameters of a query, in order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Parses the part of a URL behind `?` as `application/x-www-form-urlencoded`
    /// (WHATWG URL, 5.1), but refuses what that would guess at: a bare `%`, and
    /// bytes that aren't UTF-8.
    ///
    /// # Errors
    /// `400` for bad encodings, `414` for more than `max_bytes`.
    pub fn parse(query: Option<&str>, max_bytes: usize) -> Result<Self, Problem> {
        let Some(query) = query else {
            return Ok(Self::default());
        };
        check_length(Some(query), max_bytes)?;
        let mut pairs = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            pairs.push((
                decode(&name.replace('+', " "))?,
                decode(&value.replace('+', " "))?,
            ));
        }
        Ok(Self(pairs))
    }

    /// The values of a parameter that may be given several times.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }

    /// The value of a parameter that may be given once.
    ///
    /// # Errors
    /// `400` if it is given twice.
    pub fn one(&self, name: &str) -> Result<Option<&str>, Problem> {
        let mut values = self
            .0
            .iter()
            .filter(|(n, _)| n == name)
            .map(|(_, value)| value.as_str());
        let first = values.next();
        if values.next().is_some() {
            return Err(Problem::new(
                Code::BadRequest,
                format!("the parameter '{name}' is given more than once"),
            ));
        }
        Ok(first)
    }

    /// Which of `names` are there; for what a request may not combine.
    pub fn first_of(&self, names: &[&'static str]) -> Option<&'static str> {
        names
            .iter()
            .copied()
            .find(|name| self.0.iter().any(|(n, _)| n == name))
    }
}

/// Checks that a query isn't too long.
///
/// # Errors
/// `414` for more than `max_bytes`.
pub fn check_length(query: Option<&str>, max_bytes: usize) -> Result<(), Problem> {
    if query.is_none_or(|query| query.len() <= max_bytes) {
        return Ok(());
    }
    let detail =
        format!("the query is longer than {max_bytes} bytes; watch fewer topics, or use patterns");
    Err(Problem::new(Code::UriTooLong, detail))
}

/// Decodes percent-escapes once (RFC 3986, 2.1).
///
/// # Errors
/// `400` for a `%` without two hexadecimal digits and for bytes that aren't UTF-8.
pub fn decode(text: &str) -> Result<String, Problem> {
    let bytes = text.as_bytes();
    let escaped = |i: usize| {
        bytes
            .get(i + 1..i + 3)
            .is_some_and(|d| d.iter().all(u8::is_ascii_hexdigit))
    };
    if (0..bytes.len()).any(|i| bytes[i] == b'%' && !escaped(i)) {
        return Err(Problem::new(
            Code::BadRequest,
            "a '%' in the URL is not followed by two hexadecimal digits",
        ));
    }
    percent_encoding::percent_decode_str(text)
        .decode_utf8()
        .map(Into::into)
        .map_err(|_| {
            Problem::new(
                Code::BadRequest,
                "the URL holds percent-escapes that are not UTF-8",
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &str, expect: &[(&str, &str)]) {
        let expect = expect
            .iter()
            .map(|(n, v)| ((*n).into(), (*v).into()))
            .collect();
        assert_eq!(
            Query::parse(Some(query), 100).unwrap(),
            Query(expect),
            "{query}"
        );
    }

    fn check_refused(query: &str, code: Code) {
        assert_eq!(
            Query::parse(Some(query), 100).unwrap_err().code,
            code,
            "{query}"
        );
    }

    #[test]
    fn pairs_are_decoded_once() {
        check("", &[]);
        check(
            "a=1&b=&c&&d=x=y",
            &[("a", "1"), ("b", ""), ("c", ""), ("d", "x=y")],
        );
        check("topic=a%2Fb+c%2B", &[("topic", "a/b c+")]);
        check("topic=%2561", &[("topic", "%61")]);
        check("t=%F0%9F%8C%8A", &[("t", "🌊")]);
    }

    #[test]
    fn a2_long_query_is_414() {
        check_refused(&"a".repeat(101), Code::UriTooLong);
    }

    #[test]
    fn a4_bad_escapes_are_400() {
        for query in [
            "topic=%",
            "topic=%2",
            "topic=%zz",
            "topic=%C0%AF",
            "%=1",
            "t=%+1",
        ] {
            check_refused(query, Code::BadRequest);
        }
    }

    #[test]
    fn one_refuses_two() {
        let query = Query::parse(Some("id=1&id=2&event=x"), 100).unwrap();
        assert_eq!(query.one("event").unwrap(), Some("x"));
        assert_eq!(query.one("none").unwrap(), None);
        assert_eq!(query.one("id").unwrap_err().code, Code::BadRequest);
    }
}
