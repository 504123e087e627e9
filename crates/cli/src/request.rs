//! What `tidings listen`, `publish` and `bench` are told about their requests.
//! URLs and headers may hold secrets: nothing in here repeats them in errors.

use crate::Failure;
use clap::Args;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::ffi::OsString;
use std::io::{self, Read};
use std::path::PathBuf;
use tidings_eventsource::transport::Hyper;
use tidings_server::config::TOKEN_VARIABLE;
use url::Url;

/// Where a request goes, and how.
#[derive(Debug, Args)]
pub struct RequestArgs {
    /// Where to; http:// unless it says otherwise
    pub url: String,
    /// Send a header, as NAME:VALUE; may be given more than once
    #[arg(short = 'H', long = "header", value_name = "NAME:VALUE")]
    pub headers: Vec<String>,
    /// Send a token, as Authorization: Bearer; others on this machine may see
    /// what is given here, unlike TIDINGS_TOKEN in the environment
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// Trust the certificates of this file (PEM) too
    #[arg(long, value_name = "FILE")]
    pub cacert: Option<PathBuf>,
}

/// Headers that follow from the connection and the body.
const OF_HTTP_ITSELF: [&str; 6] = [
    "connection",
    "content-length",
    "keep-alive",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// The URL that `text` says, which may leave out `http://`.
pub fn url(text: &str) -> Result<Url, Failure> {
    let invalid = |why: &str| Failure::usage(format!("the URL {why}"));
    let whole = match text.contains("://") {
        true => text.to_owned(),
        // "localhost:8080/t/news" would be a URL of the scheme "localhost".
        false => format!("http://{text}"),
    };
    if whole.contains(":///") {
        return Err(invalid(
            "has no host; it has to be like localhost:8080/t/news",
        ));
    }
    let url =
        Url::parse(&whole).map_err(|error| invalid(&format!("can't be understood: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(invalid("has to begin with http:// or https://"));
    }
    Ok(url)
}

/// The host and the port of a URL, which hold no secrets, for people.
pub fn place(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Adds a parameter to the query of a URL that doesn't have it yet.
pub fn add_parameter(url: &mut Url, name: &str, value: &str) -> Result<(), Failure> {
    if url.query_pairs().any(|(there, _)| there == name) {
        return Err(Failure::usage(format!(
            "--{name}: the URL has a parameter '{name}' already; give one of them"
        )));
    }
    url.query_pairs_mut().append_pair(name, value);
    Ok(())
}

/// The headers of a request, with the token of `--token` or of the environment.
///
/// A token of the environment is for everyone who isn't told another way to
/// authorize: `--header` or the URL.
pub fn all_headers(args: &RequestArgs, url: &Url) -> Result<HeaderMap, Failure> {
    let variable = std::env::var_os(TOKEN_VARIABLE).filter(|token| !token.is_empty());
    with_token(args, url, variable)
}

fn with_token(
    args: &RequestArgs,
    url: &Url,
    variable: Option<OsString>,
) -> Result<HeaderMap, Failure> {
    let mut headers = headers(&args.headers)?;
    let authorized = headers.contains_key(AUTHORIZATION) || !url.username().is_empty();
    let (name, token) = match (&args.token, variable) {
        (Some(_), _) if authorized => {
            let why = "--token: the request is authorized by --header or the URL; give one of them";
            return Err(Failure::usage(why.to_owned()));
        }
        (Some(token), _) => ("--token", token.clone()),
        (None, Some(_)) if authorized => return Ok(headers),
        (None, Some(token)) => (TOKEN_VARIABLE, token.to_string_lossy().into_owned()),
        (None, None) => return Ok(headers),
    };
    let token = token.trim_ascii();
    let fits = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    let value = HeaderValue::from_str(&format!("Bearer {token}")).ok();
    let Some(mut value) = value.filter(|_| fits) else {
        let why = "a token is one word of ASCII, as tidings token mint writes it";
        return Err(Failure::usage(format!("{name}: {why}")));
    };
    value.set_sensitive(true);
    headers.insert(AUTHORIZATION, value);
    Ok(headers)
}

/// The headers of `--header`.
pub fn headers(given: &[String]) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for (number, text) in (1..).zip(given) {
        let (name, value) = header(text)
            .map_err(|why| Failure::usage(format!("--header, number {number}: {why}")))?;
        headers.append(name, value);
    }
    Ok(headers)
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), &'static str> {
    let (name, value) = text
        .split_once(':')
        .ok_or("it has to be NAME:VALUE, quoted as one word")?;
    let name = HeaderName::from_bytes(name.trim().as_bytes())
        .map_err(|_| "the name has characters that can't be sent")?;
    if OF_HTTP_ITSELF.contains(&name.as_str()) {
        return Err("this header follows from the connection and the body");
    }
    if name == "last-event-id" {
        return Err("this header belongs to the stream; tidings listen has --last-event-id for it");
    }
    // As UTF-8, which is what all but ancient servers take.
    let value = HeaderValue::from_bytes(value.trim_matches([' ', '\t']).as_bytes());
    let mut value = value.map_err(|_| "the value has characters that can't be sent")?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// What carries the requests.
pub fn transport(args: &RequestArgs) -> Result<Hyper, Failure> {
    let mut builder = Hyper::builder();
    if let Some(path) = &args.cacert {
        let invalid = |why: &dyn std::fmt::Display| {
            Failure::usage(format!("--cacert: {}: {why}", path.display()))
        };
        let pem = std::fs::read(path).map_err(|error| invalid(&error))?;
        builder = builder
            .add_root_certificate(&pem)
            .map_err(|error| invalid(&error))?;
    }
    Ok(builder.build())
}

/// The body that `--data` says: itself, `@FILE`, or `-` for standard input.
pub fn body(data: &str) -> Result<Vec<u8>, Failure> {
    match data.strip_prefix('@') {
        _ if data == "-" => read_input(),
        Some(path) => std::fs::read(path)
            .map_err(|error| Failure::runtime(format!("{path} can't be read: {error}"))),
        None => Ok(data.as_bytes().to_vec()),
    }
}

/// What a body without a type of its own most likely is.
pub fn content_type(body: &[u8]) -> &'static str {
    match std::str::from_utf8(body) {
        Err(_) => "application/octet-stream",
        Ok(text) if serde_json::from_str::<serde_json::Value>(text).is_ok() => "application/json",
        Ok(_) => "text/plain; charset=utf-8",
    }
}

/// All of standard input.
pub fn read_input() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    match io::stdin().lock().read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => Err(Failure::runtime(format!(
            "standard input can't be read: {error}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_url(text: &str, expected: &str) {
        assert_eq!(
            url(text).map(String::from).unwrap_or_else(|f| f.text),
            expected
        );
    }

    #[test]
    fn a_url_may_leave_out_its_scheme() {
        check_url("localhost:8080/t/news", "http://localhost:8080/t/news");
        check_url("localhost", "http://localhost/");
        check_url(
            "127.0.0.1:1/t/a?since=1m",
            "http://127.0.0.1:1/t/a?since=1m",
        );
        check_url("[::1]:8080/t/a", "http://[::1]:8080/t/a");
        check_url("user:word@host/t/a", "http://user:word@host/t/a");
        check_url("HTTPS://Example.com", "https://example.com/");
    }

    #[test]
    fn e1_bad_urls_are_not_repeated() {
        let texts = [
            "",
            "/t/secret",
            "http:///secret",
            ":8080/secret",
            "localhost:secret",
            "ftp://host/secret",
            "file:///secret",
            "http://[secret",
            "http://host:99999/secret",
        ];
        for text in texts {
            let failure = url(text).expect_err(text);
            assert_eq!(failure.code, 2, "{text}");
            assert!(!failure.text.contains("secret"), "{}", failure.text);
        }
    }

    #[test]
    fn the_place_of_a_url_holds_no_secrets() {
        let place = |text| place(&url(text).expect("a URL"));
        assert_eq!(place("https://a:b@example.com/c?d=e#f"), "example.com");
        assert_eq!(place("http://[::1]:81/c"), "[::1]:81");
    }

    #[test]
    fn a_parameter_is_added_once() {
        let mut url = url("host/t/a?x=%20y").expect("a URL");
        add_parameter(&mut url, "since", "last:5&x").expect("room for it");
        assert_eq!(url.query(), Some("x=%20y&since=last%3A5%26x"));
        let failure = add_parameter(&mut url, "since", "1m").expect_err("it is there");
        assert!(failure.text.contains("parameter 'since'"));
    }

    /// What is sent to authorize a request.
    #[track_caller]
    fn check_token(headers: &[&str], token: Option<&str>, variable: Option<&str>, sent: &str) {
        let args = RequestArgs {
            url: String::new(),
            headers: headers.iter().map(|text| (*text).to_owned()).collect(),
            token: token.map(str::to_owned),
            cacert: None,
        };
        let url = Url::parse("http://localhost/t/a").expect("a URL");
        let sending = match with_token(&args, &url, variable.map(OsString::from)) {
            Ok(headers) => {
                let value = headers.get(AUTHORIZATION);
                value.map_or(String::new(), |value| {
                    assert!(value.is_sensitive());
                    String::from_utf8_lossy(value.as_bytes()).into_owned()
                })
            }
            Err(failure) => {
                assert_eq!(failure.code, 2);
                assert!(!failure.text.contains("secret"), "{}", failure.text);
                failure
                    .text
                    .split(':')
                    .next()
                    .unwrap_or_default()
                    .to_owned()
            }
        };
        assert_eq!(sending, sent, "{headers:?} {token:?} {variable:?}");
    }

    #[test]
    fn a_token_is_sent_once() {
        let basic = "Authorization: Basic secret";
        check_token(&[], None, None, "");
        check_token(&[], Some("a.b.c"), None, "Bearer a.b.c");
        check_token(&[], None, Some("a.b.c\n"), "Bearer a.b.c");
        check_token(&[], Some("a.b.c"), Some("d"), "Bearer a.b.c");
        check_token(&[basic], None, Some("d"), "Basic secret");
        check_token(&[basic], Some("secret"), None, "--token");
        check_token(&[], Some("secret secret"), None, "--token");
        check_token(&[], Some(""), None, "--token");
        check_token(&[], None, Some("secret\u{e9}"), "TIDINGS_TOKEN");
    }

    #[test]
    fn e1_headers() {
        let given = ["a: b ", "A:c", "x:", "Authorization: Bearer é"].map(str::to_owned);
        let headers = headers(&given).expect("headers");
        let all: Vec<_> = headers.get_all("a").iter().collect();
        assert_eq!(all, ["b", "c"]);
        assert_eq!(headers["x"], "");
        assert_eq!(headers["authorization"].as_bytes(), "Bearer é".as_bytes());
        assert!(!format!("{headers:?}").contains("Bearer"));
        for bad in [
            "secret",
            "se cret:x",
            ":secret",
            "a:secret\n",
            "Content-Length:1",
            "last-event-id:secret",
        ] {
            let failure = super::headers(&["a:b".to_owned(), bad.to_owned()]).expect_err(bad);
            assert_eq!(failure.code, 2);
            assert!(
                failure.text.starts_with("--header, number 2: "),
                "{}",
                failure.text
            );
            assert!(!failure.text.contains("secret"), "{}", failure.text);
        }
    }
}
