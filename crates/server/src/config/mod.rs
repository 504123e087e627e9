//! The hub's configuration: one TOML file, the environment and flags, in
//! rising order of precedence. Unknown names are errors, wherever they stand.
//!
//! A setting is said once, in `settings.rs`. What it is called in the
//! environment follows from its name: `TIDINGS_<TABLE>_<KEY>`, or
//! `TIDINGS_<KEY>` at the top of the file; lists have commas between their
//! values. Before these, the environment of a Mercure hub's image is read.

mod auth;
mod check;
mod environment;
mod fault;
mod file;
mod key;
mod limits;
mod mercure;
mod print;
mod rules;
mod settings;
mod store;
mod tables;
mod topics;
mod value;

#[cfg(test)]
mod auth_tests;
#[cfg(test)]
mod mercure_tests;
#[cfg(test)]
mod tests;

pub use auth::{AuthKey, Material};
pub use environment::{CONFIG_VARIABLE, TOKEN_VARIABLE};
pub use fault::{ConfigError, ConfigErrors, Place};
pub use file::read_file;
pub use limits::Machine;
pub use mercure::Notes;
pub use print::default_toml;
pub use settings::{
    Auth, Config, Cors, Drain, Limits, Log, Mercure, Presence, Publish, Retention, Stream, Tls,
};
pub use topics::{TopicRetention, TopicStream};
pub use value::{
    ByteSize, CookieName, DocumentUrl, HostName, InvalidQuantity, Limit, LogFormat, LogLevel, Name,
    OrAuto, Origin, PublicUrl, Role, Secret, StoreKind, format_duration, parse_duration,
};

use fault::Fault;
use key::Key;
use std::collections::BTreeMap;
use std::ffi::OsString;
use value::Input;

/// A configuration file that has been read.
#[derive(Debug, Clone)]
pub struct File {
    /// What to call it in errors.
    pub name: String,
    /// What stands in it.
    pub text: String,
}

/// A setting given on the command line.
#[derive(Debug, Clone)]
pub struct Flag {
    /// The flag: `--listen`.
    pub name: &'static str,
    /// The setting it gives: `listen`, `log.level`.
    pub key: &'static str,
    /// Its value; for a list, with commas between.
    pub value: String,
}

impl Config {
    /// Makes a configuration: defaults, then `file`, then `environment` (first
    /// that of a Mercure hub's image, then what begins with `TIDINGS_`), then
    /// `flags`; then checks that its settings go together.
    ///
    /// # Errors
    /// Everything that is wrong with it, in one go.
    ///
    /// # Panics
    /// If a flag names a setting that doesn't exist.
    pub fn load(
        file: Option<&File>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        flags: &[Flag],
    ) -> Result<Self, ConfigErrors> {
        let mut loading = Loading::default();
        if let Some(file) = file {
            file::apply(&mut loading, file);
        }
        environment::apply(&mut loading, environment);
        for flag in flags {
            let key = settings::keys().find(|key| key.path == flag.key);
            let key = key.unwrap_or_else(|| panic!("no setting {}", flag.key));
            loading.set(key, Input::Text(&flag.value), |_| Place::Flag(flag.name));
        }
        loading.finish()
    }

    /// Checks that the settings go together, for a configuration that was made
    /// in code.
    ///
    /// # Errors
    /// Every contradiction, with its arithmetic.
    pub fn check(&self) -> Result<(), ConfigErrors> {
        Loading {
            config: self.clone(),
            ..Loading::default()
        }
        .finish()
        .map(drop)
    }
}

/// A configuration in the making.
#[derive(Default)]
struct Loading {
    config: Config,
    /// Where each setting was given last, by its path.
    places: BTreeMap<&'static str, Place>,
    errors: Vec<ConfigError>,
    /// The port that `SERVER_NAME` asks for.
    port: Option<u16>,
}

impl Loading {
    /// Reads one setting; `place` says where a fault is.
    fn set(&mut self, key: &Key, input: Input<'_>, place: impl Fn(&Fault) -> Place) {
        self.places.insert(key.path, place(&Fault::new("")));
        let Err(faults) = (key.set)(&mut self.config, input) else {
            return;
        };
        for fault in faults {
            self.errors.push(ConfigError {
                place: place(&fault),
                what: fault.what,
            });
        }
    }

    /// Whether the settings go together is only asked once each is valid.
    fn finish(mut self) -> Result<Config, ConfigErrors> {
        mercure::listen(&mut self);
        if self.errors.is_empty() {
            for contradiction in check::contradictions(&self.config) {
                let place = self.places.get(contradiction.key).cloned();
                self.errors.push(ConfigError {
                    place: place.unwrap_or(Place::Setting(contradiction.key)),
                    what: contradiction.what,
                });
            }
        }
        match self.errors.is_empty() {
            true => Ok(self.config),
            false => Err(ConfigErrors(self.errors)),
        }
    }
}
