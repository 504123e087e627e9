//! `[[retention.topics]]`: bounds for some topics.

use super::fault::{Fault, did_you_mean, quoted};
use super::value::{ByteSize, Limit, Setting, wrong_type};
use std::time::Duration;
use tidings_engine::Selector;
use toml::Spanned;
use toml::de::DeValue;

/// Retention of the topics that a selector matches. An age or a number that
/// isn't given is that of `[retention]`.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicRetention {
    /// A topic or a pattern.
    pub selector: Selector,
    /// The greatest age of their events.
    pub age: Option<Limit<Duration>>,
    /// The size on disk of their events, together; without it they have no
    /// bound of their own, only that of the whole log.
    pub bytes: Option<Limit<ByteSize>>,
    /// The number of their events, together.
    pub events: Option<Limit<u64>>,
}

const NAMES: [&str; 4] = ["selector", "age", "bytes", "events"];

/// Reads a value into `slot`, or its faults into `faults`.
fn read<T: Setting>(slot: &mut Option<T>, value: &Spanned<DeValue<'_>>, faults: &mut Vec<Fault>) {
    match T::from_toml(value) {
        Ok(read) => *slot = Some(read),
        Err(more) => faults.extend(more),
    }
}

impl Setting for TopicRetention {
    const WANTED: &'static str = "a table such as { selector = \"orders/**\", age = \"30d\" }";
    const SPLITS_AT_COMMAS: bool = false;

    fn from_text(_: &str) -> Result<Self, Fault> {
        Err(Fault::new(format!("expected {}", Self::WANTED)))
    }

    fn to_toml(&self) -> String {
        let mut out = format!("{{ selector = {}", self.selector.to_toml());
        let bounds = [
            ("age", self.age.as_ref().map(Setting::to_toml)),
            ("bytes", self.bytes.as_ref().map(Setting::to_toml)),
            ("events", self.events.as_ref().map(Setting::to_toml)),
        ];
        for (name, bound) in bounds {
            if let Some(bound) = bound {
                out.push_str(&format!(", {name} = {bound}"));
            }
        }
        out + " }"
    }

    fn from_toml(value: &Spanned<DeValue<'_>>) -> Result<Self, Vec<Fault>> {
        let DeValue::Table(table) = value.get_ref() else {
            return Err(vec![
                wrong_type::<Self>(value.get_ref()).or_at(value.span()),
            ]);
        };
        let mut faults = Vec::new();
        let (mut selector, mut age, mut bytes, mut events) = (None, None, None, None);
        for (name, value) in table.iter() {
            match name.get_ref().as_ref() {
                "selector" => read(&mut selector, value, &mut faults),
                "age" => read(&mut age, value, &mut faults),
                "bytes" => read(&mut bytes, value, &mut faults),
                "events" => read(&mut events, value, &mut faults),
                unknown => faults.push(Fault::at(
                    name.span(),
                    format!(
                        "unknown key {} in [[retention.topics]]{}",
                        quoted(unknown),
                        did_you_mean(unknown, NAMES)
                    ),
                )),
            }
        }
        if !table.contains_key("selector") {
            faults.push(Fault::at(value.span(), "a \"selector\" is missing"));
        } else if age.is_none() && bytes.is_none() && events.is_none() && faults.is_empty() {
            faults.push(Fault::at(
                value.span(),
                "no bound is given: write age, bytes or events",
            ));
        }
        match selector {
            Some(selector) if faults.is_empty() => Ok(Self {
                selector,
                age,
                bytes,
                events,
            }),
            _ => Err(faults),
        }
    }
}
