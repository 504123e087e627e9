//! HTTPS with a certificate that is made when the example starts. No browser
//! knows it: it asks whether to go on.

use axum::serve::Listener;
use rustls::ServerConfig;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

const HANDSHAKE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);

/// A listener of connections whose handshakes are done.
pub struct Secure {
    address: SocketAddr,
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
}

impl Secure {
    pub fn new(listener: TcpListener) -> Result<Self, Box<dyn Error>> {
        let acceptor = TlsAcceptor::from(Arc::new(config()?));
        let address = listener.local_addr()?;
        let (done, ready) = mpsc::channel(16);
        tokio::spawn(async move {
            loop {
                let Ok((socket, peer)) = listener.accept().await else {
                    // There may be no descriptor left for now.
                    tokio::time::sleep(PAUSE).await;
                    continue;
                };
                // Handshakes go on side by side: who is slow keeps nobody waiting.
                let (acceptor, done) = (acceptor.clone(), done.clone());
                tokio::spawn(async move {
                    let shaken = tokio::time::timeout(HANDSHAKE, acceptor.accept(socket)).await;
                    if let Ok(Ok(stream)) = shaken {
                        // Nobody listens any more only when the example ends.
                        let _ = done.send((stream, peer)).await;
                    }
                });
            }
        });
        Ok(Self { address, ready })
    }
}

/// For localhost; with HTTP/2, which browsers speak over TLS only.
fn config() -> Result<ServerConfig, Box<dyn Error>> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.into()], key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

impl Listener for Secure {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(connection) => connection,
            // Its task goes on for as long as the process.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}
