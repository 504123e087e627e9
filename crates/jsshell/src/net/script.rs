//! `importScripts()`: it waits for the network, so it has a thread of its own.

use crate::host::Host;
use crate::realm::script;
use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use rquickjs::{Ctx, Function, Object};
use std::future::poll_fn;
use std::sync::Arc;
use std::thread;
use tidings_eventsource::protocol::Request;
use tidings_eventsource::transport::Transport;
use url::Url;

/// A script that is longer is none.
const MAX_BYTES: usize = 64 << 20;
const MAX_REDIRECTS: usize = 20;

pub fn install<'js>(
    ctx: &Ctx<'js>,
    native: &Object<'js>,
    host: &Arc<Host>,
) -> rquickjs::Result<()> {
    let host = Arc::clone(host);
    let load = move |url: String| load(&host, &url);
    native.set("loadScript", Function::new(ctx.clone(), load)?)?;
    native.set("evaluate", Function::new(ctx.clone(), evaluate)?)
}

fn evaluate(ctx: Ctx<'_>, text: String, name: String) -> rquickjs::Result<()> {
    ctx.eval_with_options(text, script(&name))
}

/// The text behind `url`, if there is one.
fn load(host: &Host, url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    thread::scope(|scope| scope.spawn(|| load_here(host, url)).join().ok()?)
}

fn load_here(host: &Host, url: Url) -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .ok()?;
    runtime.block_on(async {
        let transport = host.network.another_transport();
        let bytes = tokio::time::timeout(host.network.patience, get(transport.as_ref(), url))
            .await
            .ok()??;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    })
}

async fn get(transport: &dyn Transport, mut url: Url) -> Option<Vec<u8>> {
    for _ in 0..=MAX_REDIRECTS {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        let request = Request {
            method: Method::GET,
            url: url.clone(),
            headers,
            body: None,
            cookies: true,
        };
        let mut response = transport.send(request).await.ok()?;
        if response.head.status.is_redirection() {
            let location = response.head.headers.get(http::header::LOCATION)?;
            url = url.join(location.to_str().ok()?).ok()?;
            continue;
        }
        if response.head.status != StatusCode::OK {
            return None;
        }
        let mut text = Vec::new();
        while let Some(chunk) = poll_fn(|cx| response.body.as_mut().poll_next(cx)).await {
            text.extend_from_slice(&chunk.ok()?);
            if text.len() > MAX_BYTES {
                return None;
            }
        }
        return Some(text);
    }
    None
}
