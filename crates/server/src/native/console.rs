//! The console: the files of the build of `web/console`, as they are. It is a
//! page like any other: what it shows it asks the hub for, with a token of its
//! own where one is needed, so that its files are for everybody.

use crate::http::{Code, Problem, Reply, accept, respond};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, ETAG, HeaderValue, IF_NONE_MATCH,
    LOCATION, REFERRER_POLICY, VARY,
};
use http::{HeaderMap, StatusCode};
use rust_embed::RustEmbed;
use std::collections::HashMap;
use std::io::Write;
use std::sync::LazyLock;

/// Where the console is.
pub const PATH: &str = "/console/";
/// The same without its last slash, as people type it.
pub const BARE_PATH: &str = "/console";

/// Scripts, styles and connections of its own only: it shows what anyone may
/// publish.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'; object-src 'none'";
/// Their names change with what they hold.
const HASHED: &str = "assets/";
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const ASK_AGAIN: &str = "no-cache";
/// Less than this isn't worth a coding.
const CODED_BYTES: usize = 512;

#[derive(RustEmbed)]
#[folder = "console/"]
struct Files;

/// A file, in all that an answer needs.
struct Page {
    content_type: &'static str,
    cache: &'static str,
    tag: HeaderValue,
    plain: Bytes,
    gzip: Option<Bytes>,
}

/// The files by their names, coded once.
static PAGES: LazyLock<HashMap<String, Page>> = LazyLock::new(|| {
    let names = Files::iter().map(String::from);
    names
        .filter_map(|name| Some((name.clone(), Page::read(&name)?)))
        .collect()
});

impl Page {
    fn read(name: &str) -> Option<Self> {
        let file = Files::get(name)?;
        let plain = Bytes::from(file.data.into_owned());
        let digest = file.metadata.sha256_hash();
        let tag: String = digest[..16].iter().map(|b| format!("{b:02x}")).collect();
        let hashed = name.starts_with(HASHED);
        Some(Self {
            content_type: content_type(name),
            cache: if hashed { FOR_EVER } else { ASK_AGAIN },
            // Weak: both codings have it.
            tag: HeaderValue::from_str(&format!("W/\"{tag}\"")).ok()?,
            gzip: gzip(&plain),
            plain,
        })
    }
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

fn gzip(plain: &Bytes) -> Option<Bytes> {
    if plain.len() < CODED_BYTES {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

/// Answers with the file `name`, the part of the path behind [`PATH`].
///
/// # Errors
/// `404`, if there is no such file.
pub fn reply(headers: &HeaderMap, name: &str) -> Result<Reply, Problem> {
    let name = if name.is_empty() { "index.html" } else { name };
    let page = PAGES
        .get(name)
        .ok_or_else(|| Problem::new(Code::NotFound, "the console has no such file"))?;
    let mut reply = match page.gzip.clone() {
        _ if is_known(headers, &page.tag) => respond::empty(StatusCode::NOT_MODIFIED),
        Some(coded) if accept::takes_gzip(headers) => {
            let mut reply = respond::whole(StatusCode::OK, page.content_type, coded);
            respond::set(&mut reply, CONTENT_ENCODING, "gzip");
            reply
        }
        _ => respond::whole(StatusCode::OK, page.content_type, page.plain.clone()),
    };
    respond::set(&mut reply, CACHE_CONTROL, page.cache);
    respond::set(&mut reply, CONTENT_SECURITY_POLICY, POLICY);
    respond::set(&mut reply, REFERRER_POLICY, "no-referrer");
    respond::set(&mut reply, VARY, "Accept-Encoding");
    reply.headers_mut().insert(ETAG, page.tag.clone());
    Ok(reply)
}

/// Leads to the console from its path without a slash. Relative, so that it is
/// right behind a proxy that serves the hub below a path.
pub fn redirect() -> Reply {
    let mut reply = respond::empty(StatusCode::PERMANENT_REDIRECT);
    respond::set(&mut reply, LOCATION, "console/");
    reply
}

/// Whether who asks has the file already (RFC 9110, 13.1.2).
fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let own = tag.to_str().map(opaque).unwrap_or_default();
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|given| given.trim() == "*" || opaque(given) == own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::{ACCEPT_ENCODING, CONTENT_TYPE, HeaderName};
    use http_body::Body;

    fn ask(name: &str, headers: &[(HeaderName, &str)]) -> Result<Reply, Code> {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()))
            .collect();
        reply(&headers, name).map_err(|problem| problem.code)
    }

    fn check(name: &str, headers: &[(HeaderName, &str)], expect: &[(HeaderName, &str)]) {
        let reply = ask(name, headers).unwrap();
        for (header, value) in expect {
            let got = reply.headers().get(header).map(|v| v.to_str().unwrap());
            assert_eq!(got.unwrap_or(""), *value, "{header} of {name:?}");
        }
    }

    fn script() -> String {
        let scripts = Files::iter().filter(|name| name.ends_with(".js"));
        let first = scripts.map(String::from).next();
        first.expect("the build has a script")
    }

    #[test]
    fn the_page_is_asked_for_again_and_what_is_hashed_never() {
        for name in ["", "index.html"] {
            let html = "text/html; charset=utf-8";
            check(
                name,
                &[],
                &[(CONTENT_TYPE, html), (CACHE_CONTROL, ASK_AGAIN)],
            );
        }
        let javascript = "text/javascript; charset=utf-8";
        check(
            &script(),
            &[],
            &[(CONTENT_TYPE, javascript), (CACHE_CONTROL, FOR_EVER)],
        );
    }

    #[test]
    fn nothing_inline_and_nothing_from_elsewhere_runs() {
        check("", &[], &[(CONTENT_SECURITY_POLICY, POLICY)]);
        let page = Files::get("index.html").unwrap();
        let html = std::str::from_utf8(&page.data).unwrap();
        for part in html.split("<script").skip(1) {
            let (head, rest) = part.split_once('>').unwrap();
            assert!(head.contains(" src=\"./assets/"), "{head}");
            assert!(rest.trim_start().starts_with("</script>"), "{rest}");
        }
        for forbidden in ["<style", " style=", " onload=", "http:", "https:"] {
            assert!(!html.contains(forbidden), "{forbidden} in {html}");
        }
    }

    #[test]
    fn it_is_coded_for_who_takes_that() {
        let gzip = |coding: &str| [(ACCEPT_ENCODING, coding.to_owned())];
        for (coding, expect) in [
            ("gzip", "gzip"),
            ("br, gzip;q=0.5", "gzip"),
            ("*", "gzip"),
            ("gzip;q=0", ""),
            ("br", ""),
            ("", ""),
        ] {
            let [(name, coding)] = gzip(coding);
            let headers = [(name, coding.as_str())];
            check(&script(), &headers, &[(CONTENT_ENCODING, expect)]);
        }
        let size = |headers: &[_]| {
            let reply = ask(&script(), headers).unwrap();
            reply.body().size_hint().exact().unwrap()
        };
        assert!(size(&[(ACCEPT_ENCODING, "gzip")]) * 2 < size(&[]));
    }

    #[test]
    fn who_has_it_is_told_so() {
        let tag = ask("", &[]).unwrap().headers()[ETAG].clone();
        let tag = tag.to_str().unwrap();
        let strong = tag.trim_start_matches("W/");
        for known in [tag, strong, "*", &format!("\"other\", {tag}")] {
            let reply = ask("", &[(IF_NONE_MATCH, known)]).unwrap();
            assert_eq!(reply.status(), StatusCode::NOT_MODIFIED, "{known}");
            assert!(reply.body().is_end_stream());
        }
        let reply = ask("", &[(IF_NONE_MATCH, "\"other\"")]).unwrap();
        assert_eq!(reply.status(), StatusCode::OK);
    }

    #[test]
    fn nothing_else_is_served() {
        for name in [
            "nothing",
            "assets/",
            "../Cargo.toml",
            "..%2fCargo.toml",
            "/etc/hostname",
            "index.html/",
            "INDEX.HTML",
        ] {
            assert_eq!(ask(name, &[]).err(), Some(Code::NotFound), "{name}");
        }
    }
}
