//! Whether a response says that it is an event stream (F): the MIME Sniffing
//! standard's "parse a MIME type" and the Fetch standard's "extract a MIME type".

use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// Whether the MIME type of `headers` has the essence `text/event-stream`.
/// Parameters don't matter, the charset among them (D1).
pub(super) fn is_event_stream(headers: &HeaderMap) -> bool {
    let values: Vec<&[u8]> = headers
        .get_all(CONTENT_TYPE)
        .iter()
        .map(|value| value.as_bytes())
        .collect();
    // Several headers are one list, and so is one header with commas. What is
    // no MIME type, or any type, is passed over; of the rest the last counts.
    let combined = values.join(&b", "[..]);
    let types = Elements(Some(&combined)).filter_map(essence);
    let last = types.filter(|essence| *essence != (b"*", b"*")).last();
    last.is_some_and(|(main, sub)| {
        main.eq_ignore_ascii_case(b"text") && sub.eq_ignore_ascii_case(b"event-stream")
    })
}

/// The elements of a header that is a list; commas in quotes don't separate
/// (Fetch, "get, decode, and split").
struct Elements<'a>(Option<&'a [u8]>);

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let list = self.0?;
        let (mut quoted, mut escaped) = (false, false);
        let comma = list.iter().position(|byte| {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b',' => return !quoted,
                _ => {}
            }
            false
        });
        self.0 = comma.map(|at| &list[at + 1..]);
        Some(&list[..comma.unwrap_or(list.len())])
    }
}

/// Type and subtype of a MIME type, as they came.
fn essence(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = trim(text);
    let slash = text.iter().position(|byte| *byte == b'/')?;
    let (main, rest) = (&text[..slash], &text[slash + 1..]);
    let sub = rest.split(|byte| *byte == b';').next()?;
    let sub = trim_end(sub);
    (is_token(main) && is_token(sub)).then_some((main, sub))
}

/// HTTP whitespace is LF, CR, TAB and SPACE.
fn is_whitespace(byte: &u8) -> bool {
    matches!(byte, b'\n' | b'\r' | b'\t' | b' ')
}

fn trim(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| !is_whitespace(byte));
    trim_end(&text[start.unwrap_or(text.len())..])
}

fn trim_end(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|byte| !is_whitespace(byte));
    &text[..end.map_or(0, |at| at + 1)]
}

/// RFC 9110 section 5.6.2.
fn is_token(text: &[u8]) -> bool {
    let is_token_byte =
        |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !text.is_empty() && text.iter().all(is_token_byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[track_caller]
    fn check(values: &[&str], expected: bool) {
        let mut headers = HeaderMap::new();
        for value in values {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            headers.append(CONTENT_TYPE, value);
        }
        assert_eq!(is_event_stream(&headers), expected, "{values:?}");
    }

    #[test]
    fn d11_the_essence_decides_and_parameters_do_not() {
        for is in [
            "text/event-stream",
            "TEXT/Event-Stream",
            "text/event-stream;",
            "text/event-stream ;",
            "\ttext/event-stream ",
            "text/event-stream;charset=latin1",
            "text/event-stream; charset=\"a,b\\\",c\"",
            "text/event-stream; ; =; nonsense",
        ] {
            check(&[is], true);
        }
        for is_not in [
            "",
            " ",
            "text/html",
            "text",
            "/event-stream",
            "text/",
            "text/event-stream2",
            "text/event-stream foo",
            "text/event stream",
            "text /event-stream",
            "text/ event-stream",
            "\"text/event-stream\"",
            "text/event-stream\u{E9}",
            "application/json; x=text/event-stream",
        ] {
            check(&[is_not], false);
        }
    }

    #[test]
    fn d11_of_several_types_the_last_valid_one_counts() {
        check(&[], false);
        check(&["text/html", "text/event-stream"], true);
        check(&["text/event-stream", "text/html"], false);
        check(&["text/html, text/event-stream"], true);
        check(&["text/event-stream, text/html"], false);
        check(&["text/event-stream", "nonsense", "*/*", ""], true);
        check(&["text/html; a=\"x", "y\", text/event-stream"], true);
        check(&["text/html; a=\", text/event-stream"], false);
        check(&["text/html; a=\"\\", "text/event-stream"], false);
    }
}
