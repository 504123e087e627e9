//! Refusals of Mercure's as problem documents.

use crate::http::{Code, Problem};
use http::StatusCode;
use tidings_mercure::{Dialect, Refusal, RefusalKind};

/// The document, with the status that `dialect` gives it.
pub fn problem(refusal: Refusal, dialect: Dialect) -> Problem {
    let status = StatusCode::from_u16(refusal.kind.status(dialect));
    let problem = Problem::new(code(refusal.kind), refusal.detail);
    match status {
        Ok(status) => problem.with_status(status),
        Err(_) => problem,
    }
}

fn code(kind: RefusalKind) -> Code {
    match kind {
        RefusalKind::InvalidTopic => Code::InvalidTopic,
        RefusalKind::InvalidEvent => Code::InvalidEvent,
        RefusalKind::InvalidCursor => Code::InvalidCursor,
        RefusalKind::ReservedTopic => Code::ReservedTopic,
        RefusalKind::UnsupportedMediaType => Code::UnsupportedMediaType,
        RefusalKind::TooLarge => Code::TooLarge,
        _ => Code::BadRequest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_the_code_and_the_status_that_its_document_says() {
        for kind in [
            RefusalKind::BadRequest,
            RefusalKind::InvalidTopic,
            RefusalKind::InvalidEvent,
            RefusalKind::InvalidCursor,
            RefusalKind::ReservedTopic,
            RefusalKind::UnsupportedMediaType,
            RefusalKind::TooLarge,
        ] {
            for dialect in [Dialect::V0, Dialect::V1] {
                let problem = problem(Refusal::new(kind, "why"), dialect);
                assert_eq!(problem.code.as_str(), kind.code());
                assert_eq!(problem.status().as_u16(), kind.status(dialect), "{kind:?}");
                let document: serde_json::Value =
                    serde_json::from_str(&problem.to_json()).expect("JSON");
                assert_eq!(document["status"], kind.status(dialect), "{kind:?}");
            }
        }
    }
}
