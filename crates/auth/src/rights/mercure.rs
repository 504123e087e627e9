//! The claims of Mercure: the `mercure` object of 0.x, and the
//! `authorization_details` (RFC 9396) of 1.0.

use super::grants::Grants;
use super::{MAX_DETAILS, MAX_SELECTORS, Rights, strings};
use crate::Refusal;
use serde_json::{Map, Value};
use tidings_mercure::topic::TOPIC_BYTES;
use tidings_mercure::{Base, Matcher};

const CLAIM: &str = "mercure";
const NAMESPACED: &str = "https://mercure.rocks/";
const DETAIL: &str = "https://mercure.rocks/authorization-detail";

/// The claim of 0.x. The namespaced one goes before the short one.
pub(super) fn legacy_claim(claims: &Map<String, Value>) -> Option<&Value> {
    claims.get(NAMESPACED).or_else(|| claims.get(CLAIM))
}

/// Reads the claim of 0.x: selectors are `*`, a topic, or a URI template that
/// is a topic too.
pub(super) fn read_legacy(claim: &Value, rights: &mut Rights) -> Result<(), Refusal> {
    let claim = claim.as_object().ok_or(Refusal::Rights)?;
    let list = |name: &str| match claim.get(name) {
        None | Some(Value::Null) => Ok(Grants::default()),
        Some(list) => legacy_grants(list),
    };
    let (publish, subscribe) = (list("publish")?, list("subscribe")?);
    rights.publish.join(publish);
    rights.subscribe.join(subscribe);
    if let Some(payload) = claim.get("payload").filter(|payload| !payload.is_null()) {
        rights.add_payload(Grants::everything(), payload)?;
    }
    Ok(())
}

fn legacy_grants(list: &Value) -> Result<Grants, Refusal> {
    let mut grants = Grants::default();
    for text in strings(list)? {
        check_length(text)?;
        grants.add(Matcher::selector(text).map_err(|_| Refusal::Rights)?);
    }
    Ok(grants)
}

/// Reads `authorization_details`. A detail of another type is not for a hub;
/// one of ours that is malformed spoils the token, as the draft has it.
pub(super) fn read_details(claim: &Value, base: &Base, rights: &mut Rights) -> Result<(), Refusal> {
    let details = claim.as_array().ok_or(Refusal::Rights)?;
    if details.len() > MAX_DETAILS {
        return Err(Refusal::TooMany);
    }
    let mut left = MAX_SELECTORS;
    for detail in details {
        let detail = detail.as_object().ok_or(Refusal::Rights)?;
        let kind = detail.get("type").and_then(Value::as_str);
        if kind.ok_or(Refusal::Rights)? != DETAIL {
            continue;
        }
        let (publish, subscribe) = actions(detail)?;
        let topics = topics(detail, base, &mut left)?;
        if publish {
            rights.publish.join(topics.clone());
        }
        if subscribe {
            rights.subscribe.join(topics.clone());
            if let Some(payload) = detail.get("payload") {
                rights.add_payload(topics, payload)?;
            }
        }
    }
    Ok(())
}

/// Whether a detail is about publishing and about watching. Other actions are
/// for other hubs.
fn actions(detail: &Map<String, Value>) -> Result<(bool, bool), Refusal> {
    let actions = strings(detail.get("actions").ok_or(Refusal::Rights)?)?;
    if actions.is_empty() || actions.contains(&"") {
        return Err(Refusal::Rights);
    }
    Ok((actions.contains(&"publish"), actions.contains(&"subscribe")))
}

fn topics(detail: &Map<String, Value>, base: &Base, left: &mut usize) -> Result<Grants, Refusal> {
    let topics = detail.get("topics").and_then(Value::as_array);
    let topics = topics.filter(|topics| !topics.is_empty());
    let topics = topics.ok_or(Refusal::Rights)?;
    *left = left.checked_sub(topics.len()).ok_or(Refusal::TooMany)?;
    let mut grants = Grants::default();
    for topic in topics {
        let topic = topic.as_object().ok_or(Refusal::Rights)?;
        let text = topic.get("match").and_then(Value::as_str);
        let text = text
            .filter(|text| !text.is_empty())
            .ok_or(Refusal::Rights)?;
        check_length(text)?;
        let kind = match topic.get("match_type") {
            None => "exact",
            Some(kind) => kind.as_str().ok_or(Refusal::Rights)?,
        };
        let matcher = match kind {
            "exact" => Matcher::exact(text),
            "urlpattern" => Matcher::url_pattern(text, base).map_err(|_| Refusal::Rights)?,
            _ => return Err(Refusal::Rights),
        };
        grants.add(matcher);
    }
    Ok(grants)
}

fn check_length(text: &str) -> Result<(), Refusal> {
    match text.len() > TOPIC_BYTES {
        true => Err(Refusal::Rights),
        false => Ok(()),
    }
}
