//! `document.cookie`.

use crate::host::Host;
use rquickjs::{Ctx, Function, Object};
use std::sync::Arc;

pub fn install<'js>(
    ctx: &Ctx<'js>,
    native: &Object<'js>,
    host: &Arc<Host>,
) -> rquickjs::Result<()> {
    let own = Arc::clone(host);
    let get = move || own.network.cookies.get(&own.network.location);
    native.set("cookies", Function::new(ctx.clone(), get)?)?;
    let own = Arc::clone(host);
    let set = move |cookie: String| own.network.cookies.set(&cookie, &own.network.location);
    native.set("setCookie", Function::new(ctx.clone(), set)?)
}
