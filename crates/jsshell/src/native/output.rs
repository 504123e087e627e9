//! Standard output and standard error.

use crate::host::Host;
use rquickjs::{Ctx, Function, Object};
use std::io::{self, Write};
use std::sync::Arc;

pub fn install<'js>(
    ctx: &Ctx<'js>,
    native: &Object<'js>,
    host: &Arc<Host>,
) -> rquickjs::Result<()> {
    native.set(
        "out",
        Function::new(ctx.clone(), |text: String| out(&text))?,
    )?;
    native.set(
        "err",
        Function::new(ctx.clone(), |text: String| err(&text))?,
    )?;
    let host = Arc::clone(host);
    let uncaught = move |text: String| host.report(&text);
    native.set("uncaught", Function::new(ctx.clone(), uncaught)?)
}

/// Line by line at once, so that who reads it sees how far a script is. Nobody
/// may be reading any more, which is no fault of the script; so with [`err`].
fn out(text: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// A line of standard error.
pub fn err(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
