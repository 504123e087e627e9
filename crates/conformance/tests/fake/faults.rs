//! What the fake hub can be told to do wrong.

mod presence;
mod publishing;
mod tokens;
mod watching;

use self::Change::{Answer, Block, Hub, Request};
use super::Reply;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};
use std::net::TcpStream;
use std::time::Duration;
use tidings_conformance::token::Draft;
use tidings_conformance::{Dialect, context, target};
use tidings_testkit::Asked;

/// One thing that is wrong.
#[derive(Clone, Copy)]
pub enum Change {
    /// It understands requests as if they were others.
    Request(fn(&mut Asked)),
    /// It answers something else.
    Answer(fn(&Asked, &mut Reply)),
    /// It sends events as if they were others.
    Block(fn(&mut String)),
    /// Its machinery is wrong.
    Hub(Switch),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    NoHeartbeat,
    Immortal,
    ThreeStreams,
    PublicPresence,
    HiddenCursors,
    LastDouble,
    Lossy,
    ReplayShowsAll,
    InPairs,
}

/// The rule that is broken, with what is wrong.
pub type Fault = (&'static str, &'static str, Change);

/// All faults, by the rule that each breaks.
pub const FAULTS: [&[Fault]; 4] = [
    watching::FAULTS,
    publishing::FAULTS,
    tokens::FAULTS,
    presence::FAULTS,
];

type Fields = Vec<(String, String)>;

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn edited(text: &[u8], edit: impl Fn(&mut Fields)) -> String {
    let mut fields: Fields = url::form_urlencoded::parse(text).into_owned().collect();
    edit(&mut fields);
    context::form(fields.iter().map(|(n, v)| (&**n, &**v)))
}

fn edit_query(asked: &mut Asked, edit: impl Fn(&mut Fields)) {
    if asked.method == "POST" {
        return;
    }
    let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
    let query = edited(query.as_bytes(), edit);
    asked.path = match query.is_empty() {
        true => path.to_owned(),
        false => format!("{path}?{query}"),
    };
}

fn edit_form(asked: &mut Asked, edit: impl Fn(&mut Fields)) {
    if !asked.body.is_empty() {
        asked.body = edited(&asked.body, edit).into_bytes();
    }
}

/// In the values of a query.
fn watched(asked: &mut Asked, from: &str, to: &str) {
    edit_query(asked, |q| {
        q.iter_mut().for_each(|f| f.1 = f.1.replace(from, to))
    });
}

/// In the values of a field of an event.
fn sent(asked: &mut Asked, name: &str, from: &str, to: &str) {
    if asked.method == "POST" && String::from_utf8_lossy(&asked.body).contains(name) {
        edit_form(asked, |q| {
            q.iter_mut()
                .filter(|(n, _)| n == name)
                .for_each(|f| f.1 = f.1.replace(from, to));
        });
    }
}

fn drop_header(asked: &mut Asked, name: &str) {
    asked.headers.retain(|(other, _)| other != name);
}

fn drop_line(block: &mut String, start: &str) {
    let lines = block.split_inclusive('\n');
    *block = lines.filter(|line| !line.starts_with(start)).collect();
}

fn gone(asked: &Asked, reply: &mut Reply) {
    if asked.method == "GET" {
        *reply = Reply {
            status: 404,
            headers: Vec::new(),
            body: String::new(),
        };
    }
}

fn everything(asked: &mut Asked) {
    edit_query(asked, |q| q.iter_mut().for_each(|f| f.1 = "*".into()));
}

fn one_topic(asked: &mut Asked) {
    edit_form(asked, |q| {
        let mut seen = false;
        q.retain(|(name, _)| name != "topic" || !std::mem::replace(&mut seen, true));
    });
}

fn no_privacy(asked: &mut Asked) {
    edit_form(asked, |q| q.retain(|(name, _)| name != "private"));
}

fn any_type(asked: &mut Asked) {
    drop_header(asked, "content-type");
    let form = target::FORM;
    asked.headers.push(("content-type".into(), form.into()));
}

fn always_earliest(_: &Asked, reply: &mut Reply) {
    for name in ["last-event-id", "mercure-last-event-id"] {
        if reply.is_stream() {
            reply.set(name, Some("earliest"));
        }
    }
}

fn another_id(asked: &Asked, reply: &mut Reply) {
    if asked.method == "POST" && reply.status == 200 {
        reply.body.push('x');
    }
}

fn whole() -> Vec<u8> {
    let rights = json!({"publish": ["*"], "subscribe": ["*"]});
    let draft = Draft::new(Dialect::V0, "", "");
    let token = draft.claim("mercure", rights).sign(super::SECRET);
    format!("Bearer {token}").into_bytes()
}

/// Who has a token has one for everything.
fn any_token(asked: &mut Asked) {
    if asked.header("authorization").is_some() {
        anybody(asked);
    }
}

/// Everybody has a token for everything.
fn anybody(asked: &mut Asked) {
    drop_header(asked, "authorization");
    asked.headers.push(("authorization".into(), whole()));
}

/// The text of a token's claims, or "".
fn claims_of(asked: &Asked) -> String {
    part_of(asked, 1)
}

/// The text of a part of a token, or "".
fn part_of(asked: &Asked, part: usize) -> String {
    let header = asked.header("authorization").unwrap_or_default();
    let token = header.trim_start_matches("Bearer ");
    let bytes = BASE64.decode(token.split('.').nth(part).unwrap_or_default());
    String::from_utf8(bytes.unwrap_or_default()).unwrap_or_default()
}

fn without_claim(asked: &mut Asked, name: &str) {
    if !claims_of(asked).contains(&format!("\"{name}\"")) {
        drop_header(asked, "authorization");
    }
}

fn ask_for_keys(asked: &mut Asked) {
    let header: Value = serde_json::from_str(&part_of(asked, 0)).unwrap_or_default();
    if let Some(url) = header["jku"].as_str() {
        let address = url.trim_start_matches("http://").trim_end_matches("/keys");
        let _ = TcpStream::connect(address);
    }
}

fn mask(block: &mut String, start: &str) {
    if let Some(at) = block.find(start) {
        let from = at + start.len();
        let end = block[from..]
            .find('"')
            .map_or(block.len(), |length| from + length);
        block.replace_range(from..end, "x");
    }
}
