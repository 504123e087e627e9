//! Lists: an array in TOML, or a single value; as text, values with commas
//! between them.

use super::{Setting, wrong_type};
use crate::config::fault::Fault;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

impl<T: Setting> Setting for Vec<T> {
    const WANTED: &'static str = T::WANTED;

    fn from_text(text: &str) -> Result<Self, Fault> {
        if text.trim().is_empty() {
            return Ok(Self::new());
        }
        if T::SPLITS_AT_COMMAS {
            return text
                .split(',')
                .map(|item| T::from_text(item.trim()))
                .collect();
        }
        let file = format!("list = {text}");
        let no_list = || Fault::new("expected an array as TOML writes it, on one line");
        let table = DeTable::parse(&file).map_err(|_| no_list())?;
        let list = table.get_ref().get("list").ok_or_else(no_list)?;
        // The places in `file` mean nothing to who wrote the text.
        Self::from_toml(list).map_err(|faults| Fault {
            span: None,
            what: faults
                .into_iter()
                .next()
                .map_or_else(String::new, |fault| fault.what),
        })
    }

    fn to_toml(&self) -> String {
        let items: Vec<String> = self.iter().map(Setting::to_toml).collect();
        format!("[{}]", items.join(", "))
    }

    fn from_toml(value: &Spanned<DeValue<'_>>) -> Result<Self, Vec<Fault>> {
        match value.get_ref() {
            DeValue::Array(items) => {
                let mut list = Self::new();
                let mut faults = Vec::new();
                for item in items.iter() {
                    match T::from_toml(item) {
                        Ok(item) => list.push(item),
                        Err(more) => faults.extend(more),
                    }
                }
                if faults.is_empty() {
                    Ok(list)
                } else {
                    Err(faults)
                }
            }
            DeValue::String(_) => T::from_toml(value).map(|item| vec![item]),
            other => Err(vec![wrong_type::<Self>(other).or_at(value.span())]),
        }
    }
}
