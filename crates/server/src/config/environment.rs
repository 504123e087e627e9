//! The environment: that of a Mercure hub's image, then `TIDINGS_*`.

use super::fault::{did_you_mean, quoted};
use super::settings::keys;
use super::value::Input;
use super::{ConfigError, Loading, Place, mercure};
use std::ffi::OsString;

const PREFIX: &str = "TIDINGS_";

/// Names the configuration file, as `--config` does. The binary reads it.
pub const CONFIG_VARIABLE: &str = "TIDINGS_CONFIG";

/// Holds the token that `tidings listen` and `publish` send. A hub has no use
/// for it, and may be started where it is set.
pub const TOKEN_VARIABLE: &str = "TIDINGS_TOKEN";

/// Whether somebody else sets this variable: Kubernetes gives every container
/// in the namespace `TIDINGS_SERVICE_HOST`, `TIDINGS_SERVICE_PORT[_NAME]`,
/// `TIDINGS_PORT` and `TIDINGS_PORT_80_TCP[_…]` if a service is called "tidings".
fn is_foreign(name: &str) -> bool {
    name == CONFIG_VARIABLE || name == TOKEN_VARIABLE || is_of_a_service(name, PREFIX)
}

/// Whether Kubernetes sets it for a service whose variables begin with `prefix`.
pub(super) fn is_of_a_service(name: &str, prefix: &str) -> bool {
    let Some(rest) = name.strip_prefix(prefix) else {
        return false;
    };
    let numbered_port = |rest: &str| {
        rest.strip_prefix("PORT_")
            .is_some_and(|port| port.starts_with(|c: char| c.is_ascii_digit()))
    };
    matches!(rest, "PORT" | "SERVICE_HOST" | "SERVICE_PORT")
        || rest.starts_with("SERVICE_PORT_")
        || numbered_port(rest)
}

/// Applies the environment over what is loaded.
pub(super) fn apply(
    loading: &mut Loading,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) {
    let mut ours: Vec<(String, OsString)> = environment
        .into_iter()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value))
        .collect();
    ours.sort();
    mercure::apply(loading, &ours);
    ours.retain(|(name, _)| name.starts_with(PREFIX) && !is_foreign(name));
    for (name, value) in ours {
        let place = |name: &str| Place::Env(name.to_owned());
        let Some(key) = keys().find(|key| key.variable() == name) else {
            loading.errors.push(unknown(&name));
            continue;
        };
        match value.to_str() {
            Some(text) => loading.set(key, Input::Text(text), |_| place(&name)),
            None => loading.errors.push(ConfigError {
                place: place(&name),
                what: "its value isn't UTF-8".to_owned(),
            }),
        }
    }
}

fn unknown(name: &str) -> ConfigError {
    let names: Vec<String> = keys().map(|key| key.variable()).collect();
    let hint = did_you_mean(name, names.iter().map(String::as_str));
    let shown = quoted(name);
    ConfigError {
        place: Place::Env(shown.trim_matches('"').to_owned()),
        what: format!("there is no such setting{hint}"),
    }
}
