//! Rules that a [`Machine`](super::Machine) goes by and that other requests
//! share, so that whoever makes some beside a stream, as a page or a publisher
//! does, needs no reading of its own of the same standards.

pub use super::cors::cors_check;
pub use super::policy::is_transient;
pub use super::redirect::{drop_credentials, is_redirect, redirect_request};
pub use super::retry_after::retry_after;
