//! The list of settings: each is said once, and the struct field, its default,
//! its range, the file, the environment and the printed default follow.

use super::Config;
use super::fault::Fault;
use super::value::Input;

/// One setting.
pub(super) struct Key {
    /// The table it stands in; empty at the top of the file.
    pub section: &'static str,
    /// `section.name`, or the name alone at the top.
    pub path: &'static str,
    /// Its name in that table.
    pub name: &'static str,
    /// What it means, line by line.
    pub doc: &'static [&'static str],
    /// The range it must be in, as text.
    pub range: Option<(&'static str, &'static str)>,
    /// Reads a value into the configuration.
    pub set: fn(&mut Config, Input<'_>) -> Result<(), Vec<Fault>>,
    /// Writes the configuration's value as TOML.
    pub show: fn(&Config) -> String,
}

impl Key {
    /// The environment variable: `TIDINGS_<SECTION>_<NAME>`.
    pub fn variable(&self) -> String {
        format!("TIDINGS_{}", self.path.replace('.', "_").to_uppercase())
    }
}

/// Declares one table of settings: a struct with a documented field per
/// setting, its `Default`, and its `KEYS`. Defaults and ranges are text, as the
/// environment gives it.
macro_rules! settings {
    (
        $(#[doc = $doc:literal])*
        $name:ident, table $section:literal at $config:ident => $place:expr, {
            $(
                $(#[doc = $field_doc:literal])*
                $field:ident: $type:ty = $default:literal $(from $low:literal to $high:literal)?;
            )*
        }
        $(tables { $( $(#[doc = $table_doc:literal])* $table:ident: $table_type:ident, )* })?
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $(
                $(#[doc = $field_doc])*
                #[doc = ""]
                #[doc = concat!("Default: `", $default, "`.")]
                $(#[doc = concat!("Range: `", $low, "` to `", $high, "`.")])?
                pub $field: $type,
            )*
            $($(
                $(#[doc = $table_doc])*
                pub $table: $table_type,
            )*)?
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $( $field: $crate::config::key::default_value(stringify!($field), $default), )*
                    $($( $table: $table_type::default(), )*)?
                }
            }
        }

        impl $name {
            pub(super) const KEYS: &'static [$crate::config::key::Key] = &[$(
                $crate::config::key::Key {
                    section: $section,
                    path: $crate::config::key::path(
                        concat!($section, ".", stringify!($field)),
                    ),
                    name: stringify!($field),
                    doc: &[$($field_doc),*],
                    range: $crate::config::key::range(&[$($low, $high)?]),
                    set: |$config, input| {
                        let value = <$type as $crate::config::value::Setting>::read(input)?;
                        $($crate::config::value::within(&value, $low, $high)
                            .map_err(|fault| vec![fault])?;)?
                        $place.$field = value;
                        Ok(())
                    },
                    show: |$config| {
                        $crate::config::value::Setting::to_toml(&$place.$field)
                    },
                },
            )*];
        }
    };
}
pub(super) use settings;

/// Reads a default, which a test has read before.
pub(super) fn default_value<T: super::value::Setting>(name: &str, text: &str) -> T {
    T::from_text(text).unwrap_or_else(|fault| panic!("the default of {name}: {}", fault.what))
}

/// The two ends of a range, if it has any.
pub(super) const fn range(ends: &[&'static str]) -> Option<(&'static str, &'static str)> {
    match ends {
        [low, high] => Some((low, high)),
        _ => None,
    }
}

/// Takes off the dot that precedes a name at the top of the file.
pub(super) const fn path(dotted: &'static str) -> &'static str {
    match dotted.as_bytes() {
        [b'.', ..] => dotted.split_at(1).1,
        _ => dotted,
    }
}
