//! `POST /addPerson`: one more on the list.

use crate::shown::{App, Person};
use axum::extract::{FromRequest, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Form, Json};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The list is told as a whole: it has to stay short.
const MAX: usize = 200;

/// What is sent to add someone.
#[derive(Deserialize)]
pub struct New {
    name: String,
}

/// Adds someone, and tells everyone.
pub async fn add_person(State(app): State<App>, Either(new): Either<New>) -> Response {
    let name = new.name.trim();
    if name.is_empty() || name.chars().count() > 64 {
        let reason = "a name has 1 to 64 characters";
        return (StatusCode::UNPROCESSABLE_ENTITY, reason).into_response();
    }
    let added = app.change(|shown| {
        let id = shown.people.last().map_or(1, |last| last.id + 1);
        let person = Person {
            id,
            name: name.to_owned(),
        };
        shown.people.push(person.clone());
        if shown.people.len() > MAX {
            shown.people.remove(0);
        }
        person
    });
    match added.await {
        Ok(person) => (StatusCode::CREATED, Json(person)).into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
    }
}

/// JSON if the request says that it is, and a form otherwise.
pub struct Either<T>(T);

impl<S: Send + Sync, T: DeserializeOwned + 'static> FromRequest<S> for Either<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let content_type = request.headers().get(CONTENT_TYPE);
        let is_json = |value: &HeaderValue| value.as_bytes().starts_with(b"application/json");
        let body = if content_type.is_some_and(is_json) {
            let json = Json::from_request(request, state).await;
            json.map_err(IntoResponse::into_response)?.0
        } else {
            let form = Form::from_request(request, state).await;
            form.map_err(IntoResponse::into_response)?.0
        };
        Ok(Self(body))
    }
}
