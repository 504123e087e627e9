//! Publishing to a server that is made with axum.

use crate::PATH;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use std::sync::Arc;
use tokio::sync::broadcast::Sender;

/// `POST` to [`PATH`]: the body is an event's data. There are no streams of
/// events: nothing but the answers would hold their publisher back, and a
/// broadcast drops what its receivers are too slow for.
pub fn publishing<S: Clone + Send + Sync + 'static>(events: Sender<Arc<str>>) -> Router<S> {
    let publish = async move |data: String| {
        // That nobody watches is no fault.
        let _ = events.send(data.into());
        StatusCode::NO_CONTENT
    };
    Router::new().route(PATH, post(publish))
}
