//! What the hub says of itself (RFC 9728). It is there without keys too: that it
//! is there is how clients tell that 1.0 is spoken, as it always is here.

use crate::auth::Auth;
use crate::http::{Reply, respond};
use http::StatusCode;
use tidings_mercure::Base;
use tidings_mercure::document::Metadata;
use tidings_mercure::document::metadata::WELL_KNOWN;

/// Whether the document of the hub at `base` stands at `path`.
pub fn is_at(path: &str, base: &Base) -> bool {
    path.strip_prefix(WELL_KNOWN) == Some(base.hub().path())
}

/// The document.
pub fn reply(auth: &Auth) -> Reply {
    let subscriptions = auth.mercure().subscriptions;
    let metadata = Metadata::new(auth.base().hub().as_str(), auth.issuers(), subscriptions);
    respond::whole(StatusCode::OK, "application/json", metadata.to_json())
}
