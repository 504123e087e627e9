//! An event stream that is there already (rule P1).

use crate::BoxError;
use crate::driver::{Driver, Means};
use crate::protocol::Request;
use crate::runtime::Runtime;
use crate::transport::{Sending, Transport, TransportError, TransportErrorKind};
use bytes::Bytes;
use futures_core::Stream;
use futures_util::TryStreamExt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tidings_codec::Limits;

/// What `EventSource.url` says of it.
pub(super) const URL: &str = "about:event-stream";

pub(super) fn driver<S, E>(stream: S, limits: Limits) -> Driver
where
    S: Stream<Item = Result<Bytes, E>> + Send + 'static,
    E: Into<BoxError> + 'static,
{
    let body = stream.map_err(|error| TransportError::new(TransportErrorKind::Io, error));
    let means = Means {
        transport: Arc::new(Nothing),
        runtime: Arc::new(Nothing),
        before_attempt: None,
    };
    Driver::of_body(Box::pin(body), limits, means)
}

/// No server and no time: a body that is there needs neither.
struct Nothing;

impl Transport for Nothing {
    fn send(&self, _: Request) -> Sending {
        Box::pin(async { Err(TransportErrorKind::Scheme.into()) })
    }
}

impl Runtime for Nothing {
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep_until(&self, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::pending())
    }

    fn seed(&self) -> u64 {
        0
    }
}
