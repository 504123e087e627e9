use super::connect::Connector;
use super::proxy::{self, Proxies};
use super::resolve::{Given, Resolver};
use super::tls::{self, Tls};
use super::{Hyper, Inner};
use crate::transport::{TransportError, TransportErrorKind};
use http::HeaderValue;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{self, Client};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::rustls::pki_types::CertificateDer;
use url::Url;

/// What a stream may make us hold while nobody reads it, over HTTP/2.
#[cfg(feature = "http2")]
const HTTP2_STREAM_WINDOW: u32 = 1 << 20;
/// The largest there is (RFC 9113, 6.9.1): each stream has its own bound, and
/// one that nobody reads must not stop the others of its connection.
#[cfg(feature = "http2")]
const HTTP2_CONNECTION_WINDOW: u32 = (1 << 31) - 1;
/// How long an HTTP/2 connection is offered to further requests after the last;
/// no other is kept.
const KEPT: Duration = Duration::from_secs(300);
/// The least that hyper takes.
const LEAST_HEAD_SIZE: usize = 8 * 1024;

/// Options of a [`Hyper`].
pub struct HyperBuilder {
    roots: Vec<CertificateDer<'static>>,
    proxy: Proxy,
    given: Vec<Given>,
    connect_timeout: Duration,
    dead_after: Option<Duration>,
    max_head_size: usize,
    protocol: Protocol,
    compression: bool,
    user_agent: Option<HeaderValue>,
}

enum Proxy {
    OfEnvironment,
    None,
    This(String),
}

#[derive(Clone, Copy, PartialEq)]
enum Protocol {
    Negotiated,
    Http1,
    #[cfg(feature = "http2")]
    Http2,
}

impl Protocol {
    /// What the server is offered, the dearest first (RFC 7301).
    fn offered(self) -> &'static [&'static str] {
        match self {
            #[cfg(feature = "http2")]
            Self::Negotiated => &["h2", "http/1.1"],
            #[cfg(not(feature = "http2"))]
            Self::Negotiated => &["http/1.1"],
            Self::Http1 => &["http/1.1"],
            #[cfg(feature = "http2")]
            Self::Http2 => &["h2"],
        }
    }

    fn is_http2_alone(self) -> bool {
        !self.offered().contains(&"http/1.1")
    }
}

impl HyperBuilder {
    pub(super) fn new() -> Self {
        Self {
            roots: Vec::new(),
            proxy: Proxy::OfEnvironment,
            given: Vec::new(),
            connect_timeout: Duration::from_secs(30),
            dead_after: Some(Duration::from_secs(60)),
            max_head_size: 64 * 1024,
            protocol: Protocol::Negotiated,
            compression: true,
            user_agent: None,
        }
    }

    /// Trusts these root certificates (PEM, one or several) too. The platform's
    /// are trusted in any case.
    ///
    /// # Errors
    ///
    /// If there is none, or one can't be read.
    pub fn add_root_certificate(mut self, pem: &[u8]) -> Result<Self, TransportError> {
        self.roots.extend(tls::roots(pem)?);
        Ok(self)
    }

    /// Goes through this proxy, whatever the environment says: an `http` or
    /// `https` URL, or `socks5` (names are looked up here) or `socks5h` (there).
    /// A name and a password in it are sent to the proxy.
    ///
    /// Without this and [`HyperBuilder::no_proxy`], the variables that curl
    /// knows name it, in capitals or not: `HTTP_PROXY` for http (in capitals
    /// only unless `REQUEST_METHOD` is set, when a visitor of a CGI program
    /// could have set it), `HTTPS_PROXY` for https, `ALL_PROXY` for what is
    /// left, `NO_PROXY` for the hosts and networks that are reached directly.
    /// They are read when the transport is built; what is no URL of these
    /// schemes is as if it was not set. A proxy is asked to tunnel https
    /// (`CONNECT`) and for http by whole URLs.
    ///
    /// # Errors
    ///
    /// If the URL has another scheme.
    pub fn proxy(mut self, proxy: &Url) -> Result<Self, TransportError> {
        if !matches!(proxy.scheme(), "http" | "https" | "socks5" | "socks5h") {
            let text = "its URL must begin with http:, https:, socks5: or socks5h:";
            return Err(TransportError::new(TransportErrorKind::Proxy, text));
        }
        self.proxy = Proxy::This(proxy.as_str().to_owned());
        Ok(self)
    }

    /// Goes through no proxy, whatever the environment says.
    pub fn no_proxy(mut self) -> Self {
        self.proxy = Proxy::None;
        self
    }

    /// Takes `address` for `host`, which may begin with `*.` to mean all names
    /// below the rest. The first that fits a name holds.
    pub fn resolve(mut self, host: &str, address: IpAddr) -> Self {
        self.given.push(Given::new(host, address));
        self
    }

    /// How long it may take to get a connection: the address, the connection
    /// itself, the proxy, the TLS handshake. 30 s unless set.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long a server that the network can't reach any more is believed to
    /// be there; then its connection breaks. It is asked by TCP keep-alive and
    /// HTTP/2 pings, not by anything a stream sees, so a server may be silent.
    /// 60 s unless set, at least 6 s; `None`: for ever.
    pub fn dead_after(mut self, time: Option<Duration>) -> Self {
        self.dead_after = time.map(|time| time.max(Duration::from_secs(6)));
        self
    }

    /// How long the head of a response may be, in bytes: 64 KiB unless set, at
    /// least 8 KiB. Over HTTP/1.1 a head has at most 100 headers, too.
    pub fn max_head_size(mut self, bytes: usize) -> Self {
        self.max_head_size = bytes.max(LEAST_HEAD_SIZE);
        self
    }

    /// Speaks HTTP/1.1 only.
    pub fn http1_only(mut self) -> Self {
        self.protocol = Protocol::Http1;
        self
    }

    /// Speaks HTTP/2 only, without asking, also where there is no TLS
    /// (RFC 9113, 3.3).
    #[cfg(feature = "http2")]
    pub fn http2_prior_knowledge(mut self) -> Self {
        self.protocol = Protocol::Http2;
        self
    }

    /// Whether servers are asked to compress: on unless set. When off, they are
    /// told not to (`Accept-Encoding: identity`); what one compresses in spite
    /// of it is still decoded.
    pub fn compression(mut self, on: bool) -> Self {
        self.compression = on;
        self
    }

    /// The `User-Agent` of requests that bring none. None unless set.
    pub fn user_agent(mut self, value: HeaderValue) -> Self {
        self.user_agent = Some(value);
        self
    }

    /// The transport.
    pub fn build(self) -> Hyper {
        let matcher = match &self.proxy {
            Proxy::OfEnvironment => proxy::of_environment(),
            Proxy::None => None,
            Proxy::This(url) => Some(Matcher::builder().all(url.as_str()).build()),
        };
        let proxies = Arc::new(Proxies::new(matcher, self.protocol.is_http2_alone()));
        let connector = Connector {
            tcp: self.tcp(),
            tls: Arc::new(Tls::new(self.roots.clone(), self.protocol.offered())),
            proxy_tls: Arc::new(Tls::new(self.roots.clone(), &["http/1.1"])),
            proxies: proxies.clone(),
            timeout: self.connect_timeout,
            http2_only: self.protocol.is_http2_alone(),
        };
        Hyper {
            inner: Arc::new(Inner {
                client: self.client().build(connector),
                proxies,
                accept_encoding: HeaderValue::from_static(match self.compression {
                    true => "gzip, br, zstd",
                    false => "identity",
                }),
                user_agent: self.user_agent,
            }),
        }
    }

    fn tcp(&self) -> HttpConnector<Resolver> {
        let mut tcp = HttpConnector::new_with_resolver(Resolver::new(self.given.clone()));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        // Divided among a host's addresses, so that a dead one doesn't take all.
        tcp.set_connect_timeout(Some(self.connect_timeout));
        if let Some(time) = self.dead_after {
            tcp.set_keepalive(Some(time / 2));
            tcp.set_keepalive_interval(Some(time / 6));
            tcp.set_keepalive_retries(Some(3));
            #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
            tcp.set_tcp_user_timeout(Some(time));
        }
        tcp
    }

    fn client(&self) -> legacy::Builder {
        let mut client = Client::builder(TokioExecutor::new());
        client
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEPT)
            .http1_max_buf_size(self.max_head_size);
        #[cfg(feature = "http2")]
        self.http2(&mut client);
        client
    }

    #[cfg(feature = "http2")]
    fn http2(&self, client: &mut legacy::Builder) {
        client
            .http2_max_header_list_size(u32::try_from(self.max_head_size).unwrap_or(u32::MAX))
            .http2_only(self.protocol.is_http2_alone())
            .http2_initial_stream_window_size(HTTP2_STREAM_WINDOW)
            .http2_initial_connection_window_size(HTTP2_CONNECTION_WINDOW);
        if let Some(time) = self.dead_after {
            client
                .http2_keep_alive_interval(time / 2)
                .http2_keep_alive_timeout(time / 2)
                .http2_keep_alive_while_idle(true);
        }
    }
}

impl fmt::Debug for HyperBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The proxy's URL may hold a password.
        f.debug_struct("HyperBuilder").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::SockRef;
    use std::net::TcpListener;
    use tower_service::Service;

    /// Gives the socket that a transport of these options connects.
    fn check(options: &HyperBuilder, test: impl FnOnce(SockRef<'_>)) {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
            .block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
                let address = listener.local_addr().expect("an address");
                let to = format!("http://{address}/").parse().expect("a URL");
                let tcp = options.tcp().call(to).await.expect("a connection");
                test(SockRef::from(tcp.inner()));
            });
    }

    #[test]
    fn a_peer_that_is_gone_is_found_out() {
        check(&HyperBuilder::new(), |socket| {
            assert!(socket.tcp_nodelay().expect("an option"));
            assert!(socket.keepalive().expect("an option"));
            #[cfg(target_os = "linux")]
            {
                let unanswered = socket.tcp_user_timeout().expect("an option");
                assert_eq!(unanswered, Some(Duration::from_secs(60)));
                let idle = socket.tcp_keepalive_time().expect("an option");
                let interval = socket.tcp_keepalive_interval().expect("an option");
                let probes = socket.tcp_keepalive_retries().expect("an option");
                assert_eq!(idle + interval * probes, Duration::from_secs(60));
            }
        });
        check(&HyperBuilder::new().dead_after(None), |socket| {
            assert!(!socket.keepalive().expect("an option"));
        });
        // Less than a second would be refused, or mean none.
        let short = HyperBuilder::new().dead_after(Some(Duration::ZERO));
        check(&short, |socket| {
            assert!(socket.keepalive().expect("an option"));
        });
    }
}
