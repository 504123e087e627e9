//! `Retry-After` (RFC 9110 section 10.2.3).

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};
use std::time::Duration;

/// How long to wait, as `Retry-After` of `headers` says: in seconds, or until a date. There is no
/// clock in here, so a date is taken against the response's own `Date`, which
/// has the advantage that the server's clock may be wrong; without one, it says
/// nothing. What is no number and no date says nothing. A date that has passed
/// means no wait; numbers beyond `u64` are as good as `u64::MAX`.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let until = httpdate::parse_http_date(value).ok()?;
    let date = headers.get(DATE)?.to_str().ok()?.trim();
    let now = httpdate::parse_http_date(date).ok()?;
    Some(until.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    const DATE_SENT: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    #[track_caller]
    fn check(value: &str, date: Option<&str>, expected: Option<u64>) {
        let mut headers = HeaderMap::new();
        headers.insert(
            RETRY_AFTER,
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        );
        if let Some(date) = date {
            headers.insert(DATE, HeaderValue::from_str(date).unwrap());
        }
        let expected = expected.map(Duration::from_secs);
        assert_eq!(retry_after(&headers), expected, "{value:?} {date:?}");
    }

    #[test]
    fn d12_seconds() {
        check("0", None, Some(0));
        check("120", None, Some(120));
        check(" 007 ", None, Some(7));
        check("99999999999999999999999999", None, Some(u64::MAX));
        for nothing in ["", " ", "-1", "+1", "1.5", "1s", "\u{663}", "1, 2"] {
            check(nothing, Some(DATE_SENT), None);
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    #[test]
    fn d12_dates_are_taken_against_the_response_s_own() {
        let in_a_minute = "Sun, 06 Nov 1994 08:50:37 GMT";
        check(in_a_minute, Some(DATE_SENT), Some(60));
        check("Sunday, 06-Nov-94 08:50:37 GMT", Some(DATE_SENT), Some(60));
        check("Sun Nov  6 08:50:37 1994", Some(DATE_SENT), Some(60));
        check(DATE_SENT, Some(in_a_minute), Some(0));
        check(in_a_minute, None, None);
        check(in_a_minute, Some("yesterday"), None);
        check("Sun, 06 Nov 19940 08:50:37 GMT", Some(DATE_SENT), None);
        check(
            "Fri, 31 Dec 9999 23:59:59 GMT",
            Some(DATE_SENT),
            Some(252_618_189_022),
        );
    }
}
