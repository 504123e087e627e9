//! The metadata of the hub as a protected resource (RFC 9728). That it is
//! there is how clients tell a 1.0 hub from a 0.x one.

use crate::base::Base;
use crate::dialect::Dialect;
use serde::Serialize;

/// The type of the details that grant rights in a 1.0 token.
pub const DETAIL_TYPE: &str = "https://mercure.rocks/authorization-detail";

/// What the well-known path of the document begins with (RFC 9728, 3).
pub const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The document, in the order of its members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Metadata<'a> {
    /// The hub's identifier, which a token's `aud` must hold.
    pub resource: &'a str,
    /// The issuers of tokens that the hub trusts.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub authorization_servers: &'a [String],
    authorization_details_types_supported: [&'static str; 1],
    bearer_methods_supported: [&'static str; 1],
    mercure_cookie: &'static str,
    /// Whether the subscription API is there.
    pub mercure_subscriptions: bool,
}

impl<'a> Metadata<'a> {
    /// The metadata of a hub. The types of matchers are left out, as there
    /// are only those that every hub has.
    pub fn new(
        resource: &'a str,
        authorization_servers: &'a [String],
        subscriptions: bool,
    ) -> Self {
        Self {
            resource,
            authorization_servers,
            authorization_details_types_supported: [DETAIL_TYPE],
            bearer_methods_supported: ["header"],
            mercure_cookie: Dialect::V1.cookie(),
            mercure_subscriptions: subscriptions,
        }
    }

    /// The document as JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts always serialize")
    }

    /// Where it stands: the well-known path goes between host and path.
    pub fn url(base: &Base) -> String {
        let mut url = base.hub().clone();
        url.set_path(&format!("{WELL_KNOWN}{}", base.hub().path()));
        url.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn the_document() {
        let issuers = ["https://issuer.example".to_owned()];
        let metadata = Metadata::new("https://hub.example/.well-known/mercure", &issuers, true);
        let document: Value = serde_json::from_str(&metadata.to_json()).unwrap();
        assert_eq!(
            document,
            json!({
                "resource": "https://hub.example/.well-known/mercure",
                "authorization_servers": ["https://issuer.example"],
                "authorization_details_types_supported": ["https://mercure.rocks/authorization-detail"],
                "bearer_methods_supported": ["header"],
                "mercure_cookie": "__Secure-mercure_access_token",
                "mercure_subscriptions": true,
            })
        );
        assert!(
            !Metadata::new("x", &[], false)
                .to_json()
                .contains("authorization_servers")
        );
    }

    #[test]
    fn its_place() {
        for (public, url) in [
            (
                "https://hub.example",
                "https://hub.example/.well-known/oauth-protected-resource/.well-known/mercure",
            ),
            (
                "https://a/b",
                "https://a/.well-known/oauth-protected-resource/b/.well-known/mercure",
            ),
        ] {
            assert_eq!(Metadata::url(&Base::new(public).unwrap()), url);
        }
    }
}
