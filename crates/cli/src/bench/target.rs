//! Where to subscribe and publish.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How long an address may take to answer, if there are others.
const PATIENCE: Duration = Duration::from_secs(2);

/// An http URL, resolved; `{}` in it stands for a topic's number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The server.
    pub address: SocketAddr,
    /// As it stands in `Host`.
    pub host: String,
    path: String,
}

impl Target {
    /// Reads `http://host[:port]/path?query`; the scheme may be left out.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(url: &str) -> Result<Self, String> {
        let rest = match url.split_once("://") {
            None => url,
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some(_) => return Err("only http:// can be measured".into()),
        };
        let (host, path) = match rest.find(['/', '?']) {
            Some(at) if rest[at..].starts_with('/') => (&rest[..at], rest[at..].to_owned()),
            Some(at) => (&rest[..at], format!("/{}", &rest[at..])),
            None => (rest, "/".to_owned()),
        };
        if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("the URL's path holds characters that must be percent-encoded".into());
        }
        let has_port = host.rsplit_once(':').is_some_and(|(name, port)| {
            port.parse::<u16>().is_ok() && (!name.contains(':') || name.ends_with(']'))
        });
        let full = match has_port {
            true => host.to_owned(),
            false => format!("{host}:80"),
        };
        let addresses = full.to_socket_addrs().map(Iterator::collect);
        let address = choose(addresses.unwrap_or_default());
        let address = address.ok_or("the URL's host can't be resolved")?;
        Ok(Self {
            address,
            host: host.to_owned(),
            path,
        })
    }

    /// The path and query for topic number `topic`.
    pub fn path(&self, topic: u64) -> String {
        self.path.replace("{}", &topic.to_string())
    }
}

/// Of several addresses (`localhost` has two), the first that answers.
fn choose(addresses: Vec<SocketAddr>) -> Option<SocketAddr> {
    let first = *addresses.first()?;
    let answers = |address: &SocketAddr| TcpStream::connect_timeout(address, PATIENCE).is_ok();
    match addresses.len() {
        1 => Some(first),
        _ => addresses.into_iter().find(answers).or(Some(first)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (url, host, address, path) in [
            (
                "http://127.0.0.1:8080/t/a",
                "127.0.0.1:8080",
                "127.0.0.1:8080",
                "/t/a",
            ),
            (
                "127.0.0.1/t/{}?x={}",
                "127.0.0.1",
                "127.0.0.1:80",
                "/t/7?x=7",
            ),
            ("HTTP://[::1]:1", "[::1]:1", "[::1]:1", "/"),
            ("[::1]?a", "[::1]", "[::1]:80", "/?a"),
        ] {
            let target = Target::new(url).expect(url);
            assert_eq!(target.host, host);
            assert_eq!(target.address.to_string(), address);
            assert_eq!(target.path(7), path);
        }
        for url in ["https://127.0.0.1/", "http:///t/a", "", "127.0.0.1/a b"] {
            assert!(Target::new(url).is_err(), "{url}");
        }
    }
}
