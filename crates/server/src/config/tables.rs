//! Tables that stand in arrays: `[[retention.topics]]`, `[[auth.keys]]`.

use super::fault::{Fault, did_you_mean, quoted};
use super::value::{Setting, wrong_type};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The keys of a table while they are being read.
pub(super) struct Keys<'a> {
    table: &'a DeTable<'a>,
    span: Range<usize>,
    known: Vec<&'static str>,
    faults: Vec<Fault>,
}

impl Keys<'_> {
    /// The value of a key, if it is there and valid; what is wrong with it is
    /// told once all keys are read.
    pub fn take<T: Setting>(&mut self, name: &'static str) -> Option<T> {
        self.known.push(name);
        let value = self.table.get(name)?;
        T::from_toml(value)
            .map_err(|faults| self.faults.extend(faults))
            .ok()
    }

    /// Whether a key is there, valid or not.
    pub fn has(&self, name: &str) -> bool {
        self.table.contains_key(name)
    }

    /// How many keys there are, known or not.
    pub fn count(&self) -> usize {
        self.table.len()
    }

    /// Whether nothing was found wrong so far.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }

    /// Something is wrong with the table.
    pub fn fault(&mut self, what: impl Into<String>) {
        self.faults.push(Fault::at(self.span.clone(), what));
    }

    /// Something is wrong with the value of a key, or the table lacks it.
    pub fn fault_of(&mut self, name: &str, what: impl Into<String>) {
        let span = self.table.get(name).map(Spanned::span);
        let span = span.unwrap_or_else(|| self.span.clone());
        self.faults.push(Fault::at(span, what));
    }
}

/// Reads a table of the array `array`; keys that `read` doesn't take are wrong.
pub(super) fn read_table<T: Setting>(
    value: &Spanned<DeValue<'_>>,
    array: &str,
    read: impl FnOnce(&mut Keys<'_>) -> Option<T>,
) -> Result<T, Vec<Fault>> {
    let DeValue::Table(table) = value.get_ref() else {
        return Err(vec![wrong_type::<T>(value.get_ref()).or_at(value.span())]);
    };
    let mut keys = Keys {
        table,
        span: value.span(),
        known: Vec::new(),
        faults: Vec::new(),
    };
    let entry = read(&mut keys);
    let (known, mut faults) = (keys.known, keys.faults);
    for (name, _) in table.iter() {
        let text = name.get_ref().as_ref();
        if !known.contains(&text) {
            let hint = did_you_mean(text, known.iter().copied());
            let what = format!("unknown key {} in [[{array}]]{hint}", quoted(text));
            faults.push(Fault::at(name.span(), what));
        }
    }
    match entry {
        Some(entry) if faults.is_empty() => Ok(entry),
        _ => Err(faults),
    }
}

/// A table on one line, without the keys that have no value.
pub(super) fn write_table(
    keys: impl IntoIterator<Item = (&'static str, Option<String>)>,
) -> String {
    let given = keys
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name} = {}", value?)));
    format!("{{ {} }}", given.collect::<Vec<_>>().join(", "))
}
