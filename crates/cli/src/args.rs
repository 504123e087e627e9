//! What can be asked on the command line.

use crate::bench::BenchArgs;
use crate::listen::ListenArgs;
use crate::publish::PublishArgs;
use crate::token::TokenCommand;
use clap::{ArgAction, Args, Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;
use tidings_server::config::{Flag, parse_duration};

/// Carries events from a backend to everyone who watches, over plain HTTP, as
/// Server-Sent Events.
#[derive(Debug, Parser)]
#[command(name = "tidings", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a hub: publish by HTTP POST, watch by EventSource
    #[command(after_help = SERVE_HELP)]
    Serve(ServeArgs),
    /// Watch an event stream: reconnects, resumes, shows gaps
    Listen(ListenArgs),
    /// Publish an event, or a stream of them, to a topic of a hub
    Publish(PublishArgs),
    /// Read an event stream from standard input and write its events as they
    /// arrive
    Decode {
        /// One JSON object per event: {"event","data","id","retry"}
        #[arg(long)]
        json: bool,
    },
    /// Measure an SSE server: subscribers, publishers, and what they saw
    #[command(after_help = BENCH_HELP)]
    Bench(BenchArgs),
    /// Make a token, or say what one claims
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// Check the configuration, or print the default one
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

const SERVE_HELP: &str = "\
Flags go before the environment (TIDINGS_LISTEN, TIDINGS_STREAM_RETRY, ...),
which goes before the file. `tidings config default` prints every setting.

SIGTERM drains the hub, a second one ends it at once.
Exit codes: 0 stopped, 1 can't serve, 2 usage or configuration.";

const BENCH_HELP: &str = "\
Example, against a hub on this machine:
  tidings bench --subscribe http://127.0.0.1:8080/t/bench \\
    --publish http://127.0.0.1:8080/t/bench --connections 5000 --rate 100

Exit codes: 0 every subscriber got every event once and in order, 1 not, 2 usage.";
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check a configuration file together with the environment, and say what
    /// its limits can cost
    Check(FileArgs),
    /// Print every setting with its default, as a configuration file
    Default,
}

#[derive(Debug, Args)]
pub struct FileArgs {
    /// The configuration file (TOML), or - for standard input; also
    /// TIDINGS_CONFIG
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ServeArgs {
    #[command(flatten)]
    pub file: FileArgs,
    /// Where to listen: an IP address and a port, 0 for a free one; may be
    /// given more than once [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS", action = ArgAction::Append)]
    listen: Vec<String>,
    /// The directory of the log [default: ./tidings-data]
    #[arg(long, value_name = "DIRECTORY")]
    data: Option<String>,
    /// Where the log is kept: disk or memory [default: disk]
    #[arg(long, value_name = "KIND")]
    store: Option<String>,
    /// Let everyone who reaches the hub publish and watch, on every address and
    /// through proxies
    #[arg(long)]
    open: bool,
    /// Log lines: auto, text or json [default: auto]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// Log lines: error, warn, info, debug or trace [default: info]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
}

impl ServeArgs {
    /// The settings that were given as flags. Their values are read where all
    /// settings are, so that the errors are the same.
    pub fn flags(&self) -> Vec<Flag> {
        let listen = (!self.listen.is_empty()).then(|| self.listen.join(","));
        let given = [
            ("--listen", "listen", listen),
            ("--data", "data", self.data.clone()),
            ("--store", "store", self.store.clone()),
            ("--open", "open", self.open.then(|| "true".to_owned())),
            ("--log-format", "log.format", self.log_format.clone()),
            ("--log-level", "log.level", self.log_level.clone()),
        ];
        let flag =
            |(name, key, value): (_, _, Option<_>)| value.map(|value| Flag { name, key, value });
        given.into_iter().filter_map(flag).collect()
    }
}

/// The value of a flag that is a duration.
pub fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text)
        .map_err(|_| "expected a whole number and a unit: 500ms, 30s, 10m, 2h".to_owned())
}
