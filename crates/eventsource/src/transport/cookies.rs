//! Cookies, for who wants what a browser has (R1, R8).

use super::{Sending, Transport};
use crate::protocol::Request;
use cookie_store::{Cookie, CookieStore, RawCookie};
use http::{HeaderMap, HeaderValue, header};
use std::cmp::Reverse;
use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use url::Url;

/// RFC 6265, 6.1: what a user agent should be able to keep, which is what this
/// one keeps.
const MAX_COOKIE: usize = 4096;
const MAX_PER_DOMAIN: usize = 50;
const MAX_COOKIES: usize = 3000;

/// Cookies by the rules of RFC 6265. Cheap to clone; clones are the same jar.
///
/// It holds 3000 cookies, 50 for a domain, each of 4096 bytes at most; what is
/// beyond is not kept. `SameSite` is not looked at: whether cookies go along is
/// the [`Request`]'s to say. It knows no public suffixes but top-level domains,
/// so a host below `co.uk` may set a cookie for all of it.
#[derive(Clone, Default)]
pub struct Jar {
    store: Arc<Mutex<CookieStore>>,
}

/// A transport that sends the cookies of a [`Jar`] and keeps those that come,
/// of redirects too, where [`Request::cookies`] says so.
#[derive(Debug, Clone)]
pub struct WithCookies<T> {
    transport: T,
    jar: Jar,
}

impl Jar {
    /// An empty jar.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a cookie as a page at `url` does by `document.cookie`: `cookie` is
    /// written as in `Set-Cookie`. What isn't a cookie, is for another host or
    /// is `HttpOnly`, or would replace one that is, is ignored.
    pub fn set(&self, cookie: &str, url: &Url) {
        put(&mut self.lock(), cookie, url, Api::Script);
    }

    /// The cookies that a page at `url` sees in `document.cookie`: all that
    /// would be sent to it but the `HttpOnly` ones, as `a=1; b=2`.
    pub fn get(&self, url: &Url) -> String {
        pairs(&self.lock(), url, Api::Script)
    }

    /// Forgets all cookies.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Adds what is to be sent with a request to `url`.
    fn add_to(&self, headers: &mut HeaderMap, url: &Url) {
        let pairs = pairs(&self.lock(), url, Api::Http);
        if pairs.is_empty() {
            return;
        }
        // One header, whatever there was (RFC 6265, 5.4).
        let mut value = Vec::new();
        for own in headers.get_all(header::COOKIE) {
            value.extend_from_slice(own.as_bytes());
            value.extend_from_slice(b"; ");
        }
        value.extend_from_slice(pairs.as_bytes());
        if let Ok(mut value) = HeaderValue::from_bytes(&value) {
            value.set_sensitive(true);
            headers.insert(header::COOKIE, value);
        }
    }

    /// Keeps what came with a response from `url`.
    fn keep(&self, headers: &HeaderMap, url: &Url) {
        let mut store = self.lock();
        for value in headers.get_all(header::SET_COOKIE) {
            if let Ok(cookie) = std::str::from_utf8(value.as_bytes()) {
                put(&mut store, cookie, url, Api::Http);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, CookieStore> {
        // Nothing in here panics while it holds the lock.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Jar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Cookies are secrets.
        f.debug_struct("Jar").finish_non_exhaustive()
    }
}

impl<T: Transport> WithCookies<T> {
    /// `transport`, with the cookies of `jar`.
    pub fn new(transport: T, jar: Jar) -> Self {
        Self { transport, jar }
    }
}

impl<T: Transport> Transport for WithCookies<T> {
    fn send(&self, mut request: Request) -> Sending {
        if !request.cookies {
            return self.transport.send(request);
        }
        self.jar.add_to(&mut request.headers, &request.url);
        let (jar, url) = (self.jar.clone(), request.url.clone());
        let sending = self.transport.send(request);
        Box::pin(async move {
            let response = sending.await?;
            jar.keep(&response.head.headers, &url);
            Ok(response)
        })
    }
}

/// Who asks: a script sees and sets no `HttpOnly` cookie.
#[derive(Clone, Copy, PartialEq)]
enum Api {
    Http,
    Script,
}

fn put(store: &mut CookieStore, cookie: &str, url: &Url, api: Api) {
    // Such a character would make the header that it is sent in invalid, and
    // take the other cookies with it.
    if cookie.len() > MAX_COOKIE || cookie.chars().any(|c| c.is_control() && c != '\t') {
        return;
    }
    let Ok(raw) = RawCookie::parse(cookie) else {
        return;
    };
    let whole_top_level = raw.domain().is_some_and(|domain| {
        let domain = domain.trim_matches('.');
        !domain.contains('.') && url.host_str() != Some(domain)
    });
    let Ok(cookie) = Cookie::try_from_raw_cookie(&raw, url) else {
        return;
    };
    let before = cookie
        .domain
        .as_cow()
        .and_then(|domain| store.get_any(&domain, &cookie.path, cookie.name()));
    let hidden = is_http_only(&cookie) || before.is_some_and(is_http_only);
    let replaces = before.is_some();
    if whole_top_level || (api == Api::Script && hidden) {
        return;
    }
    if replaces || has_room(store, &cookie) {
        // What it refuses is for another host, or has expired.
        let _ = store.insert(cookie.into_owned(), url);
    }
}

fn has_room(store: &mut CookieStore, cookie: &Cookie<'_>) -> bool {
    let fits = |store: &CookieStore| {
        let (mut all, mut of_domain) = (0, 0);
        for one in store.iter_any() {
            all += 1;
            of_domain += usize::from(one.domain == cookie.domain);
        }
        all < MAX_COOKIES && of_domain < MAX_PER_DOMAIN
    };
    if fits(store) {
        return true;
    }
    // What has expired stays in the store until somebody throws it out.
    let valid = store.iter_unexpired().cloned().map(Ok::<_, Infallible>);
    let Ok(valid) = CookieStore::from_cookies(valid, false);
    *store = valid;
    fits(store)
}

fn pairs(store: &CookieStore, url: &Url, api: Api) -> String {
    let mut cookies = store.matches(url);
    cookies.retain(|cookie| api == Api::Http || !is_http_only(cookie));
    // RFC 6265, 5.4: longer paths first, and then the older.
    cookies.sort_by_key(|cookie| Reverse(cookie.path.len()));
    let pairs: Vec<String> = cookies
        .iter()
        .map(|cookie| cookie.stripped().to_string())
        .collect();
    pairs.join("; ")
}

fn is_http_only(cookie: &Cookie<'_>) -> bool {
    cookie.http_only() == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::{Runtime, VirtualRuntime};

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    #[test]
    fn cookies_go_where_they_belong() {
        let check = |from: &str, set: &str, to: &str, expected: &str| {
            let jar = Jar::new();
            jar.set(set, &url(from));
            assert_eq!(jar.get(&url(to)), expected, "{set:?} from {from} to {to}");
        };
        let a = "http://a.test/x/y";
        check(a, "k=v", a, "k=v");
        check(a, "k=v", "http://a.test:81/x/", "k=v");
        check(a, "k=v", "http://a.test/", "");
        check(a, "k=v; Path=/", "http://a.test/", "k=v");
        check(a, "k=v; Path=/", "http://b.a.test/", "");
        check(a, "k=v; Path=/; Domain=a.test", "http://b.a.test/", "k=v");
        check(
            "http://b.a.test/",
            "k=v; Domain=a.test",
            "http://a.test/",
            "k=v",
        );
        check(a, "k=v; Path=/; Domain=b.test", "http://b.test/", "");
        check(a, "k=v; Path=/; Domain=test", "http://b.test/", "");
        check("http://test/", "k=v; Domain=test", "http://test/", "k=v");
        check(a, "k=v; Path=/; Secure", "http://a.test/", "");
        check("https://a.test/", "k=v; Secure", "https://a.test/", "k=v");
        check(a, "k=v; Max-Age=0", a, "");
        check(a, "k=v; Expires=Thu, 01 Jan 1970 00:00:00 GMT", a, "");
        check(a, "k=v; HttpOnly", a, "");
        check(a, "", a, "");
        check(a, "no pair", a, "");
        check(a, "=v", a, "");
        check(a, "k=v\r\nx: y", a, "");
        check(a, "k=v\u{7f}", a, "");
        check(a, "k=ä; Path=/x", a, "k=ä");
        check("data:,x", "k=v", "data:,x", "");
    }

    #[test]
    fn a_script_sees_and_changes_no_http_only_cookie() {
        let jar = Jar::new();
        let page = url("http://a.test/");
        let mut headers = HeaderMap::new();
        headers.append(
            header::SET_COOKIE,
            HeaderValue::from_static("k=server; HttpOnly"),
        );
        jar.keep(&headers, &page);
        jar.set("k=script", &page);
        jar.set("k=script; HttpOnly", &page);
        jar.set("k=; Max-Age=0", &page);
        assert_eq!(jar.get(&page), "");
        let mut sent = HeaderMap::new();
        jar.add_to(&mut sent, &page);
        assert_eq!(sent[header::COOKIE], "k=server");
    }

    #[test]
    fn longer_paths_come_first_and_then_the_older() {
        let jar = Jar::new();
        let page = url("http://a.test/x/y");
        for cookie in ["z=1; Path=/", "b=2; Path=/x", "a=3; Path=/", "z=4; Path=/"] {
            jar.set(cookie, &page);
        }
        assert_eq!(jar.get(&page), "b=2; z=4; a=3");
    }

    /// Whatever a server sends: no panic, and what is kept can be sent.
    #[test]
    fn what_is_kept_can_be_sent() {
        const PARTS: [&str; 24] = [
            "k",
            "v",
            "=",
            ";",
            " ",
            "\t",
            ",",
            "\"",
            "%",
            "ä",
            "\u{85}",
            "Path",
            "/",
            "Domain",
            "a.test",
            ".",
            "Max-Age",
            "-1",
            "99999999999999999999",
            "Expires",
            "Wed, 30 Feb 2101 25:61:61 GMT",
            "HttpOnly",
            "Secure",
            "SameSite",
        ];
        const SEED: u64 = 3;
        println!("seed {SEED}");
        let random = VirtualRuntime::new(SEED);
        let page = url("https://a.test/");
        let mut kept = 0;
        for _ in 0..20_000 {
            let jar = Jar::new();
            let length = random.seed() % 24;
            let cookie: String = (0..length)
                .map(|_| PARTS[random.seed() as usize % PARTS.len()])
                .collect();
            let mut headers = HeaderMap::new();
            if let Ok(value) = HeaderValue::from_bytes(cookie.as_bytes()) {
                headers.insert(header::SET_COOKIE, value);
            }
            jar.keep(&headers, &page);
            let pairs = pairs(&jar.lock(), &page, Api::Http);
            let mut sent = HeaderMap::new();
            jar.add_to(&mut sent, &page);
            let sent = sent.get(header::COOKIE).map(HeaderValue::as_bytes);
            assert_eq!(sent.unwrap_or_default(), pairs.as_bytes(), "{cookie:?}");
            kept += usize::from(!pairs.is_empty());
        }
        assert!(kept > 1000, "only {kept} were kept");
    }

    #[test]
    fn it_holds_no_more_than_it_says() {
        let jar = Jar::new();
        let page = url("http://a.test/");
        for number in 0..2 * MAX_PER_DOMAIN {
            jar.set(&format!("k{number}=v"), &page);
        }
        jar.set("k0=changed", &page);
        let held = jar.get(&page);
        assert_eq!(held.split("; ").count(), MAX_PER_DOMAIN);
        assert!(held.starts_with("k0=changed; k1=v"), "{held}");

        jar.set("k1=; Max-Age=0", &page);
        jar.set("new=v", &page);
        assert!(jar.get(&page).ends_with("new=v"));

        jar.set(&format!("long={}", "x".repeat(MAX_COOKIE)), &page);
        assert!(!jar.get(&page).contains("long"));
        for number in 0..MAX_COOKIES {
            jar.set("k=v", &url(&format!("http://h{number}.test/")));
        }
        assert_eq!(jar.lock().iter_any().count(), MAX_COOKIES);
        jar.clear();
        assert_eq!(jar.get(&page), "");
    }
}
