use super::proxy::{Proxies, Route};
use super::resolve::Resolver;
use super::tls::Tls;
use super::{find, reason};
use crate::transport::{TransportError, TransportErrorKind};
use http::{HeaderValue, Uri};
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

/// Makes connections to servers, through a proxy where one is wanted.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) tcp: HttpConnector<Resolver>,
    pub(super) tls: Arc<Tls>,
    /// Offers no protocol but HTTP/1.1, which is what proxies are asked in.
    pub(super) proxy_tls: Arc<Tls>,
    pub(super) proxies: Arc<Proxies>,
    /// For all of it: the address, the connection, the proxy, the handshake.
    pub(super) timeout: Duration,
    /// Whether each server is known to speak HTTP/2.
    pub(super) http2_only: bool,
}

/// Makes connections to proxies.
#[derive(Clone)]
struct Dial {
    tcp: HttpConnector<Resolver>,
    tls: Arc<Tls>,
}

/// A connection, ready for HTTP.
pub(super) struct Io {
    layer: Layer,
    /// To a proxy that is asked for URLs.
    forwarded: bool,
    http2: bool,
}

/// TLS over TLS is an https server through an https proxy.
enum Layer {
    Tcp(TcpStream),
    Tls(Box<TlsStream<Io>>),
}

type Connecting = Pin<Box<dyn Future<Output = Result<TokioIo<Io>, TransportError>> + Send>>;

impl Service<Uri> for Connector {
    type Response = TokioIo<Io>;
    type Error = TransportError;
    type Future = Connecting;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, server: Uri) -> Self::Future {
        let own = self.clone();
        Box::pin(async move {
            let connecting = tokio::time::timeout(own.timeout, own.connect(server));
            connecting.await.unwrap_or_else(|_| {
                let text = format!("no connection within {} s", own.timeout.as_secs_f64());
                Err(TransportError::new(TransportErrorKind::Connect, text))
            })
        })
    }
}

impl Connector {
    async fn connect(&self, server: Uri) -> Result<TokioIo<Io>, TransportError> {
        let mut io = self.reach(&server).await?;
        if server.scheme_str() == Some("https") {
            let host = server.host().unwrap_or_default();
            io = Io::tls(self.tls.shake_hands(io, host).await?);
        }
        io.http2 |= self.http2_only;
        Ok(TokioIo::new(io))
    }

    async fn reach(&self, server: &Uri) -> Result<Io, TransportError> {
        let mut dial = Dial {
            tcp: self.tcp.clone(),
            tls: self.proxy_tls.clone(),
        };
        let reached = match self.proxies.route(server) {
            Route::Direct => return dial.tcp(server.clone()).await,
            Route::Forward(proxy) => {
                let io = dial.call(proxy).await.map_err(through_proxy)?;
                return Ok(Io {
                    forwarded: true,
                    ..io.into_inner()
                });
            }
            Route::Tunnel(proxy, auth) => tunnel(dial, proxy, auth)
                .call(with_port(server))
                .await
                .map_err(through_proxy),
            Route::Socks {
                proxy,
                auth,
                local_dns,
            } => {
                let mut socks = SocksV5::new(proxy, dial).local_dns(local_dns);
                if let Some((name, password)) = auth {
                    socks = socks.with_auth(name, password);
                }
                socks.call(with_port(server)).await.map_err(through_proxy)
            }
            Route::Unknown => Err(TransportError::new(
                TransportErrorKind::Proxy,
                "its URL must begin with http:, https:, socks5: or socks5h:",
            )),
        };
        reached.map(TokioIo::into_inner)
    }
}

fn tunnel(dial: Dial, proxy: Uri, auth: Option<HeaderValue>) -> Tunnel<Dial> {
    let tunnel = Tunnel::new(proxy, dial);
    match auth {
        Some(auth) => tunnel.with_auth(auth),
        None => tunnel,
    }
}

/// `server` with the port that its scheme implies, which the tunnels would
/// otherwise guess.
fn with_port(server: &Uri) -> Uri {
    let default = match server.scheme_str() {
        Some("http") => 80,
        _ => 443,
    };
    let Some(host) = server.host().filter(|_| server.port().is_none()) else {
        return server.clone();
    };
    let mut parts = server.clone().into_parts();
    parts.authority = format!("{host}:{default}").parse().ok();
    Uri::from_parts(parts).unwrap_or_else(|_| server.clone())
}

fn through_proxy<E>(error: E) -> TransportError
where
    E: std::error::Error + Send + Sync + 'static,
{
    match find::<TransportError>(&error) {
        Some(own) => TransportError::new(TransportErrorKind::Proxy, own.clone()),
        None => TransportError::new(TransportErrorKind::Proxy, error),
    }
}

impl Dial {
    fn tcp(&mut self, to: Uri) -> impl Future<Output = Result<Io, TransportError>> + Send + use<> {
        let connecting = self.tcp.call(to);
        async move {
            match connecting.await {
                Ok(tcp) => Ok(Io {
                    layer: Layer::Tcp(tcp.into_inner()),
                    forwarded: false,
                    http2: false,
                }),
                Err(error) => Err(find::<TransportError>(&error).cloned().unwrap_or_else(|| {
                    TransportError::new(TransportErrorKind::Connect, reason(&error))
                })),
            }
        }
    }
}

impl Service<Uri> for Dial {
    type Response = TokioIo<Io>;
    type Error = TransportError;
    type Future = Connecting;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, proxy: Uri) -> Self::Future {
        let (connecting, tls) = (self.tcp(proxy.clone()), self.tls.clone());
        Box::pin(async move {
            let mut io = connecting.await?;
            if proxy.scheme_str() == Some("https") {
                let host = proxy.host().unwrap_or_default();
                io = Io::tls(tls.shake_hands(io, host).await?);
            }
            Ok(TokioIo::new(io))
        })
    }
}

impl Io {
    fn tls(stream: TlsStream<Self>) -> Self {
        Self {
            http2: stream.get_ref().1.alpn_protocol() == Some(b"h2"),
            layer: Layer::Tls(Box::new(stream)),
            forwarded: false,
        }
    }
}

impl Connection for Io {
    fn connected(&self) -> Connected {
        let connected = Connected::new().proxy(self.forwarded);
        if self.http2 {
            return connected.negotiated_h2();
        }
        // It carries one request: the pool must not keep it.
        connected.poison();
        connected
    }
}

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.get_mut().layer {
            Layer::Tcp(tcp) => Pin::new(tcp).poll_read(cx, buffer),
            Layer::Tls(tls) => match ready!(Pin::new(tls).poll_read(cx, buffer)) {
                // No close_notify. Where HTTP says how long a body is, hyper
                // sees that it was cut; where the end of the connection ends
                // it, many servers leave it out.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
                read => Poll::Ready(read),
            },
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().layer {
            Layer::Tcp(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Layer::Tls(tls) => Pin::new(tls).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().layer {
            Layer::Tcp(tcp) => Pin::new(tcp).poll_flush(cx),
            Layer::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().layer {
            Layer::Tcp(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Layer::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().layer {
            Layer::Tcp(tcp) => Pin::new(tcp).poll_write_vectored(cx, slices),
            Layer::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.layer {
            Layer::Tcp(tcp) => tcp.is_write_vectored(),
            Layer::Tls(tls) => tls.is_write_vectored(),
        }
    }
}
