//! Events as JSON objects: `{topic?, data, event?, id?, retry?}`, read strictly:
//! no unknown and no doubled members, at any depth of `data` either.

use crate::http::{Code, Problem};
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::HashSet;
use std::fmt;

/// The members of an event, not yet checked against the hub's rules.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct JsonEvent {
    /// `topic`, where the request doesn't give it.
    pub topic: Option<String>,
    /// `data`: the text of a string, or the compact text of any other value.
    pub data: String,
    /// `event`.
    pub event: Option<String>,
    /// `id`.
    pub id: Option<String>,
    /// `retry`, as digits.
    pub retry: Option<String>,
}

/// Reads one event.
///
/// # Errors
/// `400`; the detail says what is wrong, without repeating it.
pub fn parse(text: &str) -> Result<JsonEvent, Problem> {
    let members: Members = serde_json::from_str(text).map_err(|error| not_json(&error))?;
    from_members(members)
}

/// Reads one event or an array of events; the flag tells which it was.
///
/// # Errors
/// `400`, with the number of the bad event; `413` for more than `max` events.
pub fn parse_one_or_many(text: &str, max: usize) -> Result<(Vec<JsonEvent>, bool), Problem> {
    if !text.trim_start().starts_with('[') {
        return Ok((vec![parse(text)?], false));
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let all = deserializer.deserialize_seq(Many { max });
    let all = all.and_then(|all| deserializer.end().map(|()| all));
    let all = all.map_err(|error| not_json(&error))?;
    if all.len() > max {
        let detail = format!("an array holds at most {max} events; send NDJSON for more");
        return Err(Problem::new(Code::TooLarge, detail));
    }
    let number = |i: usize, mut problem: Problem| {
        problem.detail = format!("event {}: {}", i + 1, problem.detail);
        problem
    };
    let events = all
        .into_iter()
        .enumerate()
        .map(|(i, m)| from_members(m).map_err(|problem| number(i, problem)));
    Ok((events.collect::<Result<_, _>>()?, true))
}

fn invalid(detail: impl Into<String>) -> Problem {
    Problem::new(Code::InvalidEvent, detail)
}

fn not_json(error: &serde_json::Error) -> Problem {
    let what = match error.classify() {
        serde_json::error::Category::Data => "not an event object, or it has a member twice",
        _ => "not valid JSON",
    };
    invalid(format!(
        "{what} (line {}, column {})",
        error.line(),
        error.column()
    ))
}

fn from_members(members: Members) -> Result<JsonEvent, Problem> {
    let mut event = JsonEvent::default();
    let mut has_data = false;
    for (name, value) in members.0 {
        match name.as_str() {
            "data" => {
                event.data = data_text(&value);
                has_data = true;
            }
            "topic" => event.topic = text(&name, &value)?,
            "event" => event.event = text(&name, &value)?,
            "id" => event.id = text(&name, &value)?,
            "retry" if value.get() == "null" => {}
            "retry" if value.get().bytes().all(|b| b.is_ascii_digit()) => {
                event.retry = Some(value.get().into())
            }
            "retry" => return Err(invalid("'retry' is not a whole number of milliseconds")),
            _ => {
                return Err(invalid(
                    "unknown member; an event has topic, data, event, id and retry",
                ));
            }
        }
    }
    if has_data {
        Ok(event)
    } else {
        Err(invalid("'data' is missing"))
    }
}

fn text(name: &str, value: &RawValue) -> Result<Option<String>, Problem> {
    serde_json::from_str(value.get()).map_err(|_| invalid(format!("'{name}' is not a string")))
}

fn data_text(value: &RawValue) -> String {
    serde_json::from_str(value.get()).unwrap_or_else(|_| compact(value.get()))
}

/// Removes the white space between the tokens of valid JSON, and nothing else:
/// numbers keep their digits and members their order.
fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    for c in json.chars() {
        if in_string {
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else if c == '"' {
            in_string = true;
        } else if matches!(c, ' ' | '\t' | '\n' | '\r') {
            continue;
        }
        out.push(c);
    }
    out
}

/// The members of the objects of an array; of one that is too long, one more
/// than there may be.
struct Many {
    max: usize,
}

impl<'de> Visitor<'de> for Many {
    type Value = Vec<Members>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<Members>, A::Error> {
        let mut all = Vec::new();
        while all.len() <= self.max
            && let Some(members) = seq.next_element()?
        {
            all.push(members);
        }
        // What is beyond is only passed over, so that it costs no memory.
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(all)
    }
}

/// The members of an object, each once, with their values valid but unread.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members: Vec<(String, Box<RawValue>)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    if members.len() > 5 || members.iter().any(|(other, _)| *other == name) {
                        return Err(A::Error::custom("doubled or too many members"));
                    }
                    serde_json::from_str::<Strict>(value.get()).map_err(A::Error::custom)?;
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}

/// A JSON value that is checked and thrown away: numbers are representable,
/// strings are Unicode, no object has a member twice, nesting is bounded.
struct Strict;

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StrictVisitor;
        impl<'de> Visitor<'de> for StrictVisitor {
            type Value = Strict;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }

            fn visit_unit<E>(self) -> Result<Strict, E> {
                Ok(Strict)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Strict, E> {
                Ok(Strict)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Strict, E> {
                Ok(Strict)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Strict, E> {
                Ok(Strict)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Strict, E> {
                Ok(Strict)
            }

            fn visit_str<E>(self, _: &str) -> Result<Strict, E> {
                Ok(Strict)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Strict, A::Error> {
                while seq.next_element::<Strict>()?.is_some() {}
                Ok(Strict)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Strict, A::Error> {
                let mut names = HashSet::new();
                while let Some(name) = map.next_key::<String>()? {
                    if !names.insert(name) {
                        return map
                            .next_value::<IgnoredAny>()
                            .and(Err(A::Error::custom("doubled member")));
                    }
                    map.next_value::<Strict>()?;
                }
                Ok(Strict)
            }
        }
        deserializer.deserialize_any(StrictVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_data(json: &str, expect: &str) {
        let event = parse(&format!(r#"{{"data": {json}}}"#)).unwrap();
        assert_eq!(event.data, expect, "{json}");
    }

    fn check_refused(json: &str, part_of_detail: &str) {
        let problem = parse(json).unwrap_err();
        assert_eq!(
            problem.code,
            Code::InvalidEvent,
            "{}",
            &json[..json.len().min(80)]
        );
        assert!(
            problem.detail.contains(part_of_detail),
            "{}",
            problem.detail
        );
        assert!(problem.detail.len() <= 200);
    }

    #[test]
    fn data_is_a_string_or_the_compact_text_of_a_value() {
        check_data(r#""a\nb""#, "a\nb");
        check_data(r#""""#, "");
        check_data("null", "null");
        check_data("12345678901234567890.50", "12345678901234567890.50");
        check_data(
            " [ 1 , { \"b\" : \"x \\\" y\\\\\" , \"a\" : [ ] } ] ",
            r#"[1,{"b":"x \" y\\","a":[]}]"#,
        );
        check_data("true", "true");
    }

    #[test]
    fn all_members_are_read() {
        let event =
            parse(r#"{"retry":2000,"id":"7","event":"tick","topic":"a/b","data":"x"}"#).unwrap();
        let text = |s: &str| Some(s.to_owned());
        let expect = JsonEvent {
            topic: text("a/b"),
            data: "x".into(),
            event: text("tick"),
            id: text("7"),
            retry: text("2000"),
        };
        assert_eq!(event, expect);
        assert_eq!(
            parse(r#"{"data":"x","id":null,"retry":null,"event":null}"#)
                .unwrap()
                .id,
            None
        );
    }

    #[test]
    fn b5_bad_json_is_400() {
        check_refused("", "line 1");
        check_refused("{", "not valid JSON");
        check_refused("\u{FEFF}{\"data\":1}", "not valid JSON");
        check_refused(r#"{"data":1} x"#, "column");
        check_refused(r#"{"data":1e400}"#, "line 1");
        check_refused(r#"{"data":1,"data":2}"#, "twice");
        check_refused(r#"{"data":{"a":1,"a":2}}"#, "twice");
        check_refused(r#"{"data":"\ud800"}"#, "line 1");
        check_refused(&format!(r#"{{"data":{}"#, "[".repeat(100_000)), "line 1");
        check_refused(
            &format!(
                r#"{{"data":{}{}}}"#,
                "[".repeat(100_000),
                "]".repeat(100_000)
            ),
            "line 1",
        );
        check_refused("[]", "not an event object");
        check_refused(r#""text""#, "not an event object");
        check_refused(r#"{"event":"x"}"#, "'data' is missing");
        check_refused(r#"{"dat":"x"}"#, "unknown member");
        check_refused(r#"{"data":"x","id":7}"#, "'id' is not a string");
        for retry in ["-1", "1.5", "\"5s\"", "1e3", "true"] {
            check_refused(&format!(r#"{{"data":"x","retry":{retry}}}"#), "'retry'");
        }
    }

    #[test]
    fn arrays_name_the_bad_event() {
        let (events, many) = parse_one_or_many(r#" [{"data":"1"},{"data":"2"}]"#, 2).unwrap();
        assert!(many && events.len() == 2);
        let problem = parse_one_or_many(r#"[{"data":"1"},{"id":"2"}]"#, 2).unwrap_err();
        assert!(
            problem.detail.starts_with("event 2: "),
            "{}",
            problem.detail
        );
        assert_eq!(
            parse_one_or_many(r#"[{"data":1},{"data":1}]"#, 1)
                .unwrap_err()
                .code,
            Code::TooLarge
        );
        assert_eq!(parse_one_or_many("[]", 1).unwrap(), (vec![], true));
    }
}
