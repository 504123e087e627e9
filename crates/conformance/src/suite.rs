//! What the protocol's public conformance suite looks at, as rows of our own:
//! a subscriber without a token, a publisher with one, and an event that must
//! arrive, or must not.

use crate::context::{Context, form, is_one_of};
use crate::outcome::{Checked, ensure, skip};
use crate::rules::Dialect;
use crate::stream::Stream;
use crate::target::Request;

/// One event and one subscription. `TAG` stands for text that is new in each run.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// What it is about.
    pub name: &'static str,
    /// The topics of the event.
    pub topics: &'static [&'static str],
    /// What is watched in 0.x.
    pub selectors: &'static [&'static str],
    /// What is watched in 1.0: parameters.
    pub matchers: &'static [(&'static str, &'static str)],
    /// Whether the event is private.
    pub private: bool,
    /// Whether it arrives.
    pub arrives: bool,
    /// A topic that is watched: of a later event, to tell when to give up.
    pub fence: &'static str,
}

const WORD: Row = Row {
    name: "a word",
    topics: &["word-TAG"],
    selectors: &["word-TAG"],
    matchers: &[("match", "word-TAG")],
    private: false,
    arrives: true,
    fence: "word-TAG",
};
const URL: Row = Row {
    name: "a URL",
    topics: &["https://example.com/TAG/1"],
    selectors: &["https://example.com/TAG/1"],
    matchers: &[("match_exact", "https://example.com/TAG/1")],
    fence: "https://example.com/TAG/1",
    ..WORD
};
const PATTERN: Row = Row {
    name: "a URI template, or a URL pattern",
    selectors: &["https://example.com/TAG/{id}"],
    matchers: &[("match_urlpattern", "https://example.com/TAG/:id")],
    ..URL
};

/// The rows.
pub const ROWS: [Row; 11] = [
    WORD,
    Row {
        name: "several topics",
        topics: &["word-TAG", "https://example.com/TAG/1"],
        selectors: &["https://example.com/TAG/1"],
        matchers: &[("match", "https://example.com/TAG/1")],
        ..URL
    },
    Row {
        name: "several matchers",
        selectors: &["other-TAG", "word-TAG"],
        matchers: &[("match", "other-TAG"), ("match", "word-TAG")],
        ..WORD
    },
    URL,
    PATTERN,
    Row {
        name: "another word",
        topics: &["other-TAG"],
        arrives: false,
        ..WORD
    },
    Row {
        name: "another URL",
        topics: &["https://example.com/TAG/2"],
        arrives: false,
        ..URL
    },
    Row {
        name: "outside the template, or the pattern",
        topics: &["https://example.com/TAG/1/more"],
        arrives: false,
        ..PATTERN
    },
    Row {
        name: "a word, private",
        private: true,
        arrives: false,
        ..WORD
    },
    Row {
        name: "a URL, private",
        private: true,
        arrives: false,
        ..URL
    },
    Row {
        name: "a URI template or a URL pattern, private",
        private: true,
        arrives: false,
        ..PATTERN
    },
];

/// Runs one row.
///
/// # Errors
/// If the hub does otherwise.
pub fn run(cx: &Context<'_>, row: &Row) -> Checked {
    if !cx.is_open()? {
        return skip("the hub is not open to anonymous subscribers");
    }
    let tag = cx.word();
    let tagged = |text: &str| text.replace("TAG", &tag);
    let parameters: Vec<(&str, String)> = match cx.dialect {
        Dialect::V0 => row
            .selectors
            .iter()
            .map(|selector| ("topic", tagged(selector)))
            .collect(),
        Dialect::V1 => row
            .matchers
            .iter()
            .map(|(name, matcher)| (*name, tagged(matcher)))
            .collect(),
    };
    let query = form(parameters.iter().map(|(name, value)| (*name, &**value)));
    let mut stream = Stream::open(cx.target, &Request::get(query))?;
    let topics: Vec<String> = row.topics.iter().map(|topic| tagged(topic)).collect();
    let id = format!("id-[\"{tag}\"]");
    let data = format!("The data of {tag}:\n\n  a blank line, and two blanks\n\n\nend");
    let mut fields = vec![("id", &*id), ("data", &data)];
    fields.extend(topics.iter().map(|topic| ("topic", &**topic)));
    if row.private {
        fields.push(("private", "on"));
    }
    let answer = cx.post(&fields)?;
    is_one_of("the event", &answer, &[200])?;
    let media_type = answer.header("content-type").unwrap_or_default();
    ensure(media_type.starts_with("text/plain"), || {
        format!("the answer's Content-Type is {media_type:?}")
    })?;
    let fence = cx.event(&tagged(row.fence))?;
    let seen = stream.until(&fence)?;
    let holds = match &seen[..] {
        [event] => row.arrives && event.id == Some(answer.text()) && event.data == data,
        [] => !row.arrives,
        _ => false,
    };
    ensure(holds, || {
        let expected = if row.arrives { "should" } else { "should not" };
        format!("the event {expected} arrive, and this did: {seen:?}")
    })
}
