//! Whether the hub lives, and whether it can do its work.

use crate::http::{Reply, respond};
use crate::hub::Hub;
use http::StatusCode;
use serde_json::json;
use tidings_store::Health;

/// Whether events can be taken in.
///
/// # Errors
/// Why not, in a word that stands in `/readyz`.
pub fn storage(hub: &Hub) -> Result<(), &'static str> {
    match hub.writer().status() {
        Health::Healthy => Ok(()),
        Health::Full => Err("storage-full"),
        Health::Failed(_) => Err("storage-failed"),
    }
}

/// Answers `GET /readyz`: `200` if the hub serves and can take events in.
pub fn ready(hub: &Hub) -> Reply {
    let storage = storage(hub);
    let draining = hub.drain().has_begun();
    let ok = storage.is_ok() && !draining;
    let status = if ok {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = json!({
        "status": if ok { "ready" } else { "not ready" },
        "storage": storage.err().unwrap_or("ok"),
        "draining": draining,
    });
    respond::json(status, &body)
}
