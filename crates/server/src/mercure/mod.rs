//! The Mercure face: `/.well-known/mercure`, both dialects of the protocol.
//! Requests are read by the crate `tidings-mercure`; what they ask for is done
//! by the same functions as on the native face.

pub mod active;
pub mod links;
mod metadata;
mod publish;
mod refusal;
mod subscribe;

use crate::http::body::RequestBody;
use crate::http::method::is_query;
use crate::http::{Problem, accept};
use crate::hub::Hub;
use crate::native::{self, Begun};
use http::{Method, request};
use std::sync::Arc;
use tidings_mercure::base::HUB_PATH;

/// What of this face stands at a path.
pub enum Resource {
    /// The hub: it is subscribed to and published to here.
    Hub,
    /// What the hub says of itself as a protected resource.
    Metadata,
    /// Who is subscribed.
    Subscriptions,
}

impl Resource {
    /// What stands at `path`; `None` if nothing of this face does.
    ///
    /// A hub whose public URL has a path is asked without it, as on the native
    /// face: the proxy that adds it takes it away. The metadata's path is the one
    /// exception, since RFC 9728 puts the well-known part before all else.
    pub fn at(path: &str, hub: &Hub) -> Option<Self> {
        if is_hub(path) {
            return Some(Self::Hub);
        }
        if metadata::is_at(path, hub.auth().base()) {
            return Some(Self::Metadata);
        }
        active::api::is_path(hub, path).then_some(Self::Subscriptions)
    }
}

fn is_hub(path: &str) -> bool {
    path == HUB_PATH
}

/// Whether a request would be answered by an event stream, if it is granted.
pub fn may_watch(head: &request::Parts) -> bool {
    let reads = head.method == Method::GET || is_query(&head.method);
    reads && is_hub(head.uri.path()) && accept::takes_stream(&head.headers)
}

/// Begins to answer a request, as [`native::begin`] does.
///
/// # Errors
/// The problem to answer with.
pub async fn begin(
    hub: &Arc<Hub>,
    resource: Resource,
    head: &request::Parts,
    body: RequestBody,
) -> Result<Begun, Problem> {
    let read_only = matches!(head.method, Method::GET | Method::HEAD);
    if read_only {
        native::refuse_body(&body)?;
    }
    let reply = match resource {
        Resource::Hub if read_only => subscribe::answer(hub, head, None).await,
        Resource::Hub if is_query(&head.method) => subscribe::answer(hub, head, Some(body)).await,
        Resource::Hub if head.method == Method::POST => {
            return publish::begin(hub, head, body).await;
        }
        Resource::Hub => Err(Problem::method_not_allowed("GET, HEAD, QUERY, POST")),
        Resource::Metadata if read_only => Ok(metadata::reply(hub.auth())),
        Resource::Subscriptions => active::api::answer(hub, head).await,
        Resource::Metadata => Err(Problem::method_not_allowed("GET, HEAD")),
    };
    reply.map(Begun::Answered)
}
