//! How clients find out about the hub.

use super::Checks;
use super::subscribe::to_one_topic;
use crate::context::Context;
use crate::outcome::{Checked, ensure, fail, skip};
use crate::stream::{Stream, shown};
use crate::target::Request;
use crate::token::DETAIL;
use serde_json::Value;

pub const CHECKS: Checks = &[
    ("discovery-1", discovery_1_metadata),
    ("discovery-2", discovery_2_members),
    ("discovery-3", discovery_3_none),
    ("discovery-4", discovery_4_exposed),
    ("discovery-5", discovery_5_credentials),
];

fn discovery_1_metadata(cx: &Context<'_>) -> Checked {
    let answer = cx
        .target
        .request(&Request::get("").path(cx.metadata_path()))?;
    let media_type = answer.header("content-type").unwrap_or_default();
    ensure(
        answer.status == 200 && media_type.starts_with("application/json"),
        || format!("the metadata: {}", shown(&answer)),
    )?;
    let document: Value = match serde_json::from_slice(&answer.body) {
        Ok(document) => document,
        Err(_) => return fail(format!("no JSON, but {}", shown(&answer))),
    };
    let expected = cx.resource();
    ensure(document["resource"] == expected, || {
        format!(
            "resource is {}, expected {expected:?}",
            document["resource"]
        )
    })
}

fn discovery_2_members(cx: &Context<'_>) -> Checked {
    let Some(document) = cx.metadata() else {
        return fail("there is no metadata");
    };
    let has = |name: &str, value: &str| {
        let values = document[name].as_array();
        values.is_some_and(|values| values.iter().any(|other| other == value))
    };
    let servers = document["authorization_servers"].as_array();
    // A hub that trusts no issuer by name has none to tell.
    let tells_servers = cx.issuer().is_none_or(|issuer| {
        servers.is_some_and(|servers| servers.iter().any(|server| server == issuer))
    });
    let holds = tells_servers
        && has("authorization_details_types_supported", DETAIL)
        && has("bearer_methods_supported", "header")
        && document["mercure_cookie"].is_string()
        && document["mercure_subscriptions"].is_boolean();
    ensure(holds, || document.to_string())
}

fn discovery_3_none(cx: &Context<'_>) -> Checked {
    let answer = cx
        .target
        .request(&Request::get("").path(cx.metadata_path()))?;
    match answer.status {
        404 => Ok(()),
        200 => skip("the hub speaks 1.0 too"),
        _ => fail(format!("the metadata: {}", shown(&answer))),
    }
}

fn discovery_4_exposed(cx: &Context<'_>) -> Checked {
    let Some(origin) = cx.origin else {
        return skip("no --origin was given that the hub allows");
    };
    let request = to_one_topic(cx)?.header("Origin", origin);
    let stream = Stream::open(cx.target, &request)?;
    let exposed = stream
        .head()
        .headers("access-control-expose-headers")
        .to_lowercase();
    let names: Vec<&str> = exposed.split(',').map(str::trim).collect();
    let has = |name: &str| names.contains(&name) || names.contains(&"*");
    ensure(has("mercure-last-event-id") && has("link"), || {
        format!("Access-Control-Expose-Headers is {exposed:?}")
    })
}

fn discovery_5_credentials(cx: &Context<'_>) -> Checked {
    let request = to_one_topic(cx)?
        .header("Origin", "https://evil.example")
        .header("Cookie", "a=b");
    let answer = cx.target.request(&request)?;
    let allowed = answer.header("access-control-allow-origin");
    let credentials = answer.header("access-control-allow-credentials");
    ensure(allowed.is_none() || credentials != Some("true"), || {
        format!("a page of any origin may use the hub with its cookies: {allowed:?}")
    })
}
