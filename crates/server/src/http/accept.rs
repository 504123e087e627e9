//! Content negotiation (RFC 9110, 12.5.1) between the few forms we have.

use http::HeaderMap;
use http::header::{ACCEPT, ACCEPT_ENCODING};

/// A form in which a topic can be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `text/event-stream`.
    Stream,
    /// `application/json`: a page of history.
    Json,
    /// `text/html`: the start page.
    Html,
}

impl Form {
    fn media_type(self) -> (&'static str, &'static str) {
        match self {
            Self::Stream => ("text", "event-stream"),
            Self::Json => ("application", "json"),
            Self::Html => ("text", "html"),
        }
    }
}

/// The form a request prefers; `None` if none fits. Ties go to the more
/// specific range, then to the order stream, JSON, page: a missing `Accept`
/// and `*/*` mean a stream.
pub fn negotiate(headers: &HeaderMap) -> Option<Form> {
    let mut ranges = Vec::new();
    for value in headers.get_all(ACCEPT) {
        ranges.extend(value.to_str().ok()?.split(',').filter_map(parse_range));
    }
    if ranges.is_empty() && !headers.contains_key(ACCEPT) {
        return Some(Form::Stream);
    }
    let mut best: Option<(u16, u8, Form)> = None;
    for form in [Form::Stream, Form::Json, Form::Html] {
        let fit = ranges
            .iter()
            .filter_map(|range| range.fit(form.media_type()))
            .max_by_key(|(specificity, _)| *specificity);
        if let Some((specificity, q)) = fit
            && q > 0
            && best.is_none_or(|(best_q, best_s, _)| (q, specificity) > (best_q, best_s))
        {
            best = Some((q, specificity, form));
        }
    }
    best.map(|(_, _, form)| form)
}

/// Whether an event stream is among what a request takes.
pub fn takes_stream(headers: &HeaderMap) -> bool {
    quality(headers, Form::Stream.media_type()) > 0
}

/// How much a request wants `media_type`, in thousandths: 0 not at all. All of it
/// without `Accept`, or where that can't be read.
pub fn quality(headers: &HeaderMap, media_type: (&str, &str)) -> u16 {
    const FULL: u16 = 1000;
    let mut ranges = Vec::new();
    for value in headers.get_all(ACCEPT) {
        let Ok(text) = value.to_str() else {
            return FULL;
        };
        ranges.extend(text.split(',').filter_map(parse_range));
    }
    if ranges.is_empty() {
        return FULL;
    }
    let fits = ranges.iter().filter_map(|range| range.fit(media_type));
    let closest = fits.max_by_key(|(specificity, _)| *specificity);
    closest.map_or(0, |(_, quality)| quality)
}

/// Whether a request takes gzip (RFC 9110, 12.5.3). Without `Accept-Encoding`
/// it isn't asked to.
pub fn takes_gzip(headers: &HeaderMap) -> bool {
    let mut taken = None;
    for value in headers.get_all(ACCEPT_ENCODING) {
        for coding in value.to_str().unwrap_or("").split(',') {
            let mut parts = coding.split(';').map(str::trim);
            let name = parts.next().unwrap_or("").to_ascii_lowercase();
            let weight = weight(parts).is_some_and(|q| q > 0);
            match name.as_str() {
                "gzip" | "x-gzip" => return weight,
                "*" => taken = Some(weight),
                _ => {}
            }
        }
    }
    taken.unwrap_or(false)
}

struct Range {
    kind: String,
    subtype: String,
    /// Thousandths, as RFC 9110 allows three digits.
    q: u16,
}

impl Range {
    fn fit(&self, (kind, subtype): (&str, &str)) -> Option<(u8, u16)> {
        match (self.kind.as_str(), self.subtype.as_str()) {
            ("*", "*") => Some((0, self.q)),
            (k, "*") if k == kind => Some((1, self.q)),
            (k, s) if k == kind && s == subtype => Some((2, self.q)),
            _ => None,
        }
    }
}

fn parse_range(text: &str) -> Option<Range> {
    let mut parts = text.split(';').map(str::trim);
    let (kind, subtype) = parts.next()?.split_once('/')?;
    let q = weight(parts)?;
    Some(Range {
        kind: kind.to_ascii_lowercase(),
        subtype: subtype.to_ascii_lowercase(),
        q,
    })
}

/// The weight among parameters, in thousandths: all without one; `None` if it
/// can't be read.
fn weight<'a>(parameters: impl Iterator<Item = &'a str>) -> Option<u16> {
    let weight = parameters
        .filter_map(|p| p.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
        .map_or(Some(1.0), |(_, value)| {
            value
                .trim()
                .parse::<f32>()
                .ok()
                .filter(|q| (0.0..=1.0).contains(q))
        })?;
    Some((weight * 1000.0) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(accept: Option<&str>, expect: Option<Form>) {
        let mut headers = HeaderMap::new();
        if let Some(accept) = accept {
            headers.insert(ACCEPT, accept.parse().unwrap());
        }
        assert_eq!(negotiate(&headers), expect, "{accept:?}");
    }

    #[test]
    fn a17_accept_chooses_the_form() {
        check(None, Some(Form::Stream));
        check(Some("*/*"), Some(Form::Stream));
        check(Some("text/*"), Some(Form::Stream));
        check(Some("TEXT/Event-Stream"), Some(Form::Stream));
        check(Some("application/json"), Some(Form::Json));
        check(Some("application/*"), Some(Form::Json));
        check(
            Some("application/json;q=0.5, text/event-stream;q=0.4"),
            Some(Form::Json),
        );
        check(Some("application/json, */*"), Some(Form::Json));
        check(Some("text/html"), Some(Form::Html));
        check(
            Some("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"),
            Some(Form::Html),
        );
        check(Some("*/*;q=0"), None);
        check(Some("image/png"), None);
        check(Some("text/event-stream;q=0, */*"), Some(Form::Json));
        check(Some(""), None);
        check(Some("nonsense"), None);
        check(Some("text/html;q=2"), None);
    }

    #[test]
    fn a17_a_stream_may_be_all_that_there_is() {
        for (accept, taken) in [
            (None, true),
            (Some("text/event-stream"), true),
            (Some("application/json;q=1, text/event-stream;q=0.1"), true),
            (Some("text/html, */*;q=0.8"), true),
            (Some("application/json"), false),
            (Some("*/*;q=0"), false),
            (Some("*/*, text/event-stream;q=0"), false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(ACCEPT, accept.parse().expect("a value"));
            }
            assert_eq!(takes_stream(&headers), taken, "{accept:?}");
        }
    }

    #[test]
    fn a17_how_much_a_type_is_wanted() {
        for (accept, expect) in [
            (None, 1000),
            (Some("*/*;q=0.1"), 100),
            (Some("application/*;q=0.2, */*;q=0.5"), 200),
            (Some("application/ld+json;q=0, application/*"), 0),
            (Some("application/json"), 0),
            (Some("nonsense"), 1000),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(ACCEPT, accept.parse().unwrap());
            }
            let wanted = quality(&headers, ("application", "ld+json"));
            assert_eq!(wanted, expect, "{accept:?}");
        }
    }
}
