//! Fetching documents of keys, from the URLs of the configuration and nowhere
//! else.

use futures_util::StreamExt;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use std::fmt;
use std::time::Duration;
use tidings_auth::key::cache::FLIGHT_MS;
use tidings_auth::key::jwks::MAX_BYTES;
use tidings_eventsource::protocol::Request;
use tidings_eventsource::transport::{Hyper, Response, Transport, TransportError};
use tokio::time::timeout;
use url::{Origin, Url};

/// How long one may take, with all its redirects.
const PATIENCE: Duration = Duration::from_secs(10);
// Or it would be taken for one that has ended.
const _: () = assert!(PATIENCE.as_millis() < FLIGHT_MS as u128);
/// How many redirects are followed, within one origin.
const MAX_REDIRECTS: usize = 3;

/// Fetches documents.
pub struct Fetcher {
    transport: Box<dyn Transport>,
}

/// Why a document could not be fetched. It holds nothing of what was answered.
#[derive(Debug)]
pub enum FetchError {
    /// No answer, or a broken one.
    Transport(TransportError),
    /// It took longer than 10 s.
    TooSlow,
    /// Another status than 200.
    Status(StatusCode),
    /// A redirect to another origin, to nowhere, or one too many.
    Redirect,
    /// Longer than a document may be.
    TooLong,
    /// The URL can't be asked.
    Url,
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(error) => error.fmt(f),
            Self::TooSlow => write!(f, "it did not come within {PATIENCE:?}"),
            Self::Status(status) => write!(f, "the answer is {}, not 200", status.as_u16()),
            Self::Redirect => f.write_str(
                "the answer is a redirect that isn't followed: to another origin, or one too many",
            ),
            Self::TooLong => f.write_str("it is longer than 256 KiB"),
            Self::Url => f.write_str("its URL can't be asked"),
        }
    }
}

impl Fetcher {
    /// Over HTTP and HTTPS, trusting the roots of the platform; through a proxy
    /// if the environment names one.
    pub fn new() -> Self {
        let transport = Hyper::builder()
            .connect_timeout(PATIENCE / 2)
            .compression(false)
            .build();
        Self {
            transport: Box::new(transport),
        }
    }

    /// With another transport.
    #[cfg(test)]
    pub fn over(transport: impl Transport) -> Self {
        Self {
            transport: Box::new(transport),
        }
    }

    /// Gets a document.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn get(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        let url = Url::parse(url).map_err(|_| FetchError::Url)?;
        match timeout(PATIENCE, self.follow(url)).await {
            Ok(result) => result,
            Err(_) => Err(FetchError::TooSlow),
        }
    }

    async fn follow(&self, mut url: Url) -> Result<Vec<u8>, FetchError> {
        let origin = url.origin();
        for _ in 0..=MAX_REDIRECTS {
            url.set_fragment(None);
            let response = self.transport.send(request(url.clone())).await;
            let response = response.map_err(FetchError::Transport)?;
            match response.head.status {
                StatusCode::OK => return body(response).await,
                status if status.is_redirection() => {
                    url = target(&url, &origin, &response.head.headers)?;
                }
                status => return Err(FetchError::Status(status)),
            }
        }
        Err(FetchError::Redirect)
    }
}

fn request(url: Url) -> Request {
    let mut headers = HeaderMap::new();
    let accept = HeaderValue::from_static("application/jwk-set+json, application/json");
    headers.insert(header::ACCEPT, accept);
    Request {
        method: Method::GET,
        url,
        headers,
        body: None,
        cookies: false,
    }
}

/// Where a redirect leads, if that is the same origin.
fn target(from: &Url, origin: &Origin, headers: &HeaderMap) -> Result<Url, FetchError> {
    let location = headers.get(header::LOCATION);
    let location = location.and_then(|value| value.to_str().ok());
    let target = location.and_then(|location| from.join(location).ok());
    target
        .filter(|target| target.origin() == *origin)
        .ok_or(FetchError::Redirect)
}

async fn body(response: Response) -> Result<Vec<u8>, FetchError> {
    let mut body = response.body;
    let mut all = Vec::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(FetchError::Transport)?;
        if all.len() + chunk.len() > MAX_BYTES {
            return Err(FetchError::TooLong);
        }
        all.extend_from_slice(&chunk);
    }
    Ok(all)
}

/// The origin of a document, for the log: the rest of its URL may be secret.
pub fn origin(url: &str) -> String {
    Url::parse(url).map_or_else(|_| String::new(), |url| url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// A server that answers what stands under a path, and how often it was
    /// asked. `HERE` in an answer is its own URL.
    async fn server(answers: Vec<(&'static str, String)>) -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let here = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::new(AtomicUsize::new(0));
        let (url, count) = (here.clone(), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.expect("a request"));
                }
                let head = String::from_utf8(head).expect("text");
                let path = head.split(' ').nth(1).expect("a target");
                let found = answers.iter().find(|(own, _)| *own == path);
                let answer = found.map_or("", |(_, answer)| answer);
                let _ = stream
                    .write_all(answer.replace("HERE", &here).as_bytes())
                    .await;
            }
        });
        (url, asked)
    }

    fn answer(status: &str, more: &str, body: &str) -> String {
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\n{more}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
    }

    #[tokio::test]
    async fn f27_only_a_whole_answer_of_the_same_origin_is_a_document() {
        let (other, asked) = server(vec![("/", answer("200 OK", "", "evil"))]).await;
        let redirect = |to: &str| answer("302 Found", &format!("Location: {to}\r\n"), "");
        let long = "x".repeat(MAX_BYTES + 1);
        let chunked = format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40001\r\n{long}\r\n0\r\n\r\n"
        );
        let (url, _) = server(vec![
            ("/keys", answer("200 OK", "", "{}")),
            ("/moved", redirect("HERE/keys")),
            ("/relative", redirect("keys")),
            ("/loop", redirect("/loop")),
            ("/away", redirect(&other)),
            ("/upgrade", redirect(&other.replace("http", "https"))),
            ("/file", redirect("file:///etc/passwd")),
            ("/nowhere", answer("302 Found", "", "")),
            ("/none", answer("404 Not Found", "", "{}")),
            ("/empty", answer("204 No Content", "", "")),
            ("/broken", answer("200 OK", "", "{}").replace(": 2", ": 9")),
            ("/long", answer("200 OK", "", &long)),
            ("/chunked", chunked),
            ("/full", answer("200 OK", "", &long[1..])),
        ])
        .await;
        let fetcher = Fetcher::new();
        for (path, expected) in [
            ("/keys", Ok(2)),
            ("/keys#part", Ok(2)),
            ("/moved", Ok(2)),
            ("/relative", Ok(2)),
            ("/loop", Err("redirect")),
            ("/away", Err("redirect")),
            ("/upgrade", Err("redirect")),
            ("/file", Err("redirect")),
            ("/nowhere", Err("redirect")),
            ("/none", Err("404, not 200")),
            ("/empty", Err("204, not 200")),
            ("/broken", Err("")),
            ("/garbage", Err("")),
            ("/long", Err("256 KiB")),
            ("/chunked", Err("256 KiB")),
            ("/full", Ok(MAX_BYTES)),
        ] {
            let got = fetcher.get(&format!("{url}{path}")).await;
            match (&got, expected) {
                (Ok(document), Ok(length)) => assert_eq!(document.len(), length, "{path}"),
                (Err(error), Err(part)) => {
                    assert!(error.to_string().contains(part), "{path}: {error}");
                }
                _ => panic!("{path}: {got:?}"),
            }
        }
        assert_eq!(
            asked.load(Ordering::SeqCst),
            0,
            "the other origin was asked"
        );
    }

    /// P26: the path and the query of a URL may be secret.
    #[test]
    fn p26_the_log_has_the_origin_only() {
        assert_eq!(
            origin("https://id.example/canary?canary"),
            "https://id.example"
        );
    }
}
