//! The hub's interface over HTTP, to be mounted in an application.

mod access;
mod routes;

pub use access::Access;
pub use routes::Routes;

use super::{Body, Hub, reply};
use crate::connection::face::{self, Begun};
use crate::http::body::RequestBody;
use crate::http::cors::Cors;
use crate::http::guard::{Guard, Rules};
use crate::http::{Code, Problem};
use crate::native::{self, SoftRefusal, soft_refusal};
pub(super) use access::Unheard;
use bytes::Bytes;
use http::{Method, Request, Response, header, request};
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

type Deciding = Pin<Box<dyn Future<Output = Access> + Send>>;
type Authorize = dyn Fn(&request::Parts) -> Deciding + Send + Sync;

/// Describes a [`Service`]. It is built once it is said who may do what.
#[must_use = "it is a service once it is built"]
pub struct ServiceBuilder<A = Undecided> {
    hub: Hub,
    authorize: A,
    routes: Routes,
    origins: Vec<String>,
}

/// It isn't said yet who may do what.
pub struct Undecided(());

/// It is said who may do what.
pub struct Decided(Arc<Authorize>);

impl ServiceBuilder {
    pub(super) fn new(hub: Hub) -> Self {
        Self {
            hub,
            authorize: Undecided(()),
            routes: Routes::default(),
            origins: Vec::new(),
        }
    }

    /// Asks the application for each request what its visitor may do. The
    /// function takes what it needs from the head, and returns a future that
    /// doesn't borrow it.
    pub fn authorize<F, D>(self, authorize: F) -> ServiceBuilder<Decided>
    where
        F: Fn(&request::Parts) -> D + Send + Sync + 'static,
        D: Future<Output = Access> + Send + 'static,
    {
        let authorize: Arc<Authorize> = Arc::new(move |head| Box::pin(authorize(head)));
        ServiceBuilder {
            hub: self.hub,
            authorize: Decided(authorize),
            routes: self.routes,
            origins: self.origins,
        }
    }

    /// Whoever reaches the service may do everything that its routes give.
    pub fn open(self) -> ServiceBuilder<Decided> {
        self.authorize(|_| async { Access::everything() })
    }
}

impl<A> ServiceBuilder<A> {
    /// What is answered; by default [`Routes::default`].
    pub fn routes(mut self, routes: Routes) -> Self {
        self.routes = routes;
        self
    }

    /// Pages of these other origins (`https://app.example`, byte by byte as
    /// browsers write it) may use the service, with credentials; preflight
    /// requests are answered. Pages of the application's own origin always may,
    /// others never: they could act in the name of whoever looks at them.
    pub fn cors<S: Into<String>>(mut self, origins: impl IntoIterator<Item = S>) -> Self {
        self.origins.extend(origins.into_iter().map(Into::into));
        self
    }
}

impl ServiceBuilder<Decided> {
    /// The service.
    pub fn build(self) -> Service {
        let Decided(authorize) = self.authorize;
        Service {
            mounted: Arc::new(Mounted {
                hub: self.hub,
                authorize,
                routes: self.routes,
                guard: Guard::of_application(Rules::default()),
                cors: Cors::new(self.origins),
            }),
        }
    }
}

impl<A> fmt::Debug for ServiceBuilder<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceBuilder")
            .field("routes", &self.routes)
            .finish_non_exhaustive()
    }
}

/// The hub's interface over HTTP as a tower service, as `docs/http.md` describes
/// it: for axum's `fallback_service` and `nest_service`, for hyper by way of
/// `hyper_util::service::TowerToHyperService`, for anything that takes a service.
/// Clones share everything. It holds a [`Hub`]: drop it with the handles.
///
/// Paths are looked at as they come; axum's `nest_service` takes its prefix away.
#[derive(Clone)]
pub struct Service {
    mounted: Arc<Mounted>,
}

struct Mounted {
    hub: Hub,
    authorize: Arc<Authorize>,
    routes: Routes,
    guard: Guard,
    cors: Cors,
}

impl<B> tower_service::Service<Request<B>> for Service
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answering {
        let mounted = Arc::clone(&self.mounted);
        let request = request.map(RequestBody::of);
        Answering(Box::pin(async move { mounted.answer(request).await }))
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("routes", &self.mounted.routes)
            .finish_non_exhaustive()
    }
}

/// A request that is being answered by a [`Service`].
#[must_use = "nothing is answered unless it is awaited"]
pub struct Answering(Pin<Box<dyn Future<Output = Response<Body>> + Send>>);

impl Future for Answering {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx).map(Ok)
    }
}

impl fmt::Debug for Answering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answering").finish_non_exhaustive()
    }
}

impl Mounted {
    async fn answer(&self, request: Request<RequestBody>) -> Response<Body> {
        let hub = &self.hub.shared.hub;
        let version = request.version();
        let origin = request.headers().get(header::ORIGIN).cloned();
        let begun = Begun {
            version,
            origin,
            secret: false,
            begun: self.begin(request).await.map_err(in_application),
        };
        reply::public(face::finish(hub, &self.cors, begun, false).await)
    }

    async fn begin(&self, request: Request<RequestBody>) -> Result<native::Begun, Problem> {
        let hub = &self.hub.shared.hub;
        let path = request.uri().path();
        self.routes.check(request.method(), path)?;
        if *request.method() == Method::OPTIONS {
            let reply = self.cors.preflight(request.headers());
            return Ok(native::Begun::Answered(reply));
        }
        if native::is_exempt(path) {
            return native::begin(hub, request).await;
        }
        self.guard.check_page(&request, &self.cors)?;
        let (mut head, body) = request.into_parts();
        let access = (self.authorize)(&head).await;
        match access.decide(&hub.settings().limits) {
            Ok(who) => drop(head.extensions.insert(who)),
            Err(Unheard::Never(problem)) => return Err(problem),
            Err(Unheard::Later) if native::may_watch(&head) => {
                let reply = soft_refusal(hub, head.version, SoftRefusal::Token);
                return Ok(native::Begun::Answered(reply));
            }
            Err(Unheard::Later) => {
                let detail = "the application can't say now what you may do; ask again later";
                return Err(Problem::new(Code::Busy, detail));
            }
        }
        native::begin(hub, Request::from_parts(head, body)).await
    }
}

/// A refusal as an application tells it: there are no tokens.
pub(super) fn in_application(problem: Problem) -> Problem {
    match problem.code {
        Code::TokenNeeded | Code::InvalidToken | Code::NotGranted
            if problem.challenge.is_some() =>
        {
            Problem::new(Code::NotGranted, "the application does not allow this")
        }
        _ => problem,
    }
}
