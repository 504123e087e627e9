use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};

/// Which requests go through a proxy, and through which.
pub(super) struct Proxies {
    matcher: Option<Matcher>,
    /// Whether plain HTTP is tunnelled too: HTTP/2 must be, no proxy forwards it.
    tunnel_all: bool,
}

/// How to get to a server.
pub(super) enum Route {
    /// There.
    Direct,
    /// Asking an HTTP proxy with absolute URLs (RFC 9112, 3.2.2).
    Forward(Uri),
    /// Through an HTTP proxy that was asked to `CONNECT` (RFC 9110, 9.3.6).
    Tunnel(Uri, Option<HeaderValue>),
    /// Through a SOCKS 5 proxy, which may want a name and a password.
    Socks {
        proxy: Uri,
        auth: Option<(String, String)>,
        /// Whether the host's name is looked up on this side.
        local_dns: bool,
    },
    /// Through something that isn't spoken here.
    Unknown,
}

/// What the variables of the environment say.
pub(super) fn of_environment() -> Option<Matcher> {
    let first = |names: &[&str]| {
        let mut values = names.iter().filter_map(|name| std::env::var(name).ok());
        values.next().unwrap_or_default()
    };
    let excepted = first(&["NO_PROXY", "no_proxy"]);
    // The library takes this to mean all names, but no address.
    if excepted.split(',').any(|one| one.trim() == "*") {
        return None;
    }
    // In a CGI program, HTTP_PROXY is the header `Proxy` of a visitor.
    let http = match std::env::var_os("REQUEST_METHOD") {
        Some(_) => first(&["http_proxy"]),
        None => first(&["HTTP_PROXY", "http_proxy"]),
    };
    let matcher = Matcher::builder()
        .http(http)
        .https(first(&["HTTPS_PROXY", "https_proxy"]))
        .all(first(&["ALL_PROXY", "all_proxy"]))
        .no(excepted);
    Some(matcher.build())
}

impl Proxies {
    pub(super) fn new(matcher: Option<Matcher>, tunnel_all: bool) -> Self {
        Self {
            matcher,
            tunnel_all,
        }
    }

    /// The way to the server of `uri`.
    pub(super) fn route(&self, uri: &Uri) -> Route {
        let Some(proxy) = self.intercept(uri) else {
            return Route::Direct;
        };
        match proxy.uri().scheme_str() {
            Some("http" | "https") if self.forwards(uri) => Route::Forward(proxy.uri().clone()),
            Some("http" | "https") => {
                Route::Tunnel(proxy.uri().clone(), proxy.basic_auth().cloned())
            }
            Some(scheme @ ("socks5" | "socks5h")) => Route::Socks {
                proxy: proxy.uri().clone(),
                auth: proxy
                    .raw_auth()
                    .map(|(name, password)| (name.to_owned(), password.to_owned())),
                local_dns: scheme == "socks5",
            },
            _ => Route::Unknown,
        }
    }

    /// What a request to `uri` itself must carry for the proxy.
    pub(super) fn authorization(&self, uri: &Uri) -> Option<HeaderValue> {
        let proxy = self.intercept(uri)?;
        match proxy.uri().scheme_str() {
            Some("http" | "https") if self.forwards(uri) => proxy.basic_auth().cloned(),
            _ => None,
        }
    }

    fn intercept(&self, uri: &Uri) -> Option<Intercept> {
        self.matcher.as_ref()?.intercept(uri)
    }

    fn forwards(&self, uri: &Uri) -> bool {
        !self.tunnel_all && uri.scheme_str() == Some("http")
    }
}
