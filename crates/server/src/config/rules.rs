//! Arrays of rules (`[[retention.topics]]`, `[[stream.topics]]`): what holds for
//! some topics. The first rule whose selector matches a topic holds for it.

use super::fault::{Fault, did_you_mean, quoted};
use super::value::{Setting, wrong_type};
use tidings_engine::Selector;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One rule of an array. Its table has a `selector`, and the keys that it reads
/// in [`Rule::read`].
pub(super) trait Rule: Sized {
    /// The array: `retention.topics`.
    const ARRAY: &'static str;
    /// A rule to show to somebody who wrote something else.
    const WANTED: &'static str;
    /// What to write if a rule says nothing.
    const NOTHING: &'static str;

    /// Which topics it is for.
    fn selector(&self) -> &Selector;

    /// What it says of them, by key.
    fn write(&self) -> Vec<(&'static str, Option<String>)>;

    /// Takes the keys it knows out of its table.
    fn read(selector: Selector, keys: &mut Keys<'_>) -> Self;
}

/// The keys of a rule's table while they are being read.
pub(super) struct Keys<'a> {
    table: &'a DeTable<'a>,
    known: Vec<&'static str>,
    given: usize,
    faults: Vec<Fault>,
}

impl Keys<'_> {
    /// The value of a key, if it is there and valid; what is wrong with it is
    /// told once all keys are read.
    pub fn take<T: Setting>(&mut self, name: &'static str) -> Option<T> {
        self.known.push(name);
        let value = self.table.get(name)?;
        self.given += 1;
        T::from_toml(value)
            .map_err(|faults| self.faults.extend(faults))
            .ok()
    }
}

impl<R: Rule> Setting for R {
    const WANTED: &'static str = R::WANTED;
    const SPLITS_AT_COMMAS: bool = false;

    fn from_text(_: &str) -> Result<Self, Fault> {
        Err(Fault::new(format!("expected {}", R::WANTED)))
    }

    fn to_toml(&self) -> String {
        let mut out = format!("{{ selector = {}", self.selector().to_toml());
        for (name, value) in self.write() {
            if let Some(value) = value {
                out.push_str(&format!(", {name} = {value}"));
            }
        }
        out + " }"
    }

    fn from_toml(value: &Spanned<DeValue<'_>>) -> Result<Self, Vec<Fault>> {
        let DeValue::Table(table) = value.get_ref() else {
            return Err(vec![wrong_type::<R>(value.get_ref()).or_at(value.span())]);
        };
        let mut keys = Keys {
            table,
            known: Vec::new(),
            given: 0,
            faults: Vec::new(),
        };
        let selector = keys.take::<Selector>("selector");
        // Its keys are read, and their faults told, even if the selector is wrong.
        let everything = || Selector::new("**").expect("a pattern");
        let rule = R::read(selector.unwrap_or_else(everything), &mut keys);
        let (known, given, mut faults) = (keys.known, keys.given, keys.faults);
        for (name, _) in table.iter() {
            let text = name.get_ref().as_ref();
            if !known.contains(&text) {
                let hint = did_you_mean(text, known.iter().copied());
                let what = format!("unknown key {} in [[{}]]{hint}", quoted(text), R::ARRAY);
                faults.push(Fault::at(name.span(), what));
            }
        }
        if !table.contains_key("selector") {
            faults.push(Fault::at(value.span(), "a \"selector\" is missing"));
        } else if given == 1 && faults.is_empty() {
            faults.push(Fault::at(value.span(), R::NOTHING));
        }
        if faults.is_empty() {
            Ok(rule)
        } else {
            Err(faults)
        }
    }
}
