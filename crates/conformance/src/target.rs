//! The hub as it is reached, and requests to it.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};
use rustls_platform_verifier::BuilderVerifierExt;
use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;
use tidings_testkit::{Answer, Http};
use url::Url;

/// A hub's URL, and how connections to it are made.
#[derive(Debug, Clone)]
pub struct Target {
    url: Url,
    /// All that its name stands for: one of them listens.
    addresses: Vec<SocketAddr>,
    tls: Option<Arc<ClientConfig>>,
    patience: Duration,
}

/// No answer, or half of one.
#[derive(Debug)]
pub struct Unreachable(String);

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unreachable {}

impl Unreachable {
    pub(crate) fn new(what: &str, error: &io::Error, patience: Duration) -> Self {
        use io::ErrorKind::{TimedOut, WouldBlock};
        Self(match error.kind() {
            TimedOut | WouldBlock => format!("{what}: nothing came within {patience:?}"),
            _ => format!("{what}: {error}"),
        })
    }
}

/// A request to the hub; its path is the hub's unless another is given.
#[derive(Debug, Clone, Default)]
pub struct Request {
    method: &'static str,
    path: Option<String>,
    query: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

/// The media type of forms.
pub const FORM: &str = "application/x-www-form-urlencoded";

impl Request {
    /// A GET with this query, encoded as it is to be sent.
    pub fn get(query: impl Into<String>) -> Self {
        Self {
            method: "GET",
            query: query.into(),
            ..Self::default()
        }
    }

    /// A POST of this form, encoded as it is to be sent.
    pub fn post(form: impl Into<Vec<u8>>) -> Self {
        Self {
            method: "POST",
            body: form.into(),
            ..Self::default()
        }
        .header("Content-Type", FORM)
    }

    /// Another method.
    #[must_use]
    pub fn method(mut self, method: &'static str) -> Self {
        self.method = method;
        self
    }

    /// Another path of the hub's origin.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// A further header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Without a header.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers
            .retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self
    }

    /// `Authorization: Bearer`, if there is a token.
    #[must_use]
    pub fn bearer(self, token: Option<&str>) -> Self {
        match token {
            Some(token) => self.header("Authorization", format!("Bearer {token}")),
            None => self,
        }
    }

    /// A body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    fn is(&self, name: &str) -> bool {
        self.headers
            .iter()
            .any(|(other, _)| other.eq_ignore_ascii_case(name))
    }
}

impl Target {
    /// The hub at `url`. Its certificate is looked at unless `insecure`.
    ///
    /// # Errors
    /// In words, for who gave the URL.
    pub fn new(url: &str, insecure: bool, patience: Duration) -> Result<Self, String> {
        let url = Url::parse(url).map_err(|error| format!("--url is no URL: {error}"))?;
        let tls = match url.scheme() {
            "http" => None,
            "https" => Some(Arc::new(trust(insecure)?)),
            _ => return Err("--url must begin with http:// or https://".into()),
        };
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err("--url has no host".into());
        };
        let host = host.trim_matches(['[', ']']);
        let addresses = (host, port)
            .to_socket_addrs()
            .map_err(|error| format!("{host} can't be resolved: {error}"))?;
        Ok(Self {
            addresses: addresses.collect(),
            url,
            tls,
            patience,
        })
    }

    /// The hub's URL, as it was given.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// How long an answer, or an event that must come, is waited for.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// `https://host:port`.
    pub fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// Sends a request on a connection of its own.
    ///
    /// # Errors
    /// [`Unreachable`].
    pub fn send(&self, request: &Request) -> Result<Http, Unreachable> {
        let mut http = self.connect()?;
        self.send_on(&mut http, request)
            .map_err(|error| self.unreachable("the request", &error))?;
        Ok(http)
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// [`Unreachable`].
    pub fn request(&self, request: &Request) -> Result<Answer, Unreachable> {
        let mut http = self.connect()?;
        self.request_on(&mut http, request)
    }

    /// Sends a request on a connection and reads the whole answer; but of an
    /// event stream, which has no end, the head.
    ///
    /// # Errors
    /// [`Unreachable`].
    pub fn request_on(&self, http: &mut Http, request: &Request) -> Result<Answer, Unreachable> {
        // A refusal may come while a large body is still being sent.
        let sent = self.send_on(http, request);
        let answer = http.answer_head().and_then(|mut answer| {
            let is_stream = answer
                .header("content-type")
                .is_some_and(|value| value.starts_with("text/event-stream"));
            let is_whole = request.method == "HEAD" || answer.status == 304 || is_stream;
            if !is_whole {
                http.read_body(&mut answer)?;
            }
            Ok(answer)
        });
        answer
            .or_else(|error| sent.and(Err(error)))
            .map_err(|error| self.unreachable("the answer", &error))
    }

    /// A connection.
    ///
    /// # Errors
    /// [`Unreachable`].
    pub fn connect(&self) -> Result<Http, Unreachable> {
        let mut connected = Err(io::Error::from(io::ErrorKind::NotFound));
        for address in &self.addresses {
            connected = Http::try_connect(*address);
            if connected.is_ok() {
                break;
            }
        }
        let connected = connected.and_then(|http| {
            http.socket().set_read_timeout(Some(self.patience))?;
            http.socket().set_write_timeout(Some(self.patience))?;
            let Some(tls) = &self.tls else {
                return Ok(http);
            };
            let host = self.url.host_str().unwrap_or_default().to_owned();
            let name = ServerName::try_from(host).map_err(io::Error::other)?;
            let connection =
                ClientConnection::new(Arc::clone(tls), name).map_err(io::Error::other)?;
            http.secure(connection)
        });
        connected.map_err(|error| self.unreachable("the connection", &error))
    }

    pub(crate) fn unreachable(&self, what: &str, error: &io::Error) -> Unreachable {
        Unreachable::new(what, error, self.patience)
    }

    fn send_on(&self, http: &mut Http, request: &Request) -> io::Result<()> {
        let mut path = match &request.path {
            Some(path) => path.clone(),
            None => self.url.path().to_owned(),
        };
        if !request.query.is_empty() {
            path = format!("{path}?{}", request.query);
        }
        let host = self.url[url::Position::BeforeHost..url::Position::AfterPort].to_owned();
        let mut headers: Vec<(&str, &str)> = Vec::new();
        if !request.is("host") {
            headers.push(("Host", &host));
        }
        headers.extend(
            request
                .headers
                .iter()
                .map(|(name, value)| (*name, value.as_str())),
        );
        http.send_request(request.method, &path, &headers, &request.body)
    }
}

fn trust(insecure: bool) -> Result<ClientConfig, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let mut config = match insecure {
        true => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anyone))
            .with_no_client_auth(),
        false => builder
            .with_platform_verifier()
            .map_err(|error| error.to_string())?
            .with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Takes every certificate: for hubs of a test, which have one of their own making.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
