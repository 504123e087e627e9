//! `GET /connect`: the list and who is connected, as an event stream.

use crate::shown::{App, TOPIC};
use axum::extract::State;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::Cookie;
use futures_util::{Stream, StreamExt};
use std::error::Error;
use std::pin::pin;
use tidings_server::{Access, Presence, Since};

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
    let changes = app.hub.presence_changes(TOPIC).await?;
    tell(&app, changes).await;
    Ok(())
}

async fn tell(app: &App, changes: impl Stream<Item = Presence>) {
    let mut changes = pin!(changes);
    while let Some(presence) = changes.next().await {
        let told = app.change(|shown| shown.connected = presence.into());
        if let Err(error) = told.await {
            eprintln!(
                "who is connected could not be told, and will be with the next change: {error}"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shown::Person;
    use futures_util::stream;
    use tidings_server::{Hub, Limits};

    #[tokio::test]
    async fn what_could_not_be_told_is_told_with_the_next_change() {
        let limits = Limits {
            event_data_bytes: 100,
            ..Limits::default()
        };
        let app = App::new(Hub::builder().limits(limits).open().unwrap());
        let long = Person {
            id: 1,
            name: "x".repeat(100),
        };
        let refused = app.change(|shown| shown.people.push(long)).await;
        refused.expect_err("a list that is longer than an event");
        let now = app.hub.presence(TOPIC).unwrap();
        let changes = stream::iter([1, 2]).then(async |number| {
            if number == 2 {
                app.change(|shown| shown.people.clear()).await.unwrap();
            }
            now.clone()
        });
        tell(&app, changes).await;
        let page = app.hub.history([TOPIC], Since::Earliest, 10).await.unwrap();
        assert_eq!(
            page.events.len(),
            4,
            "of the second change, and of who was there"
        );
    }
}
