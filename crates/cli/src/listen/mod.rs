//! `tidings listen`: what curl is for a page, for an event stream.

mod args;
mod follow;
mod output;

pub use args::ListenArgs;

use crate::printer::{Form, Printer};
use crate::problem::{Explaining, Said};
use crate::{Failure, failure, request};
use args::{Format, Idle, Preset};
use follow::{Follow, Tell};
use http::Method;
use std::io::{IsTerminal, stderr, stdout};
use tidings_eventsource::protocol::{IdleTimeout, Policy};
use tidings_eventsource::{Builder, Notices, TokioRuntime};
use url::Url;

/// Writes the events of a stream until there will be none, or enough.
pub fn run(args: &ListenArgs) -> Result<(), Failure> {
    let mut url = request::url(&args.request.url)?;
    if let Some(since) = &args.since {
        request::add_parameter(&mut url, "since", since)?;
    }
    let place = request::place(&url);
    // Two threads: who waits for a slow reader of the output can be interrupted.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(Failure::runtime)?;
    runtime.block_on(async {
        tokio::spawn(async {
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(failure::INTERRUPTED.into());
            }
        });
        let (notices, said) = open(args, url)?;
        let follow = Follow {
            printer: Printer::new(stdout(), form(args)),
            tell: Tell {
                verbose: args.verbose || stderr().is_terminal(),
            },
            place,
            said,
            types: &args.types,
            hides_gaps: form(args) == Form::Data,
            left: args.count,
            wait: args.wait,
            timeout: args.timeout,
            stood: false,
            too_large: 0,
        };
        follow.run(notices).await
    })
    // What waits for the output to be closed may wait for ever; it ends with
    // the process.
}

fn form(args: &ListenArgs) -> Form {
    match args.format {
        _ if args.json => Form::Json,
        Format::Json => Form::Json,
        Format::Sse => Form::Stream,
        Format::Data => Form::Data,
    }
}

fn open(args: &ListenArgs, url: Url) -> Result<(Notices, Said), Failure> {
    let mut policy = match args.preset {
        Preset::Standard => Policy::standard(),
        Preset::Resilient => Policy::resilient(),
        Preset::Once => Policy::once(),
    };
    match args.idle {
        Some(Idle::Never) => policy.idle = IdleTimeout::Never,
        Some(Idle::After(time)) => policy.idle = IdleTimeout::After(time),
        None => {}
    }
    let transport = Explaining::new(request::transport(&args.request)?);
    let said = transport.said();
    let headers = request::all_headers(&args.request, &url)?;
    let mut builder = Builder::new(url, transport, TokioRuntime::new()).policy(policy);
    if let Some(data) = &args.data {
        let body = request::body(data)?;
        builder = builder.body(request::content_type(&body), body);
    }
    builder = builder.headers(headers);
    if let Some(method) = &args.method {
        let method = Method::from_bytes(method.as_bytes());
        builder = builder.method(
            method.map_err(|_| Failure::usage("--method: it has characters that can't be sent"))?,
        );
    }
    if let Some(id) = &args.last_event_id {
        builder = builder.last_event_id(id);
    }
    if let Some(data) = &args.until {
        builder = builder.until_data(data.as_str());
    }
    let stream = builder
        .open()
        .map_err(|error| Failure::stream(&error, &error))?;
    Ok((stream.notices(), said))
}
