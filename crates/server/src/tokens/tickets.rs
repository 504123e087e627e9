//! `POST /tickets`.

use super::{holder, read};
use crate::auth::TicketRandom;
use crate::http::body::RequestBody;
use crate::http::{Code, Problem, Reply, respond};
use crate::hub::Hub;
use http::{StatusCode, request};
use serde_json::json;
use std::sync::Arc;

/// What stands in a query beside a ticket, in bytes: `&ticket=`, and a topic.
const BESIDE: usize = 1024;

/// Gives whoever holds a token a ticket for it. A body has no meaning.
pub async fn give(
    hub: &Arc<Hub>,
    head: &request::Parts,
    body: RequestBody,
) -> Result<Reply, Problem> {
    let who = holder(hub, head).await?;
    read(hub, head, body).await?;
    let random = TicketRandom::new().map_err(|error| {
        tracing::error!(%error, "the system has no randomness for a ticket");
        Problem::new(Code::Internal, "the system has no randomness for a ticket")
    })?;
    let given = hub.auth().give_ticket(&who, &random)?;
    let longest = hub.settings().limits.query_bytes.saturating_sub(BESIDE);
    if given.ticket.len() > longest {
        let detail = format!(
            "the token grants so much that a ticket for it has {} bytes, more than \
             limits.query_bytes leaves room for ({longest}); use patterns, or a cookie",
            given.ticket.len()
        );
        return Err(Problem::new(Code::TooLarge, detail));
    }
    let answer = json!(given);
    Ok(respond::json(StatusCode::CREATED, &answer))
}
