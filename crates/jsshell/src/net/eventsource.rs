//! `native.openEventSource`: the crate's EventSource behind the realm's.

use crate::host::Host;
use rquickjs::{Ctx, Function, Object};
use std::sync::Arc;
use tidings_eventsource::event_source::Listeners;
use tidings_eventsource::{DomEvent, EventSource, EventSourceInit};

pub fn install<'js>(
    ctx: &Ctx<'js>,
    native: &Object<'js>,
    host: &Arc<Host>,
) -> rquickjs::Result<()> {
    let own = Arc::clone(host);
    let open = move |ctx: Ctx<'js>, id: u32, url: String, with_credentials: bool| {
        let init = EventSourceInit {
            with_credentials,
            base: Some(own.network.location.clone()),
            origin: Some(own.network.location.origin()),
            listeners: listeners(&own, id),
            ..EventSourceInit::default()
        };
        let source = EventSource::over(&url, init, Arc::clone(&own.network.transport));
        // Only a URL that can't be parsed is refused; undefined stands for it.
        source
            .ok()
            .map(|source| connect(&ctx, &own, id, source))
            .transpose()
    };
    native.set("openEventSource", Function::new(ctx.clone(), open)?)
}

/// Takes every event of the stream into the realm, where its listeners are.
pub fn listeners(host: &Arc<Host>, id: u32) -> Listeners {
    let host = Arc::clone(host);
    Listeners::new().on_any(move |_, event| fire(&host, id, event))
}

fn fire(host: &Host, id: u32, event: &DomEvent) {
    host.enter("source-event", |ctx, args| {
        args.push_arg(id)?;
        args.push_arg(event.event_type())?;
        let Some(message) = event.message() else {
            return Ok(());
        };
        let own = Object::new(ctx.clone())?;
        own.set("data", message.data.as_str())?;
        own.set("origin", message.origin.as_str())?;
        own.set("lastEventId", message.last_event_id.as_str())?;
        args.push_arg(own)
    });
}

/// What `js/eventsource.js` calls the connection. Dropping it aborts (A7).
pub fn connect<'js>(
    ctx: &Ctx<'js>,
    host: &Arc<Host>,
    id: u32,
    source: EventSource,
) -> rquickjs::Result<Object<'js>> {
    let closed = source.closed();
    let pending = host.pending();
    let told = Arc::clone(host);
    tokio::spawn(async move {
        closed.await;
        told.enter("source-closed", |_, args| args.push_arg(id));
        drop(pending);
    });
    let connection = Object::new(ctx.clone())?;
    connection.set("url", source.url())?;
    connection.set("withCredentials", source.with_credentials())?;
    let source = Arc::new(source);
    let own = Arc::clone(&source);
    let state = move || own.ready_state() as u8;
    connection.set("readyState", Function::new(ctx.clone(), state)?)?;
    let own = Arc::clone(&source);
    let last_event_id = move || own.last_event_id().as_str().to_owned();
    connection.set("lastEventId", Function::new(ctx.clone(), last_event_id)?)?;
    let own = Arc::clone(&source);
    let time = move || own.reconnection_time().as_millis() as f64;
    connection.set("reconnectionTime", Function::new(ctx.clone(), time)?)?;
    let own = Arc::clone(&source);
    connection.set("reset", Function::new(ctx.clone(), move || own.reset())?)?;
    connection.set("close", Function::new(ctx.clone(), move || source.close())?)?;
    Ok(connection)
}
