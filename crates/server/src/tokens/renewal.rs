//! `POST /connections/{id}/token`: another token for a stream that goes on.

use super::{done, holder, read};
use crate::auth::ConnectionId;
use crate::http::body::RequestBody;
use crate::http::{Code, Problem, Reply};
use crate::hub::{Hub, now};
use http::request;
use std::sync::Arc;
use tidings_auth::Refusal;

/// Replaces the rights of a stream with those of the token that the request
/// presents. A body has no meaning.
pub async fn renew(
    hub: &Arc<Hub>,
    head: &request::Parts,
    body: RequestBody,
    id: &str,
) -> Result<Reply, Problem> {
    let who = holder(hub, head).await?;
    read(hub, head, body).await?;
    let auth = hub.auth();
    let id = ConnectionId::parse(id);
    let standing = id.and_then(|id| auth.standings().connection(id));
    let standing = standing.filter(|standing| standing.over(now()).is_none());
    // A stream without a token looks as if it weren't there: nobody can renew it.
    let found = standing.and_then(|standing| Some((standing.rights()?, standing)));
    let (Some((before, standing)), Some(rights)) = (found, who.rights()) else {
        let detail = "no stream with this id can be renewed: it has ended, or was opened without a \
                      token";
        return Err(Problem::new(Code::NotFound, detail));
    };
    if !rights.may_renew(&before) {
        return Err(auth.refuse(Refusal::OtherHolder).into());
    }
    let renewed = standing.renew(auth, Arc::clone(rights));
    renewed.map_err(|refusal| auth.refuse(refusal))?;
    Ok(done())
}
