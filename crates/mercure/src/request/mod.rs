//! Requests to the hub's URL, from their parts to validated types.

pub mod cursor;
pub mod publish;
pub mod subscribe;

pub use cursor::Resume;
pub use publish::Publish;
pub use subscribe::{QueryToken, Subscribe};

use crate::refusal::{Refusal, RefusalKind};
use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// What a body must be, in a publish request and in a `QUERY`.
pub const FORM_TYPE: &str = "application/x-www-form-urlencoded";

/// What `Content-Type` says a body is.
#[derive(Debug, PartialEq, Eq)]
enum BodyType {
    Form,
    /// There is no such header, several, or one that isn't a media type.
    Unclear,
    Other,
}

fn body_type(headers: &HeaderMap) -> BodyType {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return BodyType::Unclear;
    };
    let Ok(text) = value.to_str() else {
        return BodyType::Unclear;
    };
    let media_type = text.split(';').next().unwrap_or_default().trim();
    match media_type.split_once('/') {
        Some((kind, subtype)) if is_token(kind) && is_token(subtype) => {
            if media_type.eq_ignore_ascii_case(FORM_TYPE) {
                BodyType::Form
            } else {
                BodyType::Other
            }
        }
        _ => BodyType::Unclear,
    }
}

/// RFC 9110, 5.6.2.
fn is_token(text: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_token)
}

fn not_a_form() -> Refusal {
    Refusal::new(
        RefusalKind::UnsupportedMediaType,
        format!("the body must be a form: 'Content-Type: {FORM_TYPE}'"),
    )
}

fn bad_form(reason: &crate::form::InvalidForm, place: &str) -> Refusal {
    Refusal::new(RefusalKind::BadRequest, format!("in the {place}: {reason}"))
}
