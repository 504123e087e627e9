//! Timers, the microtask checkpoint, and the garbage collector.

use crate::host::Host;
use rquickjs::{Ctx, Function, Object};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

pub fn install<'js>(
    ctx: &Ctx<'js>,
    native: &Object<'js>,
    host: &Arc<Host>,
) -> rquickjs::Result<()> {
    let timers = Arc::clone(host);
    let set = move |id: u32, milliseconds: u32| {
        let delay = Duration::from_millis(milliseconds.into());
        timers.timers().set(id, Instant::now(), delay);
        timers.wake();
    };
    native.set("setTimer", Function::new(ctx.clone(), set)?)?;

    let timers = Arc::clone(host);
    let clear = move |id: u32| {
        timers.timers().clear(id);
        timers.wake();
    };
    native.set("clearTimer", Function::new(ctx.clone(), clear)?)?;

    native.set("checkpoint", Function::new(ctx.clone(), checkpoint)?)?;
    native.set(
        "collect",
        Function::new(ctx.clone(), |ctx: Ctx<'_>| ctx.run_gc())?,
    )
}

/// HTML, "perform a microtask checkpoint": behind each callback of the event
/// loop, although the dispatch around it goes on.
fn checkpoint(ctx: Ctx<'_>) {
    while ctx.execute_pending_job() {}
}
