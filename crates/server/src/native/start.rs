//! From where a stream or a page of history is asked to start.

use crate::http::query::Query;
use crate::http::{Code, Problem};
use http::HeaderMap;
use tidings_codec::EventId;
use tidings_engine::limits::ID_BYTES;
use tidings_engine::since::Since;
use tidings_engine::start::Asked;

/// Reads what header and query ask for.
///
/// # Errors
/// `400` if one of them can't be understood (bad-input row a8).
pub fn asked(headers: &HeaderMap, query: &Query) -> Result<Asked, Problem> {
    let since = query.one("since")?.map(Since::parse).transpose();
    let since = since.map_err(|reason| Problem::new(Code::InvalidCursor, reason.to_string()))?;
    Ok(Asked {
        last_event_id: last_event_id(headers)?,
        since,
    })
}

/// The id that a request resumes from, if it does.
///
/// # Errors
/// `400` if it can't be understood (bad-input row a8).
pub fn last_event_id(headers: &HeaderMap) -> Result<Option<EventId>, Problem> {
    let mut values = headers.get_all("last-event-id").iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Problem::new(
            Code::InvalidCursor,
            "'Last-Event-ID' is given more than once",
        ));
    }
    if value.len() > ID_BYTES {
        return Err(Problem::new(
            Code::InvalidCursor,
            format!("'Last-Event-ID' is longer than {ID_BYTES} bytes"),
        ));
    }
    // The UTF-8 bytes, as browsers send them (rule R4).
    let id = std::str::from_utf8(value.as_bytes())
        .ok()
        .and_then(|text| EventId::new(text).ok());
    let id = id.ok_or_else(|| {
        Problem::new(
            Code::InvalidCursor,
            "'Last-Event-ID' is not UTF-8 text without controls",
        )
    })?;
    Ok(Some(id).filter(|id| !id.as_str().is_empty()))
}
