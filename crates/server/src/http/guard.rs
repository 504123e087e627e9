//! Who may ask at all: the checks that keep an open hub on a loopback address
//! from being reached by way of a browser (DNS rebinding, cross-site posts) or
//! of a proxy that makes it public by accident.

use crate::http::cors::Cors;
use crate::http::{Code, Problem};
use http::header::{self, HeaderName};
use http::uri::Authority;
use http::{HeaderMap, Method, Request};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// The checks of one listener.
#[derive(Debug)]
pub struct Guard {
    /// The address it listens on, with the port that was really taken.
    pub local: SocketAddr,
    /// Whether it is asked over TLS.
    pub secure: bool,
    /// What holds for all listeners of the hub.
    pub rules: Arc<Rules>,
}

/// What the configuration says of who may ask.
#[derive(Debug, Default)]
pub struct Rules {
    /// Whether the hub may be asked through proxies: it was opened on purpose
    /// (`open = true`), or tokens decide who may do what.
    pub proxied: bool,
    /// Further values of `Host`, with or without a port.
    pub hosts: Vec<String>,
    /// `public_url`, if it was given.
    pub public: Option<Public>,
    /// Further origins whose pages may send what changes something.
    pub origins: Vec<String>,
}

/// Where the hub is reached from outside.
#[derive(Debug)]
pub struct Public {
    /// The host, in lower case. A proxy may leave the port away.
    pub host: String,
    /// The origin of the hub's own pages, as browsers write it.
    pub origin: String,
}

/// Headers that only a proxy adds, besides `X-Forwarded-*`.
const PROXY_HEADERS: [HeaderName; 3] = [
    header::FORWARDED,
    header::VIA,
    HeaderName::from_static("x-real-ip"),
];

impl Guard {
    /// Lets a request pass or says why not.
    ///
    /// # Errors
    /// `400` without exactly one valid host, `421` for a wrong one, `403` for
    /// requests of proxies and of pages that aren't allowed, `417` for an
    /// unknown expectation.
    pub fn check<B>(&self, request: &Request<B>, cors: &Cors) -> Result<(), Problem> {
        let host = requested_host(request)?;
        if self.local.ip().is_loopback() {
            self.check_proxy(request.headers())?;
            if let Some(host) = &host {
                self.check_host(host)?;
            }
        }
        check_expectation(request.headers())?;
        self.check_origin_of(request, host.as_ref(), cors)
    }

    /// What holds for every request in an application: its listeners, hosts and
    /// proxies are its own business.
    pub fn of_application(rules: Rules) -> Self {
        Self {
            local: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            // Whether it is asked over TLS isn't known here.
            secure: false,
            rules: Arc::new(rules),
        }
    }

    /// Whether the page that a request comes from may send it.
    ///
    /// # Errors
    /// `403`.
    pub fn check_page<B>(&self, request: &Request<B>, cors: &Cors) -> Result<(), Problem> {
        let host = requested_host(request).ok().flatten();
        self.check_origin_of(request, host.as_ref(), cors)
    }

    fn check_origin_of<B>(
        &self,
        request: &Request<B>,
        host: Option<&Authority>,
        cors: &Cors,
    ) -> Result<(), Problem> {
        let headers = request.headers();
        let with_credentials =
            headers.contains_key(header::COOKIE) || headers.contains_key(header::AUTHORIZATION);
        let reads = [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method());
        if !reads || with_credentials {
            self.check_origin(headers, host, cors)?;
        }
        Ok(())
    }

    /// On a loopback address only names that can't be rebound are answered
    /// (bad-input row a24).
    fn check_host(&self, host: &Authority) -> Result<(), Problem> {
        let port = host
            .port_u16()
            .unwrap_or(if self.secure { 443 } else { 80 });
        let name = host.host();
        let own = port == self.local.port()
            && (["localhost", "127.0.0.1", "[::1]"]
                .iter()
                .any(|own| name.eq_ignore_ascii_case(own))
                || name.parse() == Ok(self.local.ip()));
        let listed = |entry: &String| {
            entry.eq_ignore_ascii_case(host.as_str())
                || (entry.eq_ignore_ascii_case(name) && port == self.local.port())
        };
        let public = self.rules.public.as_ref();
        let is_public = public.is_some_and(|public| public.host.eq_ignore_ascii_case(name));
        if own || is_public || self.rules.hosts.iter().any(listed) {
            return Ok(());
        }
        let detail = "this hub listens on a loopback address and does not go by the name in 'Host'; \
                      add the name to 'hosts' in the configuration if it should, or set 'public_url'";
        Err(Problem::new(Code::WrongHost, detail))
    }

    fn check_proxy(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let forwarded = |name: &HeaderName| {
            name.as_str().starts_with("x-forwarded-") || PROXY_HEADERS.contains(name)
        };
        if self.rules.proxied || !headers.keys().any(forwarded) {
            return Ok(());
        }
        let detail = "the request came through a proxy, and this hub lets everyone publish and watch; \
                      if it may be public, give it keys ([auth]) or set open = true";
        Err(Problem::new(Code::ProxyNotAllowed, detail))
    }

    /// A page may change something only if it is the hub's own or its origin is
    /// allowed; this holds for "simple" requests too, which browsers send without
    /// a preflight. Programs that aren't browsers send no `Origin`.
    fn check_origin(
        &self,
        headers: &HeaderMap,
        host: Option<&Authority>,
        cors: &Cors,
    ) -> Result<(), Problem> {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = origins.next() else {
            return Ok(());
        };
        let is_own = |host| self.is_own(origin.as_bytes(), host);
        let public = self.rules.public.as_ref().map(|public| &public.origin);
        let mut listed = self.rules.origins.iter().chain(public);
        let allowed = cors.allows(origin)
            || listed.any(|own| own.as_bytes() == origin.as_bytes())
            || host.is_some_and(is_own);
        if origins.next().is_none() && allowed {
            return Ok(());
        }
        let detail = "a page of another origin can't use this hub; list its origin in cors.origins";
        Err(Problem::new(Code::OriginNotAllowed, detail))
    }

    /// Whether `origin` is that of the hub's own pages, asked for by `host`.
    fn is_own(&self, origin: &[u8], host: &Authority) -> bool {
        let Ok(origin) = std::str::from_utf8(origin) else {
            return false;
        };
        let Some((scheme, authority)) = origin.split_once("://") else {
            return false;
        };
        let default_port = match scheme {
            // Whoever is asked over TLS has no pages without.
            "http" if !self.secure => 80,
            // Without TLS here, a proxy may have it.
            "https" => 443,
            _ => return false,
        };
        let Ok(authority) = authority.parse::<Authority>() else {
            return false;
        };
        let port = |authority: &Authority| authority.port_u16().unwrap_or(default_port);
        authority.host().eq_ignore_ascii_case(host.host()) && port(&authority) == port(host)
    }
}

/// RFC 9112, 3.2: exactly one valid host; HTTP/2 has it in `:authority`, and
/// HTTP/1.0, which no browser speaks, may leave it out.
fn requested_host<B>(request: &Request<B>) -> Result<Option<Authority>, Problem> {
    let refuse = |detail: &str| Problem::new(Code::BadRequest, detail).closing();
    let mut values = request.headers().get_all(header::HOST).iter();
    let header = values.next();
    if values.next().is_some() {
        return Err(refuse("the request has more than one 'Host'"));
    }
    let header = header
        .map(|value| {
            Authority::try_from(value.as_bytes()).map_err(|_| refuse("'Host' is not a valid host"))
        })
        .transpose()?;
    let target = request.uri().authority().cloned();
    let host = match (target, header) {
        (Some(target), Some(header)) if target != header => {
            return Err(refuse(
                "the request's target names another host than 'Host'",
            ));
        }
        (Some(host), _) | (None, Some(host)) => host,
        (None, None) if request.version() == http::Version::HTTP_10 => return Ok(None),
        (None, None) => return Err(refuse("the request has no 'Host'")),
    };
    if host.as_str().contains('@') {
        return Err(refuse("the host holds user information"));
    }
    Ok(Some(host))
}

fn check_expectation(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.get(header::EXPECT) {
        Some(value) if !value.as_bytes().eq_ignore_ascii_case(b"100-continue") => {
            Err(Problem::new(
                Code::ExpectationFailed,
                "'Expect' can only be '100-continue'",
            )
            .closing())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(open: bool, method: &str, headers: &[(&str, &str)]) -> Result<(), Code> {
        verdict_at(("127.0.0.1:8080", false), open, method, headers)
    }

    fn verdict_at(
        (local, secure): (&str, bool),
        open: bool,
        method: &str,
        headers: &[(&str, &str)],
    ) -> Result<(), Code> {
        let guard = Guard {
            local: local.parse().unwrap(),
            secure,
            rules: Arc::new(Rules {
                proxied: open,
                hosts: vec!["hub.example".into(), "other.example:443".into()],
                public: None,
                origins: vec!["https://posts.example".into()],
            }),
        };
        let cors = Cors::new(["https://good.example".to_owned()]);
        let mut request = Request::builder().method(method).uri("/t/news");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        guard
            .check(&request.body(()).unwrap(), &cors)
            .map_err(|problem| problem.code)
    }

    fn check_get(headers: &[(&str, &str)], expect: Result<(), Code>) {
        assert_eq!(verdict(false, "GET", headers), expect, "{headers:?}");
    }

    #[test]
    fn a24_host_must_be_ours_on_loopback() {
        for host in [
            "localhost:8080",
            "LOCALHOST:8080",
            "127.0.0.1:8080",
            "[::1]:8080",
            "hub.example:8080",
        ] {
            check_get(&[("host", host)], Ok(()));
        }
        for host in ["hub.example", "other.example:443"] {
            check_get(&[("host", host)], Ok(()));
        }
        for host in [
            "attacker.example:8080",
            "localhost",
            "localhost:8081",
            "127.0.0.2:8080",
            "hub.example:1",
            "other.example",
        ] {
            check_get(&[("host", host)], Err(Code::WrongHost));
        }
    }

    #[test]
    fn c4_host_must_be_one_and_valid() {
        check_get(&[], Err(Code::BadRequest));
        check_get(
            &[("host", "localhost:8080"), ("host", "localhost:8080")],
            Err(Code::BadRequest),
        );
        check_get(&[("host", "a b@c/")], Err(Code::BadRequest));
        check_get(&[("host", "user@localhost:8080")], Err(Code::BadRequest));
    }

    #[test]
    fn a25_proxied_requests_need_open() {
        for header in [
            "forwarded",
            "x-forwarded-for",
            "x-forwarded-proto",
            "x-real-ip",
            "via",
        ] {
            let headers = [("host", "localhost:8080"), (header, "x")];
            check_get(&headers, Err(Code::ProxyNotAllowed));
            assert_eq!(verdict(true, "GET", &headers), Ok(()), "{header}");
        }
    }

    #[test]
    fn a15_b20_cross_site_posts_are_refused() {
        let post = |origin: &str| {
            verdict(
                false,
                "POST",
                &[("host", "localhost:8080"), ("origin", origin)],
            )
        };
        assert_eq!(
            verdict(false, "POST", &[("host", "localhost:8080")]),
            Ok(())
        );
        for origin in [
            "http://localhost:8080",
            "https://good.example",
            "https://posts.example",
        ] {
            assert_eq!(post(origin), Ok(()), "{origin}");
        }
        let evil = [
            ("host", "localhost:8080"),
            ("origin", "https://evil.example"),
            ("cookie", "a=b"),
        ];
        assert_eq!(verdict(false, "GET", &evil), Err(Code::OriginNotAllowed));
        assert_eq!(verdict(false, "GET", &evil[..2]), Ok(()));
        for origin in [
            "null",
            "https://evil.example",
            "https://good.evil.example",
            "HTTPS://GOOD.EXAMPLE",
            "http://good.example",
            "https://good.example:8443",
            "http://localhost",
            "http://127.0.0.1:8080",
            "file://localhost:8080",
            "",
        ] {
            assert_eq!(post(origin), Err(Code::OriginNotAllowed), "{origin}");
        }
    }

    #[test]
    fn own_pages_and_ports_go_by_the_scheme() {
        let check = |address: &str, secure, host: &str, origin: &str, expect| {
            let headers = [("host", host), ("origin", origin)];
            let verdict = verdict_at((address, secure), false, "POST", &headers);
            assert_eq!(verdict, expect, "{address} {secure} {host} {origin}");
        };
        let (own, default) = ("127.0.0.1:8443", "127.0.0.1:443");
        let refused = Err(Code::OriginNotAllowed);
        check(
            own,
            true,
            "localhost:8443",
            "https://localhost:8443",
            Ok(()),
        );
        check(
            own,
            true,
            "localhost:8443",
            "http://localhost:8443",
            refused,
        );
        check(
            own,
            false,
            "localhost:8443",
            "https://localhost:8443",
            Ok(()),
        );
        check(default, true, "localhost", "https://localhost", Ok(()));
        check(default, true, "localhost:443", "https://localhost", Ok(()));
        check(
            default,
            true,
            "localhost:80",
            "https://localhost",
            Err(Code::WrongHost),
        );
        check(
            "127.0.0.1:80",
            true,
            "localhost",
            "https://localhost",
            Err(Code::WrongHost),
        );
    }

    #[test]
    fn b24_unknown_expectation_is_417() {
        check_get(
            &[("host", "localhost:8080"), ("expect", "100-Continue")],
            Ok(()),
        );
        check_get(
            &[("host", "localhost:8080"), ("expect", "foo")],
            Err(Code::ExpectationFailed),
        );
    }
}
