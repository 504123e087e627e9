//! `GET /connect`: the list and who is connected, as an event stream.

use crate::shown::{App, TOPIC};
use axum::extract::State;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::Cookie;
use futures_util::StreamExt;
use std::error::Error;
use tidings_server::{Access, Since};

/// The list and who is connected, then every change of either.
pub async fn connect(
    State(app): State<App>,
    cookies: CookieJar,
    request: Parts,
) -> impl IntoResponse {
    // Tabs of one browser have the same cookie: they are one guest.
    let known = cookies.get("guest");
    let known = known.and_then(|cookie| u64::from_str_radix(cookie.value(), 16).ok());
    let guest = known.unwrap_or_else(|| fastrand::u64(..));

    let visitor = Access::nothing()
        .watch([TOPIC])
        .identity(guest.to_string())
        .shown(format!("Guest {:04x}", guest & 0xffff).into());
    let hub = &app.hub;
    let stream = hub
        .event_stream_for(visitor, &request, [TOPIC], Since::Last(2))
        .await;
    let cookie = Cookie::build(("guest", format!("{guest:x}")));
    (cookies.add(cookie.path("/").http_only(true)), stream)
}

/// Tells everyone who is connected, now and whenever somebody comes or goes.
pub async fn announce(app: App) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut changes = app.hub.presence_changes(TOPIC).await?;
    while let Some(presence) = changes.next().await {
        app.change(|shown| shown.connected = presence.into())
            .await?;
    }
    Ok(())
}
