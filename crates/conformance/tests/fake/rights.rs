//! The tokens of the fake hub, in both versions.

use super::ORIGIN;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Map, Value};
use tidings_conformance::token::{DETAIL, now};
use tidings_mercure::{Base, Dialect, Matcher, Subject, Unauthorized};
use tidings_testkit::Asked;

/// What tokens are signed with.
pub const SECRET: &str = "a secret of the fake hub, long enough for HS256";
/// Whose tokens of 1.0 are taken.
pub const ISSUER: &str = "https://issuer.example";

pub struct Config {
    pub open: bool,
}

/// What a request may do.
pub struct Rights {
    pub dialect: Dialect,
    pub subscribe: Vec<Matcher>,
    publish: Vec<Matcher>,
    payloads: Vec<(Vec<Matcher>, Value)>,
    ends_at: Option<u64>,
    has_token: bool,
}

pub struct Denied {
    pub dialect: Dialect,
    pub why: Unauthorized,
}

impl Config {
    /// Who asks; without a token it is `assumed` that they speak this dialect.
    pub fn rights(&self, asked: &Asked, base: &Base, assumed: Dialect) -> Result<Rights, Denied> {
        let denied = |why| Denied {
            dialect: assumed,
            why,
        };
        let is_post = asked.method == "POST";
        let malformed = |why| Denied {
            dialect: Dialect::V1,
            why,
        };
        let Some(token) = presented(asked).map_err(malformed)? else {
            if is_post || !self.open {
                return Err(denied(Unauthorized::Missing));
            }
            return Ok(Rights::none(assumed, false));
        };
        let (token, by_cookie) = token;
        if by_cookie && is_post && asked.header("origin").as_deref() != Some(ORIGIN) {
            return Err(denied(Unauthorized::Invalid));
        }
        verify(&token, base).ok_or(denied(Unauthorized::Invalid))
    }
}

fn presented(asked: &Asked) -> Result<Option<(String, bool)>, Unauthorized> {
    let bearers: Vec<String> = asked
        .headers
        .iter()
        .filter(|(name, _)| name == "authorization")
        .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
        .collect();
    if bearers.len() > 1 {
        return Err(Unauthorized::Malformed);
    }
    if let Some(bearer) = bearers.first() {
        return Ok(bearer
            .strip_prefix("Bearer ")
            .map(|token| (token.to_owned(), false)));
    }
    let query = asked.path.split_once('?').map_or("", |(_, query)| query);
    let mut fields = url::form_urlencoded::parse(query.as_bytes());
    if let Some((_, token)) = fields.find(|(name, _)| name == "authorization") {
        return Ok(Some((token.into_owned(), false)));
    }
    let cookies = asked.header("cookie").unwrap_or_default();
    let mut cookies = cookies.split("; ").filter_map(|pair| pair.split_once('='));
    let ours = [Dialect::V0, Dialect::V1].map(Dialect::cookie);
    let token = cookies.find(|(name, _)| ours.contains(name));
    Ok(token.map(|(_, token)| (token.to_owned(), true)))
}

fn verify(token: &str, base: &Base) -> Option<Rights> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let object = |text: &str| -> Option<Map<String, Value>> {
        serde_json::from_slice(&BASE64.decode(text).ok()?).ok()
    };
    let (header, claims) = (object(header)?, object(claims)?);
    if header.get("alg")? != "HS256" {
        return None;
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    hmac::verify(&key, signed.as_bytes(), &BASE64.decode(signature).ok()?).ok()?;
    let ends_at = match claims.get("exp") {
        Some(exp) => Some(exp.as_u64()?),
        None => None,
    };
    let is_over = ends_at.is_some_and(|end| end <= now());
    let early = claims
        .get("nbf")
        .is_some_and(|nbf| nbf.as_u64().is_none_or(|nbf| nbf > now()));
    if is_over || early {
        return None;
    }
    let typ = header
        .get("typ")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let typ = typ.to_ascii_lowercase();
    let mut rights = match &*typ {
        "at+jwt" | "application/at+jwt" => of_details(&claims, base)?,
        _ => of_claim(&claims)?,
    };
    rights.ends_at = ends_at;
    Some(rights)
}

fn of_claim(claims: &Map<String, Value>) -> Option<Rights> {
    let mut rights = Rights::none(Dialect::V0, true);
    let names = ["mercure", "https://mercure.rocks/"];
    let Some(granted) = names.iter().find_map(|name| claims.get(*name)) else {
        return Some(rights);
    };
    let list = |name: &str| -> Option<Vec<Matcher>> {
        let Some(list) = granted.get(name) else {
            return Some(Vec::new());
        };
        let list = list.as_array()?.iter();
        list.map(|text| matcher_of(text.as_str()?)).collect()
    };
    rights.publish = list("publish")?;
    rights.subscribe = list("subscribe")?;
    rights.payloads = granted
        .get("payload")
        .map(|payload| (vec![Matcher::Any], payload.clone()))
        .into_iter()
        .collect();
    Some(rights)
}

fn matcher_of(selector: &str) -> Option<Matcher> {
    match selector {
        "*" => Some(Matcher::Any),
        selector => Matcher::selector(selector).ok(),
    }
}

fn of_details(claims: &Map<String, Value>, base: &Base) -> Option<Rights> {
    let mut rights = Rights::none(Dialect::V1, true);
    let audience = match claims.get("aud")? {
        Value::String(one) => one == base.hub().as_str(),
        Value::Array(all) => all.iter().any(|one| one == base.hub().as_str()),
        _ => false,
    };
    if claims.get("iss")? != ISSUER || !audience || !claims.contains_key("exp") {
        return None;
    }
    let Some(details) = claims.get("authorization_details") else {
        return Some(rights);
    };
    for detail in details.as_array()? {
        if detail.get("type")? != DETAIL {
            continue;
        }
        let actions: Option<Vec<&str>> = detail
            .get("actions")?
            .as_array()?
            .iter()
            .map(Value::as_str)
            .collect();
        let actions = actions.filter(|actions| !actions.is_empty())?;
        let topics: Option<Vec<Matcher>> = detail
            .get("topics")?
            .as_array()?
            .iter()
            .map(|topic| of_topic(topic, base))
            .collect();
        let topics = topics.filter(|topics| !topics.is_empty())?;
        if actions.contains(&"publish") {
            rights.publish.extend(topics.clone());
        }
        if actions.contains(&"subscribe") {
            rights.subscribe.extend(topics.clone());
            let payload = detail.get("payload");
            rights
                .payloads
                .extend(payload.map(|payload| (topics, payload.clone())));
        }
    }
    Some(rights)
}

fn of_topic(topic: &Value, base: &Base) -> Option<Matcher> {
    let text = topic.get("match")?.as_str()?;
    match topic.get("match_type").map(Value::as_str) {
        None | Some(Some("exact")) => Some(Matcher::exact(text)),
        Some(Some("urlpattern")) => Matcher::url_pattern(text, base).ok(),
        _ => None,
    }
}

impl Rights {
    fn none(dialect: Dialect, has_token: bool) -> Self {
        Self {
            dialect,
            subscribe: Vec::new(),
            publish: Vec::new(),
            payloads: Vec::new(),
            ends_at: None,
            has_token,
        }
    }

    pub fn is_over(&self) -> bool {
        self.ends_at.is_some_and(|end| end <= now())
    }

    pub fn may_publish(&self, topics: &[String], base: &Base) -> Result<(), Denied> {
        let granted = topics
            .iter()
            .all(|topic| grants(&self.publish, topic, base));
        self.unless(granted)
    }

    pub fn may_see(&self, path: &str, base: &Base) -> Result<(), Denied> {
        self.unless(grants(&self.subscribe, path, base))
    }

    /// What is told of who watches this.
    pub fn payload(&self, matcher: &Matcher, base: &Base) -> Option<Value> {
        let mut fitting = self
            .payloads
            .iter()
            .filter(|(topics, _)| grants(topics, matcher.as_str(), base));
        fitting.next().map(|(_, payload)| payload.clone())
    }

    fn unless(&self, granted: bool) -> Result<(), Denied> {
        match granted {
            true => Ok(()),
            false => Err(Denied {
                dialect: self.dialect,
                why: match self.has_token {
                    true => Unauthorized::NotGranted,
                    false => Unauthorized::Missing,
                },
            }),
        }
    }
}

fn grants(matchers: &[Matcher], topic: &str, base: &Base) -> bool {
    let subject = Subject::new(topic, base);
    matchers.iter().any(|matcher| matcher.matches(&subject))
}
