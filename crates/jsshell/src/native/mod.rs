//! What the globals of `js/` can't do themselves: the object that each of those
//! files gets as `native`.

pub mod output;
pub mod text;
mod timing;
mod url;

use crate::host::Host;
use crate::net;
use rquickjs::{Ctx, Object};
use std::sync::Arc;

/// All of it.
pub fn functions<'js>(ctx: &Ctx<'js>, host: &Arc<Host>) -> rquickjs::Result<Object<'js>> {
    let native = Object::new(ctx.clone())?;
    native.set("location", host.network.location().as_str())?;
    output::install(ctx, &native, host)?;
    text::install(ctx, &native)?;
    timing::install(ctx, &native, host)?;
    url::install(ctx, &native)?;
    net::install(ctx, &native, host)?;
    Ok(native)
}
