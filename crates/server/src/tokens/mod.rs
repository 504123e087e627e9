//! What tokens are for besides publishing and watching: tickets, the renewal of
//! streams, and the revocation of tokens.

mod renewal;
mod revocations;
mod tickets;

use crate::auth::{Refused, Who};
use crate::http::body::{self, RequestBody, Room};
use crate::http::{Code, Problem, Reply, respond};
use crate::hub::Hub;
use bytes::Bytes;
use http::{Method, Request, StatusCode, request};
use std::sync::Arc;
use tidings_auth::Face;

/// The longest body of these requests, in bytes: a thousand topics fit.
const BODY_BYTES: usize = 256 * 1024;

/// Where a request goes, by its path.
#[derive(Debug, PartialEq, Eq)]
pub enum Route {
    /// `/tickets`.
    Tickets,
    /// `/connections/{id}/token`, with the id as it stands there.
    Renewal(String),
    /// `/admin/revocations`.
    Revocations,
    /// `/admin/revocations/{id}`, with the id as it stands there.
    Revocation(String),
}

impl Route {
    /// The route of a path, if it is one of these.
    pub fn of(path: &str) -> Option<Self> {
        let rest = |prefix| path.strip_prefix(prefix);
        let is_segment = |text: &&str| !text.is_empty() && !text.contains('/');
        if let Some(rest) = rest("/connections/") {
            let id = rest.strip_suffix("/token").filter(is_segment)?;
            return Some(Self::Renewal(id.to_owned()));
        }
        match path {
            "/tickets" => Some(Self::Tickets),
            "/admin/revocations" => Some(Self::Revocations),
            _ => {
                let id = rest("/admin/revocations/").filter(is_segment)?;
                Some(Self::Revocation(id.to_owned()))
            }
        }
    }
}

/// Answers a request that the guard has let pass.
///
/// # Errors
/// The problem to answer with.
pub async fn answer(
    hub: &Arc<Hub>,
    route: Route,
    request: Request<RequestBody>,
) -> Result<Reply, Problem> {
    if hub.auth().is_open() {
        let detail = "this hub has no keys ([auth]), so there are no tokens here";
        return Err(Problem::new(Code::NotFound, detail));
    }
    let (head, body) = request.into_parts();
    match (route, &head.method) {
        (Route::Tickets, &Method::POST) => tickets::give(hub, &head, body).await,
        (Route::Renewal(id), &Method::POST) => renewal::renew(hub, &head, body, &id).await,
        (Route::Revocations, &Method::POST) => revocations::add(hub, &head, body).await,
        (Route::Revocations, &Method::GET | &Method::HEAD) => revocations::list(hub, &head).await,
        (Route::Revocation(id), &Method::DELETE) => revocations::remove(hub, &head, &id).await,
        (Route::Tickets | Route::Renewal(_), _) => Err(Problem::method_not_allowed("POST")),
        (Route::Revocations, _) => Err(Problem::method_not_allowed("GET, HEAD, POST")),
        (Route::Revocation(_), _) => Err(Problem::method_not_allowed("DELETE")),
    }
}

/// Who holds a token that counts. Nobody else has to do with any of this.
async fn holder(hub: &Hub, head: &request::Parts) -> Result<Who, Refused> {
    let who = hub.auth().caller(head, Face::Native).await?;
    hub.auth().identified(&who)?;
    Ok(who)
}

/// Reads a body. Who asks is known before a byte of it is.
async fn read(hub: &Hub, head: &request::Parts, body: RequestBody) -> Result<Bytes, Problem> {
    let _receiving = hub.receive_body()?;
    read_operators(hub, head, body).await
}

/// Reads a body of the operator's. It takes no place of a publisher's, since it may
/// be those who have all of them whose tokens it revokes.
async fn read_operators(
    hub: &Hub,
    head: &request::Parts,
    body: RequestBody,
) -> Result<Bytes, Problem> {
    body::check_coding(&head.headers)?;
    let mut room = Room::new(hub);
    body::read_whole(body, BODY_BYTES, &mut room).await
}

/// An answer that says nothing but that it is done.
fn done() -> Reply {
    respond::empty(StatusCode::NO_CONTENT)
}
