//! Methods that the crate `http` has no name for.

use http::Method;

/// Whether it is `QUERY`: it reads, as `GET` does, and has a body
/// (draft-ietf-httpbis-safe-method-w-body).
pub fn is_query(method: &Method) -> bool {
    method.as_str() == "QUERY"
}
