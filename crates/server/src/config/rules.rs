//! Arrays of rules (`[[retention.topics]]`, `[[stream.topics]]`): what holds for
//! some topics. The first rule whose selector matches a topic holds for it.

use super::fault::Fault;
use super::tables::{Keys, read_table, write_table};
use super::value::Setting;
use tidings_engine::Selector;
use toml::Spanned;
use toml::de::DeValue;

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

impl<R: Rule> Setting for R {
    const WANTED: &'static str = R::WANTED;
    const SPLITS_AT_COMMAS: bool = false;

    fn from_text(_: &str) -> Result<Self, Fault> {
        Err(Fault::new(format!("expected {}", R::WANTED)))
    }

    fn to_toml(&self) -> String {
        let selector = ("selector", Some(self.selector().to_toml()));
        write_table([selector].into_iter().chain(self.write()))
    }

    fn from_toml(value: &Spanned<DeValue<'_>>) -> Result<Self, Vec<Fault>> {
        read_table(value, R::ARRAY, |keys| {
            let selector = keys.take::<Selector>("selector");
            // Its keys are read, and their faults told, even if the selector is wrong.
            let everything = || Selector::new("**").expect("a pattern");
            let rule = R::read(selector.unwrap_or_else(everything), keys);
            if !keys.has("selector") {
                keys.fault("a \"selector\" is missing");
            } else if keys.count() == 1 && keys.is_sound() {
                keys.fault(R::NOTHING);
            }
            Some(rule)
        })
    }
}
