//! The configuration file.

use super::fault::{Fault, did_you_mean, quoted};
use super::key::Key;
use super::settings::TABLES;
use super::value::Input;
use super::{ConfigError, File, Loading, Place};
use std::io::Read;
use std::ops::Range;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The largest configuration file, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// Reads a configuration file, or standard input for `-`.
///
/// # Errors
/// It is missing, unreadable, larger than 1 MiB or not UTF-8.
pub fn read_file(path: &Path) -> Result<File, ConfigError> {
    let from_stdin = path.as_os_str() == "-";
    let name = match from_stdin {
        true => "standard input".to_owned(),
        false => path.display().to_string(),
    };
    let mut bytes = Vec::new();
    let read = match from_stdin {
        true => std::io::stdin()
            .lock()
            .take(MAX_BYTES + 1)
            .read_to_end(&mut bytes),
        false => std::fs::File::open(path)
            .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)),
    };
    let error = |what: String| ConfigError {
        place: Place::WholeFile(name.clone()),
        what,
    };
    match read {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(error("there is no such configuration file".to_owned()));
        }
        Err(e) => return Err(error(format!("the configuration file can't be read: {e}"))),
        Ok(_) if bytes.len() as u64 > MAX_BYTES => {
            return Err(error(
                "the configuration file is larger than 1 MiB".to_owned(),
            ));
        }
        Ok(_) => {}
    }
    let text = String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        let valid = String::from_utf8_lossy(&e.as_bytes()[..at]);
        let (line, column) = line_and_column(&valid, at);
        ConfigError {
            place: Place::File(name.clone(), line, column),
            what: "a byte that isn't UTF-8".to_owned(),
        }
    })?;
    Ok(File { name, text })
}

/// The line and column, from 1, of byte `at`.
fn line_and_column(text: &str, at: usize) -> (u32, u32) {
    let before = &text.as_bytes()[..at.min(text.len())];
    let line_start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
    let line = memchr::memchr_iter(b'\n', before).count() + 1;
    let column = String::from_utf8_lossy(&before[line_start..])
        .chars()
        .count()
        + 1;
    let clamp = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    (clamp(line), clamp(column))
}

/// Applies `file` over what is loaded.
pub(super) fn apply(loading: &mut Loading, file: &File) {
    let mut reader = Reader { loading, file };
    let (table, errors) = DeTable::parse_recoverable(&file.text);
    if !errors.is_empty() {
        for error in errors.iter().take(10) {
            // Only its message: its Display prints the line, which may hold a secret.
            reader.fault(Fault {
                span: error.span(),
                what: error.message().to_owned(),
            });
        }
        return;
    }
    reader.top(table.get_ref());
    reader
        .loading
        .errors
        .sort_by_key(|error| match error.place {
            Place::File(_, line, column) => (line, column),
            _ => (0, 0),
        });
}

struct Reader<'a> {
    loading: &'a mut Loading,
    file: &'a File,
}

impl Reader<'_> {
    fn top(&mut self, table: &DeTable<'_>) {
        for (name, value) in table.iter() {
            let section = TABLES
                .iter()
                .find(|(section, _, _)| name.get_ref() == section);
            match (section, value.get_ref()) {
                (Some((section, _, keys)), DeValue::Table(table)) if !section.is_empty() => {
                    for (name, value) in table.iter() {
                        self.setting(section, keys, name, value);
                    }
                }
                (Some((section, _, _)), _) if !section.is_empty() => self.fault(Fault::at(
                    value.span(),
                    format!("expected a table, [{section}]"),
                )),
                _ => self.setting("", TABLES[0].2, name, value),
            }
        }
    }

    fn setting(
        &mut self,
        section: &str,
        keys: &'static [Key],
        name: &Spanned<impl AsRef<str>>,
        value: &Spanned<DeValue<'_>>,
    ) {
        let Some(key) = keys.iter().find(|key| key.name == name.get_ref().as_ref()) else {
            self.unknown(section, keys, name);
            return;
        };
        let file = self.file;
        let place = |fault: &Fault| place(file, fault.span.clone().unwrap_or(value.span()));
        self.loading.set(key, Input::Toml(value), place);
    }

    fn unknown(&mut self, section: &str, keys: &[Key], name: &Spanned<impl AsRef<str>>) {
        let given = name.get_ref().as_ref();
        let tables = TABLES.iter().map(|(table, _, _)| *table);
        let tables = tables.filter(|table| section.is_empty() && !table.is_empty());
        let mut hint = elsewhere(given);
        if hint.is_empty() {
            hint = did_you_mean(given, keys.iter().map(|key| key.name).chain(tables));
        }
        let place = match section {
            "" => "at the top of the file".to_owned(),
            section => format!("in [{section}]"),
        };
        let what = format!("unknown key {} {place}{hint}", quoted(given));
        self.fault(Fault::at(name.span(), what));
    }

    fn fault(&mut self, fault: Fault) {
        let place = match fault.span {
            Some(span) => place(self.file, span),
            None => Place::WholeFile(self.file.name.clone()),
        };
        self.loading.errors.push(ConfigError {
            place,
            what: fault.what,
        });
    }
}

fn place(file: &File, span: Range<usize>) -> Place {
    let (line, column) = line_and_column(&file.text, span.start);
    Place::File(file.name.clone(), line, column)
}

/// A hint for a key that exists, but in another table.
fn elsewhere(name: &str) -> String {
    match super::settings::keys().find(|key| key.name == name) {
        Some(key) if key.section.is_empty() => {
            format!("; \"{name}\" stands at the top of the file, before any table")
        }
        Some(key) => format!("; \"{name}\" stands in [{}]", key.section),
        None => String::new(),
    }
}
