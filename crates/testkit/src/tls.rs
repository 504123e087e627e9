//! A hub's certificate, and those who trust it.

use crate::http::Http;
use crate::hub::Launch;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;

/// A certificate for `localhost` and its key, in files.
#[derive(Debug)]
pub struct Identity {
    directory: TempDir,
    certificate: CertificateDer<'static>,
}

impl Identity {
    /// A new one.
    ///
    /// # Panics
    /// If there is no room for temporary files.
    pub fn new() -> Self {
        let mut own = Self {
            directory: tempfile::tempdir().expect("a directory"),
            certificate: CertificateDer::from(Vec::new()),
        };
        own.renew();
        own
    }

    /// Puts another certificate and another key into the files.
    ///
    /// # Panics
    /// If there is no room for temporary files.
    pub fn renew(&mut self) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
        let made = made.expect("a certificate");
        self.certificate = made.cert.der().clone();
        std::fs::write(self.certificate_file(), made.cert.pem()).expect("a file");
        std::fs::write(self.key_file(), made.signing_key.serialize_pem()).expect("a file");
        let secret = PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(self.key_file(), secret).expect("a file of ours");
    }

    /// The file of the certificate.
    pub fn certificate_file(&self) -> PathBuf {
        self.directory.path().join("certificate.pem")
    }

    /// The file of the key.
    pub fn key_file(&self) -> PathBuf {
        self.directory.path().join("key.pem")
    }

    /// The certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// A hub that also listens for HTTPS, on a free port, and shows it.
    #[must_use]
    pub fn shown_by(&self, launch: Launch) -> Launch {
        launch
            .env("TIDINGS_TLS_LISTEN", "127.0.0.1:0")
            .env(
                "TIDINGS_TLS_CERTIFICATE",
                self.certificate_file().display().to_string(),
            )
            .env("TIDINGS_TLS_KEY", self.key_file().display().to_string())
    }

    /// Those who trust this certificate alone.
    pub fn trusted(&self) -> Trust {
        Trust::new(self.certificate.clone(), &[&TLS13, &TLS12])
    }

    /// The same, with TLS 1.2 alone.
    pub fn trusted_by_old(&self) -> Trust {
        Trust::new(self.certificate.clone(), &[&TLS12])
    }
}

impl Default for Identity {
    fn default() -> Self {
        Self::new()
    }
}

/// How TLS connections are made. Tickets are remembered.
#[derive(Debug, Clone)]
pub struct Trust {
    /// What rustls is told.
    pub config: ClientConfig,
}

impl Trust {
    fn new(
        certificate: CertificateDer<'static>,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(certificate).expect("a certificate");
        let builder = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into());
        let mut config = builder
            .with_protocol_versions(versions)
            .expect("versions that are known")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self { config }
    }

    /// One connection that has not begun.
    ///
    /// # Panics
    /// If rustls can't.
    pub fn connection(&self) -> ClientConnection {
        let name = ServerName::try_from("localhost").expect("a name");
        ClientConnection::new(Arc::new(self.config.clone()), name).expect("a configuration")
    }

    /// Connects.
    ///
    /// # Errors
    /// What the system says, or why there is no TLS connection.
    pub fn connect(&self, address: SocketAddr) -> io::Result<Http> {
        Http::try_connect(address)?.secure(self.connection())
    }
}
