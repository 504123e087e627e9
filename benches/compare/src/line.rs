//! Lines of NDJSON.

use serde::Deserialize;
use std::borrow::Cow;

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    data: Cow<'a, str>,
}

/// The data of the event that `line` is; `None` if it is none.
pub fn data_of(line: &str) -> Option<Cow<'_, str>> {
    let line: Line<'_> = serde_json::from_str(line).ok()?;
    Some(line.data)
}

/// Whether a body of this `Content-Type` is a stream of such lines.
pub fn is_ndjson(content_type: &str) -> bool {
    content_type
        .trim()
        .eq_ignore_ascii_case("application/x-ndjson")
}
