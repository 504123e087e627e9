//! `tidings config check`, and how the configuration is loaded.

use crate::args::FileArgs;
use crate::{Failure, print};
use std::fmt::Write as _;
use std::path::PathBuf;
use tidings_server::config::{
    CONFIG_VARIABLE, Config, ConfigErrors, Flag, Limit, Machine, OrAuto, StoreKind, read_file,
};

/// Loads the configuration from its file, the environment and `flags`. Also
/// answers the name of the file, if there is one.
///
/// # Errors
/// Everything that is wrong with it, a line each; exit code 2.
pub fn load(file: &FileArgs, flags: &[Flag]) -> Result<(Config, Option<String>), Failure> {
    let path = file.config.clone().or_else(|| {
        std::env::var_os(CONFIG_VARIABLE)
            .filter(|path| !path.is_empty())
            .map(PathBuf::from)
    });
    let file = path.map(|path| read_file(&path)).transpose();
    let file = file.map_err(|error| invalid(&error.into()))?;
    let config = Config::load(file.as_ref(), std::env::vars_os(), flags);
    let config = config.map_err(|errors| invalid(&errors))?;
    Ok((config, file.map(|file| file.name)))
}

/// The failure of a configuration that can't be served.
pub fn invalid(errors: &ConfigErrors) -> Failure {
    let mut text = "the configuration is invalid".to_owned();
    for error in &errors.0 {
        let _ = write!(text, "\n  {error}");
    }
    Failure::usage(text)
}

/// Says that the configuration is valid, what deserves a second thought, and
/// what its limits can cost.
pub fn check(args: &FileArgs) -> Result<(), Failure> {
    let (config, file) = load(args, &[])?;
    // Whether there are files enough depends on the process that will serve;
    // where it is for them to decide how many there may be, this one stands in.
    let chosen =
        config.limits.connections == OrAuto::Auto && config.limits.subscriptions == OrAuto::Auto;
    let machine = match chosen {
        true => Machine::here(),
        false => Machine::BOUNDLESS,
    };
    let limits = config.engine_limits(machine);
    let limits = limits.map_err(|errors| invalid(&errors))?;
    let mut out = match file {
        Some(name) => format!("ok: {name}\n"),
        None => "ok: no file, only defaults and the environment\n".to_owned(),
    };
    let of_files = tidings_server::check_tls(&config).map_err(|errors| invalid(&errors))?;
    let of_keys = tidings_server::check_auth(&config).map_err(|errors| invalid(&errors))?;
    let of_files = of_files.into_iter().chain(of_keys);
    for warning in config.warnings().into_iter().chain(of_files) {
        let _ = writeln!(out, "warning: {warning}");
    }
    let _ = writeln!(
        out,
        "connections: {}, streams: {}{}",
        limits.connections,
        limits.subscriptions,
        if chosen {
            ", if the hub may open as many files as this process"
        } else {
            ""
        },
    );
    let _ = writeln!(out, "memory at worst: {}", about(limits.worst_case_bytes()));
    for term in limits.worst_case_arithmetic() {
        let _ = writeln!(out, "  {term}");
    }
    let kept = config.store_options().retention.total_bytes();
    let _ = match (config.store, kept) {
        (StoreKind::Disk, Some(bytes)) => writeln!(out, "history on disk: up to {}", about(bytes)),
        (StoreKind::Disk, None) => writeln!(out, "history on disk: no bound in bytes"),
        (StoreKind::Memory, Some(bytes)) => {
            writeln!(out, "history, in memory too: up to {}", about(bytes))
        }
        (StoreKind::Memory, None) => writeln!(out, "history, in memory too: no bound in bytes"),
    };
    if config.limits.memory_bytes == Limit::Unlimited {
        out.push_str("limits.memory_bytes isn't set: a hub with less memory starts all the same\n");
    }
    print(&out)
}

/// A size for people, to one decimal.
fn about(bytes: u64) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} bytes"),
        _ => format!("{value:.1} {}", units[unit]),
    }
}
