//! Log lines, on standard error.

use std::io::{IsTerminal, stderr};
use std::panic::PanicHookInfo;
use std::time::Instant;
use tidings_server::config::{Log, LogFormat, LogLevel};
use tidings_server::occasional::Occasional;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// Sends log lines to standard error from now on, those of panics among them.
pub fn start(log: &Log) {
    let terminal = stderr().is_terminal();
    let json = match log.format {
        LogFormat::Auto => !terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines = fmt::layer()
        .with_writer(stderr)
        .with_ansi(colour && !json)
        // It would print to the standard error that just failed, and panic.
        .log_internal_errors(false);
    let lines = match json {
        true => lines.json().flatten_event(true).boxed(),
        false => lines.boxed(),
    };
    tracing_subscriber::registry()
        .with(lines.with_filter(filter(log.level)))
        .init();
    let panics = Occasional::default();
    std::panic::set_hook(Box::new(move |panic| say(&panics, panic)));
}

/// A panic, without what it says: that may have been made of what a stranger sent,
/// who may cause as many as they like. Those of parsers are caught.
fn say(panics: &Occasional, panic: &PanicHookInfo<'_>) {
    let Some(times) = panics.count(Instant::now()) else {
        return;
    };
    let place = panic.location().map(ToString::to_string);
    let place = place.as_deref().unwrap_or("an unknown place");
    tracing::error!(
        place,
        times,
        "a part of the hub panicked; this is a defect of the hub or of a library"
    );
}

/// The libraries below may log headers and payloads when asked for detail, so
/// they are never asked.
fn filter(level: LogLevel) -> Targets {
    let level = match level {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warn => Level::WARN,
        LogLevel::Info => Level::INFO,
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Trace => Level::TRACE,
    };
    Targets::new()
        .with_default(level.min(Level::WARN))
        .with_target("tidings", level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_lines_can_be_detailed() {
        let filter = filter(LogLevel::Trace);
        assert!(filter.would_enable("tidings_server::hub", &Level::TRACE));
        assert!(filter.would_enable("tidings", &Level::TRACE));
        assert!(filter.would_enable("hyper::proto", &Level::WARN));
        assert!(!filter.would_enable("hyper::proto", &Level::INFO));
        let filter = super::filter(LogLevel::Error);
        assert!(!filter.would_enable("tidings_server::hub", &Level::WARN));
        assert!(!filter.would_enable("hyper::proto", &Level::WARN));
    }
}
