//! The binary `tidings`.

#[cfg(all(feature = "jemalloc", not(target_env = "msvc")))]
mod allocator;
mod args;
mod bench;
mod config;
mod decode;
mod failure;
mod listen;
mod logging;
mod printer;
mod problem;
mod publish;
mod request;
mod serve;
mod token;

use args::{Cli, Command, ConfigCommand};
use clap::Parser;
use clap::error::{ContextKind, ContextValue};
use failure::Failure;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(mut error) => {
            hide_value(&mut error);
            // Help and version come here too. A closed pipe is nobody's fault.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "tidings: {}", failure.text);
            ExitCode::from(failure.code)
        }
    }
}

/// A word too many may be a part of a header that was not quoted: a token.
fn hide_value(error: &mut clap::Error) {
    let is_flag = |value: &ContextValue| value.to_string().starts_with('-');
    if error.kind() == clap::error::ErrorKind::UnknownArgument
        && !error.get(ContextKind::InvalidArg).is_some_and(is_flag)
    {
        let hidden = ContextValue::String("...".to_owned());
        error.insert(ContextKind::InvalidArg, hidden);
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Serve(args) => serve::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Listen(args) => listen::run(&args),
        Command::Publish(args) => publish::run(&args),
        Command::Decode { json } => decode_input(json),
        Command::Token { command } => token::run(&command),
        Command::Config { command } => match command {
            ConfigCommand::Check(args) => config::check(&args),
            ConfigCommand::Default => print(&tidings_server::config::default_toml()),
        },
    }
}

/// Writes to standard output. Who reads only the beginning and closes the pipe
/// has what they wanted.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::runtime(format!(
            "standard output can't be written: {error}"
        ))),
        _ => Ok(()),
    }
}

fn decode_input(json: bool) -> Result<(), Failure> {
    let form = match json {
        true => printer::Form::Json,
        false => printer::Form::Stream,
    };
    let (input, output) = (io::stdin().lock(), io::stdout().lock());
    let outcome = decode::run(
        input,
        output,
        io::stderr(),
        form,
        tidings_codec::Limits::default(),
    )
    .map_err(|error| Failure::runtime(format!("decode: {error}")))?;
    match outcome.too_large {
        0 => Ok(()),
        number => Err(Failure::runtime(format!(
            "decode: {number} of {} events were too large and were skipped",
            outcome.events + number
        ))),
    }
}
