//! `/admin/revocations`: tokens that are good for nothing more, before their
//! time.

use super::{done, read_operators};
use crate::auth::{RevokeError, VaultError};
use crate::http::body::{self, RequestBody};
use crate::http::{Code, Problem, Reply, respond};
use crate::hub::{Hub, now};
use http::{StatusCode, request};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tidings_auth::revocation::{Entry, Revoked};
use tidings_auth::{Face, MAX_LEEWAY_MS, Timestamp};

/// The most selectors of one request.
const MAX_TOPICS: usize = 1000;

/// What is to be revoked: one of `jti`, `sub` and `topics`. Times are whole
/// seconds since the Unix epoch, as in tokens.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    jti: Option<String>,
    sub: Option<String>,
    topics: Option<Vec<String>>,
    issuer: Option<String>,
    issued_until: Option<u64>,
    until: Option<u64>,
}

/// An entry of the list, as it is told.
#[derive(Serialize)]
struct Told<'a> {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_until: Option<u64>,
    until: Option<u64>,
}

impl<'a> From<&'a Entry> for Told<'a> {
    fn from(entry: &'a Entry) -> Self {
        let (jti, sub, topic) = match &entry.revoked {
            Revoked::TokenId(name) => (Some(name.as_str()), None, None),
            Revoked::Subject(name) => (None, Some(name.as_str()), None),
            Revoked::Topics(name) => (None, None, Some(name.as_str())),
        };
        Self {
            id: id(entry),
            jti,
            sub,
            topic,
            issuer: entry.issuer.as_deref(),
            issued_until: jti.is_none().then_some(entry.at / 1000),
            until: entry
                .until
                .map(|until| until.saturating_sub(MAX_LEEWAY_MS) / 1000),
        }
    }
}

/// `GET`: what is revoked.
pub async fn list(hub: &Arc<Hub>, head: &request::Parts) -> Result<Reply, Problem> {
    admit(hub, head).await?;
    let (list, now) = (hub.auth().revocations(), now());
    let entries = list.entries().iter().filter(|entry| entry.stands(now));
    Ok(told(StatusCode::OK, entries))
}

/// `POST`: revokes. The streams that it concerns end at once; the answer comes
/// when a restart would not undo it.
pub async fn add(
    hub: &Arc<Hub>,
    head: &request::Parts,
    body: RequestBody,
) -> Result<Reply, Problem> {
    admit(hub, head).await?;
    if body::essence(&head.headers) != "application/json" {
        let detail = "what is to be revoked is told in application/json";
        return Err(Problem::new(Code::UnsupportedMediaType, detail));
    }
    let body = read_operators(hub, head, body).await?;
    // The body may have taken its time.
    admit(hub, head).await?;
    let asked: Asked = serde_json::from_slice(&body).map_err(|_| {
        refuse(
            "the body has to be a JSON object with one of jti, sub (strings) and topics (a list of \
             strings), and perhaps issuer, issued_until and until (seconds)",
        )
    })?;
    let entries = entries(asked, now())?;
    // Whoever goes away meanwhile leaves nothing half done.
    let revoking = {
        let (hub, entries) = (Arc::clone(hub), entries.clone());
        tokio::spawn(async move { hub.auth().revoke(&entries).await })
    };
    let revoked = revoking.await.expect("revoking doesn't panic");
    revoked.map_err(|error| match error {
        RevokeError::Invalid(reason) => refuse(&reason.to_string()),
        RevokeError::NotKept(error) => not_kept(
            &error,
            "what was to be revoked is, but only until the hub restarts",
        ),
    })?;
    // As they stand now: some may have stood before, for longer.
    let list = hub.auth().revocations();
    let ids: Vec<String> = entries.iter().map(id).collect();
    let standing = list.entries().iter().filter(|own| ids.contains(&id(own)));
    Ok(told(StatusCode::CREATED, standing))
}

/// `DELETE`: takes one back.
pub async fn remove(hub: &Arc<Hub>, head: &request::Parts, asked: &str) -> Result<Reply, Problem> {
    admit(hub, head).await?;
    let (list, now) = (hub.auth().revocations(), now());
    let mut entries = list.entries().iter();
    let found = entries.find(|entry| entry.stands(now) && id(entry) == asked);
    let Some(entry) = found.cloned() else {
        let detail = "no revocation has this id; GET /admin/revocations lists them";
        return Err(Problem::new(Code::NotFound, detail));
    };
    let removing = {
        let hub = Arc::clone(hub);
        tokio::spawn(async move { hub.auth().take_back(&entry).await })
    };
    let removed = removing.await.expect("removing doesn't panic");
    removed.map_err(|error| not_kept(&error, "the revocation stands as it did"))?;
    Ok(done())
}

/// Lets the operator alone pass.
async fn admit(hub: &Hub, head: &request::Parts) -> Result<(), Problem> {
    let who = hub.auth().caller(head, Face::Native).await?;
    Ok(hub.auth().administer(&who)?)
}

fn entries(asked: Asked, now: Timestamp) -> Result<Vec<Entry>, Problem> {
    let revoked: Vec<Revoked> = match (asked.jti, asked.sub, asked.topics) {
        (Some(jti), None, None) => vec![Revoked::TokenId(jti)],
        (None, Some(sub), None) => vec![Revoked::Subject(sub)],
        (None, None, Some(topics)) if (1..=MAX_TOPICS).contains(&topics.len()) => {
            topics.into_iter().map(Revoked::Topics).collect()
        }
        (None, None, Some(_)) => {
            return Err(refuse(&format!("topics has 1 to {MAX_TOPICS} selectors")));
        }
        _ => return Err(refuse("give one of jti, sub and topics")),
    };
    let by_id = matches!(revoked[..], [Revoked::TokenId(_)]);
    let at = match asked.issued_until {
        None => now.0,
        Some(_) if by_id => return Err(refuse("a jti is revoked whenever it was issued")),
        // To the end of that second.
        Some(seconds) => seconds.saturating_mul(1000).saturating_add(999),
    };
    if at / 1000 > now.0 / 1000 {
        return Err(refuse("issued_until is in the future"));
    }
    if asked.until.is_some_and(|until| until <= now.0 / 1000) {
        return Err(refuse("until is past: such tokens have expired"));
    }
    // Clocks may be said to differ: a token is good for so much longer.
    let until = asked
        .until
        .map(|seconds| seconds.saturating_mul(1000).saturating_add(MAX_LEEWAY_MS));
    let entry = |revoked| Entry {
        revoked,
        issuer: asked.issuer.clone(),
        at,
        until,
    };
    Ok(revoked.into_iter().map(entry).collect())
}

/// Names an entry: the first half of a SHA-256, in 32 digits.
fn id(entry: &Entry) -> String {
    let (kind, name) = match &entry.revoked {
        Revoked::TokenId(name) => ("jti", name),
        Revoked::Subject(name) => ("sub", name),
        Revoked::Topics(name) => ("topic", name),
    };
    // JSON, so that no name reads as two.
    let named = json!([kind, name, entry.issuer]).to_string();
    let digest = Sha256::digest(named);
    digest
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn told<'a>(status: StatusCode, entries: impl Iterator<Item = &'a Entry>) -> Reply {
    let entries: Vec<Told<'a>> = entries.map(Told::from).collect();
    respond::json(status, &json!({ "revocations": entries }))
}

fn refuse(detail: &str) -> Problem {
    Problem::new(Code::BadRequest, detail)
}

fn not_kept(error: &VaultError, state: &str) -> Problem {
    tracing::error!(%error, "the list of revocations can't be written");
    let (code, why) = match error.is_full() {
        true => (Code::StorageFull, "the disk is full"),
        false => (
            Code::StorageFailed,
            "the disk failed; the hub's log says more",
        ),
    };
    Problem::new(code, format!("{why}: {state}; send the request again"))
}
