//! The hub's own URLs, and under which URLs its native topics are known.

use std::fmt;
use url::Url;

/// Where a hub is reached from outside. Nothing a request says changes it.
#[derive(Debug, Clone)]
pub struct Base {
    hub: Url,
    topics: Url,
    /// `public_url`, without a `/` at the end.
    public: Box<str>,
}

/// Why a text can't be a hub's public URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidPublicUrl;

impl fmt::Display for InvalidPublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a public URL is http:// or https://, a host, perhaps a port and a path, and nothing \
             else, such as https://example.com",
        )
    }
}

impl std::error::Error for InvalidPublicUrl {}

/// The path of the hub under its public URL.
pub const HUB_PATH: &str = "/.well-known/mercure";

/// The path below which native topics are watched and published.
pub const TOPICS_PATH: &str = "/t/";

impl Base {
    /// The URLs of the hub at `public_url`.
    ///
    /// # Errors
    /// [`InvalidPublicUrl`].
    pub fn new(public_url: &str) -> Result<Self, InvalidPublicUrl> {
        let url = Url::parse(public_url).map_err(|_| InvalidPublicUrl)?;
        let plain = matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !plain {
            return Err(InvalidPublicUrl);
        }
        let public = url.as_str().trim_end_matches('/');
        let below = |path| Url::parse(&format!("{public}{path}")).map_err(|_| InvalidPublicUrl);
        Ok(Self {
            hub: below(HUB_PATH)?,
            topics: below(TOPICS_PATH)?,
            public: public.into(),
        })
    }

    /// The hub's URL: the default audience of tokens, and what relative
    /// references are resolved against.
    pub fn hub(&self) -> &Url {
        &self.hub
    }

    /// What the URLs of native topics begin with; it ends with `/`.
    pub fn topics(&self) -> &Url {
        &self.topics
    }

    /// The public URL, without a `/` at its end.
    pub fn public(&self) -> &str {
        &self.public
    }

    /// `reference` as an absolute URL; `None` if it is no URL reference.
    pub fn resolve(&self, reference: &str) -> Option<Url> {
        self.hub.join(reference).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_urls() {
        for (text, hub, topics) in [
            (
                "http://localhost:8080",
                "http://localhost:8080/.well-known/mercure",
                "http://localhost:8080/t/",
            ),
            (
                "HTTPS://Example.com:443/",
                "https://example.com/.well-known/mercure",
                "https://example.com/t/",
            ),
            (
                "https://example.com/hub/",
                "https://example.com/hub/.well-known/mercure",
                "https://example.com/hub/t/",
            ),
        ] {
            let base = Base::new(text).unwrap();
            assert_eq!((base.hub().as_str(), base.topics().as_str()), (hub, topics));
            assert_eq!(
                base.topics().as_str(),
                format!("{}{TOPICS_PATH}", base.public())
            );
        }
        for text in [
            "",
            "example.com",
            "ftp://example.com",
            "https://",
            "https://user@example.com",
            "https://:x@example.com",
            "https://example.com/?",
            "https://example.com/#a",
        ] {
            assert!(Base::new(text).is_err(), "{text}");
        }
    }
}
