//! What tokens and the keys for them are configured with.

use super::{Setting, toml_string};
use crate::config::fault::{Fault, did_you_mean};
use std::fmt;
use tidings_auth::Algorithm;
use tidings_mercure::Base;

/// Where the hub is reached from outside.
#[derive(Debug, Clone)]
pub struct PublicUrl(Base);

impl PublicUrl {
    /// The hub's URLs under it.
    pub fn base(&self) -> &Base {
        &self.0
    }
}

impl PartialEq for PublicUrl {
    fn eq(&self, other: &Self) -> bool {
        self.0.public() == other.0.public()
    }
}

/// No URL is "".
impl Setting for Option<PublicUrl> {
    const WANTED: &'static str = "a URL, such as \"https://hub.example\"";

    fn from_text(text: &str) -> Result<Self, Fault> {
        match text {
            "" => Ok(None),
            text => match Base::new(text) {
                Ok(base) => Ok(Some(PublicUrl(base))),
                Err(reason) => Err(Fault::new(reason.to_string())),
            },
        }
    }

    fn to_toml(&self) -> String {
        toml_string(self.as_ref().map_or("", |url| url.0.public()))
    }
}

/// A name that a token holds: an issuer, an audience, a key's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(pub String);

impl Setting for Name {
    const WANTED: &'static str = "a name of 1 to 1024 bytes";

    fn from_text(text: &str) -> Result<Self, Fault> {
        match (1..=1024).contains(&text.len()) && !text.contains(char::is_control) {
            true => Ok(Self(text.to_owned())),
            false => Err(Fault::new(format!("expected {}", Self::WANTED))),
        }
    }

    fn to_toml(&self) -> String {
        toml_string(&self.0)
    }
}

/// The name of a cookie (RFC 6265, 4.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CookieName(pub String);

impl Setting for CookieName {
    const WANTED: &'static str = "the name of a cookie, such as \"mercureAuthorization\"";

    fn from_text(text: &str) -> Result<Self, Fault> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        match (1..=256).contains(&text.len()) && text.bytes().all(allowed) {
            true => Ok(Self(text.to_owned())),
            false => Err(Fault::new(format!("expected {}", Self::WANTED))),
        }
    }

    fn to_toml(&self) -> String {
        toml_string(&self.0)
    }
}

/// A text that is never shown, neither in errors nor when the configuration is
/// written.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Setting for Secret {
    const WANTED: &'static str = "a text";

    fn from_text(text: &str) -> Result<Self, Fault> {
        Ok(Self(text.to_owned()))
    }

    fn to_toml(&self) -> String {
        toml_string("(not shown)")
    }
}

/// The algorithms that exist here, the ones to prefer first.
const ALGORITHMS: [(&str, Algorithm); 12] = [
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("EdDSA", Algorithm::EdDSA),
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("RS512", Algorithm::RS512),
    ("PS256", Algorithm::PS256),
    ("PS384", Algorithm::PS384),
    ("PS512", Algorithm::PS512),
    ("HS256", Algorithm::HS256),
    ("HS384", Algorithm::HS384),
    ("HS512", Algorithm::HS512),
];

impl Setting for Algorithm {
    const WANTED: &'static str =
        "an algorithm, such as \"ES256\", \"EdDSA\", \"RS256\" or \"HS256\"";

    fn from_text(text: &str) -> Result<Self, Fault> {
        let found = ALGORITHMS.iter().find(|(name, _)| *name == text);
        found.map(|(_, algorithm)| *algorithm).ok_or_else(|| {
            let hint = did_you_mean(text, ALGORITHMS.iter().map(|(name, _)| *name));
            Fault::new(format!("expected {}{hint}", Self::WANTED))
        })
    }

    fn to_toml(&self) -> String {
        let found = ALGORITHMS.iter().find(|(_, algorithm)| algorithm == self);
        toml_string(found.map_or("", |(name, _)| name))
    }
}

/// Every algorithm of public keys, for documents that say which their keys are
/// for.
pub fn public_key_algorithms() -> Vec<Algorithm> {
    let all = ALGORITHMS.iter().map(|(_, algorithm)| *algorithm);
    all.filter(|algorithm| !tidings_auth::key::is_hmac(*algorithm))
        .collect()
}

/// Where a document of keys is fetched from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentUrl(pub String);

impl DocumentUrl {
    /// Whether others on the way could put other keys in.
    pub fn is_plain(&self) -> bool {
        self.0.starts_with("http:")
    }
}

impl Setting for DocumentUrl {
    const WANTED: &'static str = "a URL, such as \"https://id.example/.well-known/jwks.json\"";

    fn from_text(text: &str) -> Result<Self, Fault> {
        let fault = || Fault::new(format!("expected {}", Self::WANTED));
        let url = url::Url::parse(text).map_err(|_| fault())?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(fault());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Fault::new(
                "a user's name or password can't stand in this URL",
            ));
        }
        Ok(Self(url.into()))
    }

    fn to_toml(&self) -> String {
        toml_string(&self.0)
    }
}
