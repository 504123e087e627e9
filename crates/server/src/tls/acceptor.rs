//! Taking connections in with TLS, by a certificate that can be exchanged.

use super::credentials::Credentials;
use super::records::Records;
use super::stream::TlsStream;
use crate::config::{self, Config, ConfigErrors};
use crate::http1::Refusal;
use rustls::crypto::aws_lc_rs;
use rustls::server::NoServerSessionStorage;
use rustls::sign::SingleCertAndKey;
use rustls::{ServerConfig, version};
use std::fmt;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a handshake may take, from the first byte on.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// What the hub's TLS listeners share.
pub struct Acceptor {
    files: config::Tls,
    current: RwLock<Arc<ServerConfig>>,
}

impl Acceptor {
    /// Reads the files that the configuration names; `None` if it names none.
    /// Also answers what deserves a second thought about them, a sentence each.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn load(config: &Config) -> Result<Option<(Self, Vec<String>)>, ConfigErrors> {
        if config.tls.listen.is_empty() {
            return Ok(None);
        }
        let (current, warnings) = load(&config.tls)?;
        let acceptor = Self {
            files: config.tls.clone(),
            current: RwLock::new(current),
        };
        Ok(Some((acceptor, warnings)))
    }

    /// Reads the files again: who connects from now on gets what they hold.
    /// Connections that are open stay as they are.
    ///
    /// # Errors
    /// What is wrong with which file; then nothing has changed.
    pub fn reload(&self) -> Result<Vec<String>, ConfigErrors> {
        let (config, warnings) = load(&self.files)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(warnings)
    }

    /// What new connections get.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Goes through with the handshake.
    ///
    /// # Errors
    /// Why there is no connection; the socket is closed then.
    pub async fn accept(&self, socket: TcpStream) -> Result<TlsStream<TcpStream>, HandshakeError> {
        let records = Records::new(self.config()).map_err(HandshakeError::Failed)?;
        let mut stream = TlsStream::new(socket, records);
        match timeout(HANDSHAKE, stream.handshake()).await {
            Ok(Ok(())) => Ok(stream),
            Err(_) => Err(HandshakeError::TooSlow),
            Ok(Err(_)) if stream.begins_like_http() => {
                let mut socket = stream.into_socket();
                // Both fit into an empty socket; who doesn't read it has gone.
                let _ = socket.try_write(&Refusal::NotTls.response());
                let _ = socket.shutdown().await;
                Err(HandshakeError::NotTls)
            }
            Ok(Err(error)) => Err(HandshakeError::Failed(error)),
        }
    }
}

/// Why a connection did not come about.
#[derive(Debug)]
pub enum HandshakeError {
    /// It took longer than 10 s.
    TooSlow,
    /// It began with a request of HTTP instead.
    NotTls,
    /// The peer gave up, the two have nothing in common, or it breaks the
    /// protocol.
    Failed(io::Error),
}

impl HandshakeError {
    /// For the metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TooSlow => "timeout",
            Self::NotTls => "plain-http",
            Self::Failed(error) => match error.kind() {
                io::ErrorKind::InvalidData => "protocol",
                _ => "closed",
            },
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooSlow => write!(f, "the handshake took longer than {HANDSHAKE:?}"),
            Self::NotTls => f.write_str("the peer speaks HTTP without TLS"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for HandshakeError {}

/// A configuration of its own for each reading of the files: tickets of before
/// open nothing, so that every handshake afterwards shows the new certificate.
fn load(files: &config::Tls) -> Result<(Arc<ServerConfig>, Vec<String>), ConfigErrors> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let Credentials { key, warnings } = Credentials::read(files, &provider)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .expect("the provider has suites for both versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // What is remembered of a peer stands in its tickets, whose keys change
    // every six hours; without them, for want of random numbers, every
    // handshake is a full one.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    if let Ok(ticketer) = aws_lc_rs::Ticketer::new() {
        config.ticketer = ticketer;
    }
    // A publish that somebody recorded could be played again.
    config.max_early_data_size = 0;
    Ok((Arc::new(config), warnings))
}
