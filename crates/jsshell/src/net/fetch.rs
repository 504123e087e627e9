//! `native.fetch`: a task per fetch, which tells `js/fetch.js` what comes.

use super::fetching::{self, Credentials, Fetched, Mode, Redirect, Wanted};
use crate::host::{Host, Pending};
use crate::native::text::bytes_of;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use rquickjs::{Ctx, Exception, Function, Object, TypedArray};
use std::future::poll_fn;
use std::sync::Arc;
use tidings_eventsource::transport::Body;
use tokio::sync::mpsc;
use url::Url;

pub fn install<'js>(
    ctx: &Ctx<'js>,
    native: &Object<'js>,
    host: &Arc<Host>,
) -> rquickjs::Result<()> {
    let host = Arc::clone(host);
    let fetch =
        move |ctx: Ctx<'js>, id: u32, request: Object<'js>| start(&ctx, &host, id, &request);
    native.set("fetch", Function::new(ctx.clone(), fetch)?)
}

/// Starts fetch `id`. What is returned has `pull()`, which asks for a chunk of
/// the body, and `abort()`.
fn start<'js>(
    ctx: &Ctx<'js>,
    host: &Arc<Host>,
    id: u32,
    request: &Object<'js>,
) -> rquickjs::Result<Object<'js>> {
    let wanted = wanted(ctx, request)?;
    let (pull, pulls) = mpsc::unbounded_channel();
    let task = tokio::spawn(run(Arc::clone(host), id, wanted, host.pending(), pulls));
    let handle = Object::new(ctx.clone())?;
    let pending = Arc::clone(host);
    let ask = move || {
        // Nobody listens any more if the fetch is over.
        let _ = pull.send(pending.pending());
    };
    handle.set("pull", Function::new(ctx.clone(), ask)?)?;
    handle.set("abort", Function::new(ctx.clone(), move || task.abort())?)?;
    Ok(handle)
}

fn wanted<'js>(ctx: &Ctx<'js>, request: &Object<'js>) -> rquickjs::Result<Wanted> {
    let invalid = |what: &str| Exception::throw_type(ctx, &format!("fetch: {what}"));
    let url: String = request.get("url")?;
    let method: String = request.get("method")?;
    let body: Option<TypedArray<'js, u8>> = request.get("body")?;
    let mut headers = HeaderMap::new();
    for (name, value) in request
        .get::<_, Vec<Vec<String>>>("headers")?
        .iter()
        .filter_map(pair)
    {
        let name = HeaderName::try_from(name).map_err(|_| invalid("a header's name"))?;
        // Header values are byte strings: a character stands for its byte.
        let value: Vec<u8> = value.chars().map(|character| character as u8).collect();
        let value = HeaderValue::from_bytes(&value).map_err(|_| invalid("a header's value"))?;
        if !is_forbidden(&name) {
            headers.append(name, value);
        }
    }
    Ok(Wanted {
        url: Url::parse(&url).map_err(|_| invalid("the URL"))?,
        method: Method::try_from(method.as_str()).map_err(|_| invalid("the method"))?,
        headers,
        body: body
            .map(|body| bytes_of(&body).map(Bytes::from))
            .transpose()?,
        mode: match request.get::<_, String>("mode")?.as_str() {
            "no-cors" => Mode::NoCors,
            "same-origin" => Mode::SameOrigin,
            _ => Mode::Cors,
        },
        credentials: match request.get::<_, String>("credentials")?.as_str() {
            "omit" => Credentials::Omit,
            "include" => Credentials::Include,
            _ => Credentials::SameOrigin,
        },
        redirect: match request.get::<_, String>("redirect")?.as_str() {
            "error" => Redirect::Error,
            "manual" => Redirect::Manual,
            _ => Redirect::Follow,
        },
    })
}

fn pair(pair: &Vec<String>) -> Option<(&str, &str)> {
    match pair.as_slice() {
        [name, value] => Some((name, value)),
        _ => None,
    }
}

/// "Forbidden request-header": those are the browser's to set.
fn is_forbidden(name: &HeaderName) -> bool {
    const FORBIDDEN: [&str; 21] = [
        "accept-charset",
        "accept-encoding",
        "access-control-request-headers",
        "access-control-request-method",
        "connection",
        "content-length",
        "cookie",
        "cookie2",
        "date",
        "dnt",
        "expect",
        "host",
        "keep-alive",
        "origin",
        "referer",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
    ];
    let name = name.as_str();
    FORBIDDEN.contains(&name) || name.starts_with("proxy-") || name.starts_with("sec-")
}

async fn run(
    host: Arc<Host>,
    id: u32,
    wanted: Wanted,
    pending: Pending,
    mut pulls: mpsc::UnboundedReceiver<Pending>,
) {
    let network = &host.network;
    let origin = network.location.origin();
    let fetched = fetching::fetch(network.transport.as_ref(), &origin, wanted).await;
    let mut body = match fetched {
        Err(refusal) => return fail(&host, id, refusal),
        Ok(fetched) => announce(&host, id, fetched),
    };
    drop(pending);
    while let Some(_pending) = pulls.recv().await {
        match poll_fn(|cx| body.as_mut().poll_next(cx)).await {
            Some(Ok(chunk)) if chunk.is_empty() => {}
            Some(Ok(chunk)) => host.enter("fetch-chunk", |ctx, args| {
                args.push_arg(id)?;
                args.push_arg(TypedArray::<u8>::new_copy(ctx.clone(), chunk)?)
            }),
            Some(Err(_)) => return fail(&host, id, "the body broke off"),
            None => {
                return host.enter("fetch-chunk", |_, args| {
                    args.push_arg(id)?;
                    args.push_arg(None::<u8>)
                });
            }
        }
    }
}

fn announce(host: &Host, id: u32, fetched: Fetched) -> Body {
    let Fetched {
        kind,
        url,
        redirected,
        head,
        body,
    } = fetched;
    // An opaque response tells nothing, not even its status.
    let is_opaque = kind.starts_with("opaque");
    let status = if is_opaque { 0 } else { head.status.as_u16() };
    let headers = head.headers.iter().map(|(name, value)| {
        let value = value.as_bytes().iter().copied().map(char::from).collect();
        vec![name.as_str().to_owned(), value]
    });
    let headers: Vec<Vec<String>> = headers.collect();
    let reason = head
        .status
        .canonical_reason()
        .filter(|_| !is_opaque)
        .unwrap_or("");
    host.enter("fetch-head", |ctx, args| {
        args.push_arg(id)?;
        let head = Object::new(ctx.clone())?;
        head.set("type", kind)?;
        head.set("url", if kind == "opaque" { "" } else { url.as_str() })?;
        head.set("redirected", redirected)?;
        head.set("status", status)?;
        head.set("statusText", reason)?;
        head.set("headers", headers)?;
        head.set("hasBody", !is_opaque && !matches!(status, 204 | 205 | 304))?;
        args.push_arg(head)
    });
    body
}

fn fail(host: &Host, id: u32, refusal: &str) {
    host.enter("fetch-error", |_, args| {
        args.push_arg(id)?;
        args.push_arg(format!("fetch: {refusal}"))
    });
}
