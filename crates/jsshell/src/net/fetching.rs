//! What a page may fetch and how: the Fetch standard, as far as `fetch()` of
//! the realm has it.

use super::cors;
use bytes::Bytes;
use http::header::{
    ACCEPT, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, LOCATION, ORIGIN,
    SET_COOKIE,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tidings_eventsource::protocol::rules::{
    cors_check, drop_credentials, is_redirect, redirect_request,
};
use tidings_eventsource::protocol::{Head, Request};
use tidings_eventsource::transport::{Body, Response, Transport};
use url::{Origin, Url};

const MAX_REDIRECTS: usize = 20;

/// What a script asked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub url: Url,
    pub method: Method,
    pub headers: HeaderMap,
    pub body: Option<Bytes>,
    pub mode: Mode,
    pub credentials: Credentials,
    pub redirect: Redirect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Cors,
    NoCors,
    SameOrigin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credentials {
    Omit,
    SameOrigin,
    Include,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redirect {
    Follow,
    Error,
    Manual,
}

/// A response as the script sees it.
pub struct Fetched {
    /// `basic`, `cors`, `opaque` or `opaqueredirect`.
    pub kind: &'static str,
    /// Where it came from.
    pub url: Url,
    pub redirected: bool,
    pub head: Head,
    pub body: Body,
}

/// A network error. Scripts see a TypeError and not more; the words are for who
/// reads the shell's output.
pub type Refusal = &'static str;

/// Fetches for a page of `origin`.
pub async fn fetch(
    transport: &dyn Transport,
    origin: &Origin,
    wanted: Wanted,
) -> Result<Fetched, Refusal> {
    let mut fetching = Fetching {
        origin,
        crossed: false,
        tainted: false,
        wanted,
    };
    for hops in 0..=MAX_REDIRECTS {
        let is_cross = fetching.enter()?;
        if is_cross && fetching.wanted.mode == Mode::Cors && fetching.needs_preflight() {
            fetching.preflight(transport).await?;
        }
        let sent = transport.send(fetching.request()).await;
        let response = sent.map_err(|_| "the network failed")?;
        fetching.check(&response.head)?;
        match (fetching.target(&response.head)?, fetching.wanted.redirect) {
            (None, _) => return Ok(fetching.done(response, hops > 0)),
            (Some(_), Redirect::Error) => return Err("it was redirected"),
            (Some(_), Redirect::Manual) => return Ok(fetching.opaque_redirect(response)),
            (Some(target), Redirect::Follow) => fetching.follow(target, response.head.status)?,
        }
    }
    Err("there were too many redirects")
}

struct Fetching<'a> {
    origin: &'a Origin,
    /// Whether a request went to another origin than the page's.
    crossed: bool,
    /// "Tainted origin": another origin redirected to a third.
    tainted: bool,
    wanted: Wanted,
}

impl Fetching<'_> {
    /// Whether the next request is one of another origin, if it may be.
    fn enter(&mut self) -> Result<bool, Refusal> {
        if !matches!(self.wanted.url.scheme(), "http" | "https") {
            return Err("the URL's scheme is not http or https");
        }
        self.crossed |= self.wanted.url.origin() != *self.origin;
        if self.crossed && self.wanted.mode == Mode::SameOrigin {
            return Err("it leads to another origin");
        }
        Ok(self.crossed)
    }

    fn with_credentials(&self) -> bool {
        match self.wanted.credentials {
            Credentials::Omit => false,
            Credentials::SameOrigin => !self.crossed,
            Credentials::Include => true,
        }
    }

    /// What `Origin` says.
    fn origin(&self) -> HeaderValue {
        let own = (!self.tainted).then(|| HeaderValue::try_from(self.origin.ascii_serialization()));
        own.and_then(Result::ok)
            .unwrap_or(HeaderValue::from_static("null"))
    }

    fn request(&self) -> Request {
        let wanted = &self.wanted;
        let mut headers = wanted.headers.clone();
        headers
            .entry(ACCEPT)
            .or_insert(HeaderValue::from_static("*/*"));
        let is_read = matches!(wanted.method, Method::GET | Method::HEAD);
        if !is_read || (self.crossed && wanted.mode == Mode::Cors) {
            headers.insert(ORIGIN, self.origin());
        }
        let mut url = wanted.url.clone();
        url.set_fragment(None);
        Request {
            method: wanted.method.clone(),
            url,
            headers,
            body: wanted.body.clone(),
            cookies: self.with_credentials(),
        }
    }

    fn needs_preflight(&self) -> bool {
        !cors::is_simple(&self.wanted.method, &self.wanted.headers)
    }

    /// "CORS-preflight fetch".
    async fn preflight(&self, transport: &dyn Transport) -> Result<(), Refusal> {
        let wanted = &self.wanted;
        let names = cors::unsafe_names(&wanted.headers);
        let names: Vec<_> = names.into_iter().map(|name| name.as_str()).collect();
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(ORIGIN, self.origin());
        let lines = [
            (ACCESS_CONTROL_REQUEST_METHOD, wanted.method.to_string()),
            (ACCESS_CONTROL_REQUEST_HEADERS, names.join(",")),
        ];
        for (name, value) in lines {
            if let (false, Ok(value)) = (value.is_empty(), HeaderValue::try_from(value)) {
                headers.insert(name, value);
            }
        }
        let mut request = self.request();
        request.method = Method::OPTIONS;
        request.headers = headers;
        request.body = None;
        request.cookies = false;
        let sent = transport.send(request).await;
        let head = sent
            .map_err(|_| "the network failed before the preflight's answer")?
            .head;
        let with_credentials = wanted.credentials == Credentials::Include;
        let allowed = head.status.is_success()
            && cors_check(&head.headers, &self.origin(), with_credentials)
            && cors::preflight_allows(
                &head.headers,
                &wanted.method,
                &wanted.headers,
                with_credentials,
            );
        if allowed {
            Ok(())
        } else {
            Err("the preflight's answer doesn't allow it")
        }
    }

    fn check(&self, head: &Head) -> Result<(), Refusal> {
        let needed = self.crossed && self.wanted.mode == Mode::Cors;
        if !needed || cors_check(&head.headers, &self.origin(), self.with_credentials()) {
            return Ok(());
        }
        Err("the server doesn't allow this origin to read its response")
    }

    /// Where a response redirects to, if it does.
    fn target(&self, head: &Head) -> Result<Option<Url>, Refusal> {
        let is_redirect = is_redirect(head.status);
        let Some(location) = head.headers.get(LOCATION).filter(|_| is_redirect) else {
            return Ok(None);
        };
        let location = String::from_utf8_lossy(location.as_bytes());
        let target = self.wanted.url.join(&location);
        target.map(Some).map_err(|_| "its redirect leads nowhere")
    }

    /// "HTTP-redirect fetch".
    fn follow(&mut self, target: Url, status: StatusCode) -> Result<(), Refusal> {
        let wanted = &mut self.wanted;
        let elsewhere = target.origin() != wanted.url.origin();
        let has_credentials = !target.username().is_empty() || target.password().is_some();
        if has_credentials && wanted.mode == Mode::Cors && target.origin() != *self.origin {
            return Err("its redirect has credentials in the URL");
        }
        redirect_request(
            status,
            &mut wanted.method,
            &mut wanted.headers,
            &mut wanted.body,
        );
        if elsewhere {
            drop_credentials(&mut wanted.headers);
            self.tainted |= wanted.url.origin() != *self.origin;
        }
        wanted.url = target;
        Ok(())
    }

    fn done(self, mut response: Response, redirected: bool) -> Fetched {
        let kind = match (self.crossed, self.wanted.mode) {
            (false, _) => "basic",
            (true, Mode::NoCors) => "opaque",
            (true, _) => "cors",
        };
        let with_credentials = self.with_credentials();
        let all = response.head.headers.clone();
        let visible = |name| match kind {
            "basic" => true,
            "cors" => cors::is_exposed(&all, name, with_credentials),
            _ => false,
        };
        response.head.headers = all
            .iter()
            .filter(|(name, _)| **name != SET_COOKIE && visible(*name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let Response { head, body } = response;
        Fetched {
            kind,
            url: self.wanted.url,
            redirected,
            head,
            body,
        }
    }

    fn opaque_redirect(self, mut response: Response) -> Fetched {
        response.head.headers.clear();
        let Response { head, body } = response;
        Fetched {
            kind: "opaqueredirect",
            url: self.wanted.url,
            redirected: false,
            head,
            body,
        }
    }
}
