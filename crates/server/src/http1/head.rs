//! One head: from its first byte to the empty line.

use super::body::Framing;
use super::refusal::Refusal;
use http::{HeaderName, HeaderValue, Method, Request, Uri, request};
use tidings_engine::limits::HEAD_BYTES;

/// How many bytes a head may have: room for a query of the longest length and
/// the usual headers.
pub const MAX_HEAD: usize = HEAD_BYTES;
/// How many headers.
const MAX_HEADERS: usize = 100;
/// How many bytes a target may have: what the `http` crate's `Uri` holds.
pub const MAX_TARGET: usize = 65_534;
/// How many bytes a header's name may have: what the `http` crate's holds.
const MAX_NAME: usize = 65_535;
/// The longest length of a body: readers that count with a sign hold no more.
const MAX_LENGTH: u64 = i64::MAX as u64;

/// A head that keeps the rules.
#[derive(Debug, PartialEq, Eq)]
pub struct Head {
    /// How many bytes it has, with its empty line.
    pub len: usize,
    /// What follows.
    pub framing: Framing,
    /// Whether it is the last request of its connection (RFC 9112, 9.6): what
    /// stands behind its body is nobody's request.
    pub last: bool,
    /// What may be done with it before anyone else has read it.
    pub kind: Kind,
}

/// What a head asks for, roughly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A `GET` of HTTP/1.1 that says nothing of a body.
    Get,
    /// A `POST` of HTTP/1.1 with a body of this many bytes, which come without
    /// being asked for.
    Post(u64),
    /// Anything else.
    Other,
}

/// How much of an unfinished head has been looked at, so that one that comes
/// byte by byte is not read again for each.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Progress {
    scanned: usize,
    /// Where the request line ends.
    line: Option<usize>,
    knows_line: bool,
}

impl Progress {
    /// Reads the head that `bytes` begins with; `None` if its end has not come.
    /// `bytes` grows from call to call, until there is a result.
    ///
    /// # Errors
    /// The first rule that it breaks, as soon as that can be told.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Option<Head>, Refusal> {
        // RFC 9112, 2.2: some send one empty line too many behind a body.
        let skipped = if bytes.starts_with(b"\r\n") { 2 } else { 0 };
        let end = self.find_end(bytes, skipped)?;
        if !self.knows_line
            && let Some(line) = self.line
        {
            check_request_line(&bytes[skipped..line])?;
            self.knows_line = true;
        }
        match end {
            Some(end) if end <= MAX_HEAD => {
                *self = Self::default();
                let head = check_head(&bytes[skipped..end])?;
                Ok(Some(Head { len: end, ..head }))
            }
            None if bytes.len() <= MAX_HEAD => Ok(None),
            // Which of the two is too long is worth telling.
            _ if !self.knows_line => Err(Refusal::TargetTooLong),
            _ => Err(Refusal::TooLarge),
        }
    }

    /// Where the head ends. Every byte is looked at once: lines end in CR LF,
    /// and there are no control characters but a tab.
    fn find_end(&mut self, bytes: &[u8], skipped: usize) -> Result<Option<usize>, Refusal> {
        let mut at = self.scanned.max(skipped);
        while let Some(byte) = bytes.get(at) {
            match *byte {
                b'\r' => match bytes.get(at + 1) {
                    Some(b'\n') => {
                        self.line.get_or_insert(at);
                        at += 2;
                        if at > skipped + 2 && bytes[..at].ends_with(b"\r\n\r\n") {
                            return Ok(Some(at));
                        }
                        continue;
                    }
                    Some(_) => return Err(Refusal::LineEnd),
                    None => break,
                },
                b'\t' | 0x20..=0x7e | 0x80.. => at += 1,
                _ => return Err(Refusal::LineEnd),
            }
        }
        self.scanned = at;
        Ok(None)
    }
}

/// RFC 9112, 3: `method SP request-target SP HTTP-version`.
fn check_request_line(line: &[u8]) -> Result<(), Refusal> {
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Refusal::RequestLine);
    };
    let is_method = !method.is_empty()
        && method.len() <= 32
        && method
            .iter()
            .all(|byte| byte.is_ascii_uppercase() || *byte == b'-');
    // What a fragment would be is left to no reader (RFC 9112, 3.2).
    let is_text = |byte: &u8| byte.is_ascii_graphic() && *byte != b'#';
    let is_target = target.iter().all(is_text)
        && match target {
            [b'/', ..] => true,
            b"*" => method == b"OPTIONS",
            absolute => [&b"http://"[..], b"https://"].iter().any(|scheme| {
                absolute
                    .get(..scheme.len())
                    .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
            }),
        };
    if !is_method || !is_target {
        return Err(Refusal::RequestLine);
    }
    if target.len() > MAX_TARGET {
        return Err(Refusal::TargetTooLong);
    }
    Uri::try_from(target).map_err(|_| Refusal::RequestLine)?;
    match version {
        b"HTTP/1.1" | b"HTTP/1.0" => Ok(()),
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            Err(Refusal::Version)
        }
        _ => Err(Refusal::RequestLine),
    }
}

/// The request that a head is of, for one that [`Progress::read`] has found to
/// keep the rules and to be a [`Kind::Get`] or a [`Kind::Post`]. `None` if
/// there is something in it that only another reader understands.
pub fn request(head: &[u8]) -> Option<request::Parts> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    parsed.parse(head).ok()?;
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(parsed.method?.as_bytes()).ok()?;
    *request.uri_mut() = Uri::try_from(parsed.path?).ok()?;
    request.headers_mut().reserve(parsed.headers.len());
    for header in parsed.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
        let value = HeaderValue::from_bytes(header.value).ok()?;
        request.headers_mut().append(name, value);
    }
    Some(request.into_parts().0)
}

/// Whether a whole head keeps the rules, and what it says of what follows.
fn check_head(head: &[u8]) -> Result<Head, Refusal> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(head) {
        Ok(httparse::Status::Complete(len)) if len == head.len() => {}
        Ok(_) => return Err(Refusal::Header),
        Err(httparse::Error::TooManyHeaders) => return Err(Refusal::TooLarge),
        Err(httparse::Error::Version) => return Err(Refusal::Version),
        Err(httparse::Error::Token) => return Err(Refusal::RequestLine),
        Err(_) => return Err(Refusal::Header),
    }
    let is_1_0 = request.version == Some(0);
    let (mut length, mut coding) = (None, false);
    let (mut closes, mut stays, mut expects) = (false, !is_1_0, false);
    for header in request.headers {
        if header.name.len() > MAX_NAME {
            return Err(Refusal::TooLarge);
        } else if header.name.eq_ignore_ascii_case("content-length") {
            let bytes = digits(header.value).ok_or(Refusal::ContentLength)?;
            if length.replace(bytes).is_some() {
                return Err(Refusal::ContentLength);
            }
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            let chunked = header.value.eq_ignore_ascii_case(b"chunked");
            if is_1_0 || coding || !chunked {
                return Err(Refusal::TransferEncoding);
            }
            coding = true;
        } else if header.name.eq_ignore_ascii_case("connection") {
            closes |= lists(header.value, b"close");
            stays |= lists(header.value, b"keep-alive");
        } else if header.name.eq_ignore_ascii_case("expect") {
            expects = true;
        }
    }
    let kind = match (request.method, length) {
        _ if is_1_0 || coding || expects => Kind::Other,
        (Some("GET"), None) => Kind::Get,
        (Some("POST"), length) => Kind::Post(length.unwrap_or(0)),
        _ => Kind::Other,
    };
    let framing = match (length, coding) {
        (Some(_), true) => return Err(Refusal::TwoFramings),
        (None, true) => Framing::chunked(),
        (length, false) => Framing::Length(length.unwrap_or(0)),
    };
    Ok(Head {
        len: head.len(),
        framing,
        last: closes || !stays,
        kind,
    })
}

fn digits(value: &[u8]) -> Option<u64> {
    let all = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(value).ok().filter(|_| all)?;
    text.parse().ok().filter(|length| *length <= MAX_LENGTH)
}

/// Whether a comma-separated list holds `option`. A list with bytes that are
/// not ASCII holds nothing, as hyper has it.
fn lists(value: &[u8], option: &[u8]) -> bool {
    value.is_ascii()
        && value
            .split(|byte| *byte == b',')
            .any(|item| item.trim_ascii().eq_ignore_ascii_case(option))
}
