//! What the protocol's public conformance suite looks at, as rows of our own
//! (`rows.json`, which the tests in a browser read too): a subscriber without a
//! token, a publisher with one, and an event that must arrive, or must not.

use crate::context::{Context, form, is_one_of};
use crate::outcome::{Checked, ensure, skip};
use crate::rules::Dialect;
use crate::stream::Stream;
use crate::target::Request;
use serde::Deserialize;

/// One event and one subscription. `TAG` stands for text that is new in each run.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// What it is about.
    pub about: String,
    /// The topics of the event.
    pub topics: Vec<String>,
    /// What is watched in 0.x.
    pub selectors: Vec<String>,
    /// What is watched in 1.0: parameters.
    pub matchers: Vec<(String, String)>,
    /// A topic that is watched: of a later event, to tell when to give up.
    pub fence: String,
    /// Whether the event is private.
    pub private: bool,
    /// Whether it arrives.
    pub arrives: bool,
}

/// The rows.
pub fn rows() -> Vec<Row> {
    serde_json::from_str(include_str!("../rows.json")).expect("the rows are tested")
}

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
            .map(|(name, matcher)| (&**name, tagged(matcher)))
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
    let fence = cx.event(&tagged(&row.fence))?;
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

#[cfg(test)]
mod tests {
    #[test]
    fn there_are_eleven_rows_and_each_is_about_something() {
        let rows = super::rows();
        assert_eq!(rows.len(), 11);
        for row in rows {
            let watched = |topic| row.selectors.contains(topic);
            let is_exact = row.selectors.iter().all(|selector| !selector.contains('{'));
            let matches = !is_exact || row.topics.iter().any(watched);
            assert!(
                row.arrives == (matches && !row.private) || !is_exact,
                "{}",
                row.about
            );
            assert!(!is_exact || watched(&row.fence), "{}", row.about);
        }
    }
}
