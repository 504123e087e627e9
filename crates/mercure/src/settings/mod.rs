//! The configuration of a Mercure hub's container image, as far as it means
//! something here: `SERVER_NAME`, the `MERCURE_*` variables, and the
//! directives in `MERCURE_EXTRA_DIRECTIVES`.

mod directives;
mod duration;
mod server_name;

use std::fmt;
use std::time::Duration;

/// What such an environment asks for. What it leaves out is `None`, `false`
/// or empty: the hub's own defaults stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The URL of the first of `SERVER_NAME`'s addresses that names a host.
    pub public_url: Option<String>,
    /// The port of its first address: to listen there.
    pub port: Option<u16>,
    /// `MERCURE_PUBLISHER_JWT_KEY` and `_ALG`, or the directive `publisher_jwt`.
    pub publisher_key: Option<Key>,
    /// `MERCURE_SUBSCRIBER_JWT_KEY` and `_ALG`, or the directive `subscriber_jwt`.
    pub subscriber_key: Option<Key>,
    /// `publisher_jwks_url`.
    pub publisher_jwks_url: Option<String>,
    /// `subscriber_jwks_url`.
    pub subscriber_jwks_url: Option<String>,
    /// `anonymous`: whoever has no token may watch public events.
    pub anonymous: bool,
    /// `subscriptions`: the subscription API and its events.
    pub subscriptions: bool,
    /// `cors_origins`: origins, or `*`.
    pub cors_origins: Vec<String>,
    /// `publish_origins`: origins that may publish with a cookie.
    pub publish_origins: Vec<String>,
    /// `cookie_name`.
    pub cookie_name: Option<String>,
    /// `heartbeat`; 0 is off.
    pub heartbeat: Option<Duration>,
    /// `write_timeout`: how long a connection lives; 0 is for ever.
    pub write_timeout: Option<Duration>,
    /// `dispatch_timeout`: how long a write to a subscriber may take; 0 is for ever.
    pub dispatch_timeout: Option<Duration>,
    /// The `size` of `transport bolt`: how many events are kept; 0 is all.
    pub history_events: Option<u64>,
    /// What wasn't understood, or has no effect here.
    pub warnings: Vec<Warning>,
}

/// A key as the environment gives it.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    /// A secret, or a public key in PEM.
    pub secret: String,
    /// The algorithm; `None` means HS256.
    pub algorithm: Option<String>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("secret", &"…")
            .field("algorithm", &self.algorithm)
            .finish()
    }
}

/// Something to tell the operator. It holds no value that was configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The variable.
    pub variable: String,
    /// The line in it, from 1, if it has several.
    pub line: Option<usize>,
    /// What was wrong, and what to do.
    pub detail: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.variable)?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        write!(f, ": {}", self.detail)
    }
}

/// Variables of the image that mean nothing here, and why.
const WITHOUT_EFFECT: [(&str, &str); 6] = [
    (
        "MERCURE_TRANSPORT_URL",
        "history is kept in the hub's data directory; see 'store' and 'retention'",
    ),
    ("MERCURE_LICENSE", "there is no licence to enter"),
    ("GLOBAL_OPTIONS", "it configures Caddy, which is not here"),
    (
        "CADDY_GLOBAL_OPTIONS",
        "it configures Caddy, which is not here",
    ),
    (
        "CADDY_EXTRA_CONFIG",
        "it configures Caddy, which is not here",
    ),
    (
        "CADDY_SERVER_EXTRA_DIRECTIVES",
        "it configures Caddy, which is not here",
    ),
];

impl Settings {
    /// Reads the variables it knows out of `environment`, in any order.
    pub fn read<'a>(environment: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut settings = Self::default();
        let (mut publisher_algorithm, mut subscriber_algorithm) = (None, None);
        let mut directives = None;
        let mut variables: Vec<_> = environment.into_iter().collect();
        variables.sort_unstable();
        for (name, value) in variables {
            match name {
                _ if value.is_empty() => {}
                "SERVER_NAME" => settings.read_server_name(value),
                "MERCURE_PUBLISHER_JWT_KEY" => settings.publisher_key = Some(Key::new(value)),
                "MERCURE_SUBSCRIBER_JWT_KEY" => settings.subscriber_key = Some(Key::new(value)),
                "MERCURE_PUBLISHER_JWT_ALG" => publisher_algorithm = Some(value.to_owned()),
                "MERCURE_SUBSCRIBER_JWT_ALG" => subscriber_algorithm = Some(value.to_owned()),
                "MERCURE_EXTRA_DIRECTIVES" => directives = Some(value),
                name => settings.warn_of(name),
            }
        }
        for (key, algorithm, name) in [
            (
                &mut settings.publisher_key,
                publisher_algorithm,
                "MERCURE_PUBLISHER_JWT_ALG",
            ),
            (
                &mut settings.subscriber_key,
                subscriber_algorithm,
                "MERCURE_SUBSCRIBER_JWT_ALG",
            ),
        ] {
            match (key, algorithm) {
                (Some(key), algorithm) => key.algorithm = algorithm,
                (None, Some(_)) => settings.warnings.push(Warning {
                    variable: name.to_owned(),
                    line: None,
                    detail: "there is no key that it could be the algorithm of".into(),
                }),
                (None, None) => {}
            }
        }
        if let Some(text) = directives {
            // Last, as in the image they stand behind what the variables say.
            directives::read(&mut settings, "MERCURE_EXTRA_DIRECTIVES", text);
        }
        settings
    }

    fn read_server_name(&mut self, value: &str) {
        match server_name::read(value) {
            Ok((public_url, port)) => (self.public_url, self.port) = (public_url, port),
            Err(detail) => self.warn("SERVER_NAME", None, detail),
        }
    }

    fn warn_of(&mut self, name: &str) {
        let known = WITHOUT_EFFECT.iter().find(|(known, _)| *known == name);
        if let Some((_, reason)) = known {
            self.warn(name, None, format!("it has no effect: {reason}"));
        } else if name.starts_with("MERCURE_") {
            self.warn(name, None, "no such variable is known; it has no effect");
        }
    }

    fn warn(&mut self, variable: &str, line: Option<usize>, detail: impl Into<String>) {
        self.warnings.push(Warning {
            variable: variable.to_owned(),
            line,
            detail: detail.into(),
        });
    }
}

impl Key {
    fn new(secret: &str) -> Self {
        Self {
            secret: secret.to_owned(),
            algorithm: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warned(settings: &Settings) -> Vec<(&str, Option<usize>)> {
        settings
            .warnings
            .iter()
            .map(|w| (&*w.variable, w.line))
            .collect()
    }

    #[test]
    fn the_variables_of_the_image() {
        let settings = Settings::read([
            ("PATH", "/bin"),
            ("SERVER_NAME", "https://hub.example:8443, localhost"),
            ("MERCURE_PUBLISHER_JWT_ALG", "RS256"),
            ("MERCURE_PUBLISHER_JWT_KEY", "pem"),
            ("MERCURE_SUBSCRIBER_JWT_KEY", "secret"),
            ("MERCURE_EXTRA_DIRECTIVES", "anonymous\nsubscriptions"),
        ]);
        let key = |secret: &str, algorithm: Option<&str>| {
            Some(Key {
                secret: secret.into(),
                algorithm: algorithm.map(str::to_owned),
            })
        };
        assert_eq!(
            settings,
            Settings {
                public_url: Some("https://hub.example:8443".into()),
                port: Some(8443),
                publisher_key: key("pem", Some("RS256")),
                subscriber_key: key("secret", None),
                anonymous: true,
                subscriptions: true,
                ..Settings::default()
            }
        );
    }

    #[test]
    fn what_means_nothing_here_is_said() {
        let settings = Settings::read([
            ("MERCURE_TRANSPORT_URL", "bolt://mercure.db"),
            ("MERCURE_LICENSE", "secret-licence"),
            ("MERCURE_TYPO", "secret-typo"),
            ("MERCURE_PUBLISHER_JWT_ALG", "HS256"),
            ("MERCURE_SUBSCRIBER_JWT_KEY", ""),
            ("SERVER_NAME", "::::"),
            ("OTHER", "x"),
        ]);
        let expected = [
            "MERCURE_LICENSE",
            "MERCURE_TRANSPORT_URL",
            "MERCURE_TYPO",
            "SERVER_NAME",
            "MERCURE_PUBLISHER_JWT_ALG",
        ];
        assert_eq!(warned(&settings), expected.map(|name| (name, None)));
        assert!(!format!("{:?}", settings.warnings).contains("secret-"));
        assert_eq!(settings.subscriber_key, None);
    }

    #[test]
    fn p26_a_key_is_never_shown() {
        let settings = Settings::read([("MERCURE_PUBLISHER_JWT_KEY", "canary")]);
        assert!(!format!("{settings:?}").contains("canary"));
    }
}
