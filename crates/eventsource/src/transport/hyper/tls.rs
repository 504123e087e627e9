use crate::transport::{TransportError, TransportErrorKind};
use rustls_platform_verifier::Verifier;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, CertificateError, ClientConfig, RootCertStore};

/// Shakes hands as a client that trusts who the platform trusts.
pub(super) struct Tls {
    roots: Vec<CertificateDer<'static>>,
    protocols: Vec<Vec<u8>>,
    /// Made when it is first needed: the platform's certificates are many, and
    /// plain HTTP needs none. A failure isn't kept, they may come yet.
    connector: OnceCell<TlsConnector>,
}

/// The certificates in `pem`: at least one, each such that it can be a root.
pub(super) fn roots(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TransportError> {
    let bad = |why: String| {
        let text = format!("a root certificate must be an X.509 certificate in PEM: {why}");
        TransportError::new(TransportErrorKind::Tls, text)
    };
    let roots = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| bad(error.to_string()))?;
    if roots.is_empty() {
        return Err(bad("there is none".to_owned()));
    }
    for root in &roots {
        RootCertStore::empty()
            .add(root.clone())
            .map_err(|error| bad(error.to_string()))?;
    }
    Ok(roots)
}

impl Tls {
    /// Trusts `roots` besides; offers `protocols` (ALPN), the most wanted first.
    pub(super) fn new(roots: Vec<CertificateDer<'static>>, protocols: &[&str]) -> Self {
        Self {
            roots,
            protocols: protocols
                .iter()
                .map(|one| one.as_bytes().to_vec())
                .collect(),
            connector: OnceCell::new(),
        }
    }

    /// Speaks TLS over `io` to the server that the certificate must name
    /// `host`: a DNS name, or an address, of version 6 in brackets or not.
    pub(super) async fn shake_hands<T>(
        &self,
        io: T,
        host: &str,
    ) -> Result<TlsStream<T>, TransportError>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let connector = self.connector.get_or_try_init(|| self.connector()).await?;
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let name = ServerName::try_from(host).map_err(failed)?;
        connector
            .connect(name, io)
            .await
            .map_err(|error| match certificate_error(&error) {
                Some(why) => failed(why),
                None => failed(error),
            })
    }

    async fn connector(&self) -> Result<TlsConnector, TransportError> {
        let verifier = self.verifier().await?;
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(failed)?
            // Dangerous would be another verifier than the platform's.
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        config.alpn_protocols.clone_from(&self.protocols);
        Ok(TlsConnector::from(Arc::new(config)))
    }

    /// One for all transports that trust nobody else: there may be one for
    /// each stream, and the certificates take more memory than the rest of it.
    async fn verifier(&self) -> Result<Arc<Verifier>, TransportError> {
        static OF_PLATFORM: OnceCell<Arc<Verifier>> = OnceCell::const_new();
        if !self.roots.is_empty() {
            return load(self.roots.clone()).await;
        }
        let loaded = OF_PLATFORM.get_or_try_init(|| load(Vec::new())).await?;
        Ok(loaded.clone())
    }
}

/// Reads files, of which the platform may have hundreds.
async fn load(roots: Vec<CertificateDer<'static>>) -> Result<Arc<Verifier>, TransportError> {
    let loading = move || Verifier::new_with_extra_roots(roots, provider());
    let verifier = tokio::task::spawn_blocking(loading).await.map_err(failed)?;
    verifier.map(Arc::new).map_err(failed)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// What is wrong with the server's certificate, in words of our own: the
/// library's quote the names that stand in it.
fn certificate_error(error: &std::io::Error) -> Option<&'static str> {
    use CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet,
        NotValidYetContext, Revoked, UnknownIssuer,
    };
    let inner = error.get_ref()?.downcast_ref()?;
    let rustls::Error::InvalidCertificate(error) = inner else {
        return None;
    };
    Some(match error {
        Expired | ExpiredContext { .. } => "the server's certificate has expired",
        NotValidYet | NotValidYetContext { .. } => "the server's certificate isn't valid yet",
        NotValidForName | NotValidForNameContext { .. } => {
            "the server's certificate is for another host"
        }
        Revoked => "the server's certificate was revoked",
        UnknownIssuer => "nobody who is trusted has issued the server's certificate",
        _ => "the server's certificate is not valid",
    })
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> TransportError {
    TransportError::new(TransportErrorKind::Tls, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_must_be_a_certificate() {
        let check = |pem: &str| {
            let error = roots(pem.as_bytes()).expect_err("no root");
            assert_eq!(error.kind, TransportErrorKind::Tls);
            assert!(!error.to_string().contains("AAAA"), "{error}");
        };
        check("");
        check("AAAA");
        check("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        check("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n");
    }
}
