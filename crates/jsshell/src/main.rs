//! `jsshell`: a JavaScript shell whose `EventSource` is `tidings-eventsource`.
//!
//! It evaluates scripts in one realm with the globals that the scripts of a web
//! page expect, so that the web platform's own tests of EventSource can be run
//! against the crate, unmodified. `js/` has the globals, [`realm`] the engine
//! and [`host`] the event loop behind them; [`net`] is where the realm meets
//! `tidings-eventsource`.

mod host;
mod native;
mod net;
mod options;
mod realm;
mod timers;

use options::{End, Options};
use std::process::ExitCode;

fn main() -> ExitCode {
    let options = match Options::from_args() {
        Ok(options) => options,
        Err(error) => error.exit(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&format!("the event loop can't be started: {error}")),
    };
    match runtime.block_on(realm::run(options)) {
        // The engine insists on counting every value back in, those that
        // detached tasks hold too; a process that ends needn't.
        Ok(end) => std::process::exit(end as i32),
        Err(error) => refuse(&error),
    }
}

fn refuse(error: &str) -> ExitCode {
    native::output::err(&format!("jsshell: {error}"));
    ExitCode::from(End::Usage as u8)
}
