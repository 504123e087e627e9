//! Addresses, host names, origins and selectors.

use super::{Setting, toml_string};
use crate::config::fault::Fault;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use tidings_engine::Selector;

impl Setting for SocketAddr {
    const WANTED: &'static str = "an IP address and a port, such as \"127.0.0.1:8080\"";

    fn from_text(text: &str) -> Result<Self, Fault> {
        text.parse()
            .map_err(|_| Fault::new(format!("expected {}", Self::WANTED)))
    }

    fn to_toml(&self) -> String {
        toml_string(&self.to_string())
    }
}

/// A value of the `Host` header: a name in lower case, and a port if only that
/// one is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostName {
    /// A DNS name or an address, in lower case; an IPv6 address with brackets.
    pub name: String,
    /// The port; `None` for those that the hub listens on.
    pub port: Option<u16>,
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

/// Splits `host[:port]`, with the brackets of an IPv6 address left on it.
fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    let host_end = match text.strip_prefix('[') {
        Some(rest) => rest.find(']')? + 2,
        None => text.find(':').unwrap_or(text.len()),
    };
    let (host, port) = text.split_at(host_end);
    match port.strip_prefix(':') {
        None if port.is_empty() => Some((host, None)),
        Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
            Some((host, Some(digits.parse().ok()?)))
        }
        _ => None,
    }
}

/// Whether `host` is an address in brackets, or a name of letters, digits,
/// dots, dashes and underscores.
fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[') {
        let address = address.strip_suffix(']').map(str::parse::<IpAddr>);
        return matches!(address, Some(Ok(IpAddr::V6(_))));
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    !host.is_empty() && host.len() <= 253 && host.bytes().all(allowed)
}

impl Setting for HostName {
    const WANTED: &'static str = "a host name, such as \"hub.example\" or \"hub.example:8443\"";

    fn from_text(text: &str) -> Result<Self, Fault> {
        let (name, port) = split_port(text)
            .filter(|(name, _)| is_host(name))
            .ok_or_else(|| Fault::new(format!("expected {}", Self::WANTED)))?;
        Ok(Self {
            name: name.to_ascii_lowercase(),
            port,
        })
    }

    fn to_toml(&self) -> String {
        toml_string(&self.to_string())
    }
}

/// A web origin, exactly as browsers write it in `Origin`:
/// `https://app.example`, with a port only where it isn't the scheme's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin(String);

impl Origin {
    /// The origin as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Setting for Origin {
    const WANTED: &'static str = "an origin, such as \"https://app.example\"";

    fn from_text(text: &str) -> Result<Self, Fault> {
        let no_origin = || Fault::new(format!("expected {}", Self::WANTED));
        match text {
            "*" => {
                return Err(Fault::new(
                    "\"*\" would let every page on the web act with its visitor's credentials; \
                     list the origins one by one",
                ));
            }
            "null" => {
                return Err(Fault::new(
                    "\"null\" is the origin of every sandboxed page and local file; it can't be \
                     allowed",
                ));
            }
            _ => {}
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(no_origin)?;
        let own_port = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return Err(Fault::new("an origin begins with https:// or http://")),
        };
        if rest.contains(['/', '?', '#']) {
            return Err(Fault::new(
                "an origin has no path: nothing may follow the host and port, not even \"/\"",
            ));
        }
        let (host, port) = split_port(rest).ok_or_else(no_origin)?;
        if !is_host(host) {
            return Err(no_origin());
        }
        if host.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(Fault::new(
                "browsers write the host of an origin in lower case",
            ));
        }
        if port == Some(own_port) {
            return Err(Fault::new(format!(
                "browsers leave out \":{own_port}\", the port of {scheme}; so must this"
            )));
        }
        Ok(Self(text.to_owned()))
    }

    fn to_toml(&self) -> String {
        toml_string(&self.0)
    }
}

impl Setting for Selector {
    const WANTED: &'static str = "a topic or pattern, such as \"orders/**\"";

    fn from_text(text: &str) -> Result<Self, Fault> {
        Self::new(text).map_err(|reason| Fault::new(reason.to_string()))
    }

    fn to_toml(&self) -> String {
        toml_string(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a15_origins_are_exact() {
        let check = |text: &str, valid: bool| {
            assert_eq!(Origin::from_text(text).is_ok(), valid, "{text}");
        };
        for text in [
            "https://app.example",
            "http://localhost:3000",
            "https://app.example:8443",
            "http://[::1]:3000",
            "http://127.0.0.1:1",
        ] {
            check(text, true);
        }
        for text in [
            "",
            "*",
            "null",
            "app.example",
            "https://",
            "https://app.example/",
            "https://app.example?x",
            "https://*.example",
            "https://App.example",
            "HTTPS://app.example",
            "https://app.example:443",
            "http://app.example:80",
            "https://app.example:",
            "https://app.example:99999",
            "https://app.example:+1",
            "https://user@app.example",
            "ftp://app.example",
            "https://[::1",
            "https://[app]",
            "https://exämple",
        ] {
            check(text, false);
        }
    }

    #[test]
    fn a24_host_names() {
        let check = |text: &str, expected: Option<(&str, Option<u16>)>| {
            let host = HostName::from_text(text).ok();
            let host = host.as_ref().map(|host| (host.name.as_str(), host.port));
            assert_eq!(host, expected, "{text}");
        };
        check("hub.example", Some(("hub.example", None)));
        check("Hub.Example:8443", Some(("hub.example", Some(8443))));
        check("[::1]", Some(("[::1]", None)));
        check("[::1]:80", Some(("[::1]", Some(80))));
        for text in [
            "",
            ":80",
            "a b",
            "a/b",
            "*",
            "hub:",
            "hub:x",
            "hub:65536",
            "[::1",
            "::1",
            "[]",
        ] {
            check(text, None);
        }
    }
}
