//! The engine, the realm, and the event loop that drives it.

use crate::host::Host;
use crate::native::{self, output::err};
use crate::net::Network;
use crate::options::{End, Options, Script};
use rquickjs::context::EvalOptions;
use rquickjs::{Context, Ctx, Function, Object, Runtime};
use std::fs;
use std::io::{self, Read, Write};
use std::sync::Arc;
use tokio::time::Instant;

/// The realm's globals, in the order in which they need each other.
const GLOBALS: [(&str, &str); 15] = [
    ("boot.js", include_str!("js/boot.js")),
    ("webidl.js", include_str!("js/webidl.js")),
    ("events.js", include_str!("js/events.js")),
    ("abort.js", include_str!("js/abort.js")),
    ("timers.js", include_str!("js/timers.js")),
    ("url.js", include_str!("js/url.js")),
    ("readable.js", include_str!("js/readable.js")),
    ("writable.js", include_str!("js/writable.js")),
    ("transform.js", include_str!("js/transform.js")),
    ("encoding.js", include_str!("js/encoding.js")),
    ("blob.js", include_str!("js/blob.js")),
    ("body.js", include_str!("js/body.js")),
    ("fetch.js", include_str!("js/fetch.js")),
    ("window.js", include_str!("js/window.js")),
    ("console.js", include_str!("js/console.js")),
];

/// The realm's EventSource.
const EVENT_SOURCE: (&str, &str) = ("eventsource.js", include_str!("js/eventsource.js"));

/// Deep recursion of a script ends in its exception, well before the stack of
/// the thread does.
const STACK: usize = 2 << 20;

/// Evaluates the scripts and everything that follows from them.
///
/// # Errors
/// What can't be read or started, in words.
pub async fn run(options: Options) -> Result<End, String> {
    let scripts = read(&options.scripts)?;
    let deadline = options.timeout.map(|timeout| Instant::now() + timeout);
    let host = Host::new(Network::new(&options));
    let failed = |error: rquickjs::Error| format!("the engine can't be started: {error}");
    let context = open(&host, deadline).map_err(failed)?;
    evaluate_all(&host, &context, &scripts, options.meta);
    host.enter("load", |_, _| Ok(()));
    let end = turn(&host, deadline).await;
    let _ = io::stdout().flush();
    Ok(end)
}

/// The text of the scripts and what to call them.
fn read(scripts: &[Script]) -> Result<Vec<(String, Vec<u8>)>, String> {
    scripts
        .iter()
        .map(|script| match script {
            Script::Code(code) => Ok(("-e".to_owned(), code.clone().into_bytes())),
            Script::File(path) if path.as_os_str() == "-" => {
                let mut text = Vec::new();
                let read = io::stdin().read_to_end(&mut text);
                read.map_err(|error| format!("standard input can't be read: {error}"))?;
                Ok(("-".to_owned(), text))
            }
            Script::File(path) => fs::read(path)
                .map(|text| (path.display().to_string(), text))
                .map_err(|error| format!("{} can't be read: {error}", path.display())),
        })
        .collect()
}

fn open(host: &Arc<Host>, deadline: Option<Instant>) -> rquickjs::Result<Context> {
    let runtime = Runtime::new()?;
    runtime.set_max_stack_size(STACK);
    let context = Context::full(&runtime)?;
    context.with(|ctx| {
        let native = native::functions(&ctx, host)?;
        let realm = Object::new(ctx.clone())?;
        for (name, source) in GLOBALS.into_iter().chain([EVENT_SOURCE]) {
            let install: Function<'_> = ctx.eval_with_options(source, script(name))?;
            install.call::<_, ()>((native.clone(), realm.clone()))?;
        }
        host.connect(&context, &ctx, realm.get("enter")?);
        rquickjs::Result::Ok(())
    })?;
    if let Some(deadline) = deadline {
        let over = move || Instant::now() >= deadline;
        runtime.set_interrupt_handler(Some(Box::new(over)));
    }
    let tracker = Arc::clone(host);
    runtime.set_host_promise_rejection_tracker(Some(Box::new(
        move |ctx, promise, reason, handled| {
            let told = tracker.tell(&ctx, ("rejection", promise, reason, handled));
            tracker.check(&ctx, told);
        },
    )));
    Ok(context)
}

/// As a classic script of a page: sloppy, its variables global.
pub fn script(name: &str) -> EvalOptions {
    let mut options = EvalOptions::default();
    options.strict = false;
    options.filename = Some(name.to_owned());
    options
}

/// One after the other, as one task: microtasks run behind the last. A test
/// harness that takes the first microtask for the end of the scripts depends
/// on it. What a script throws doesn't keep the next from running.
fn evaluate_all(host: &Host, context: &Context, scripts: &[(String, Vec<u8>)], meta: bool) {
    context.with(|ctx: Ctx<'_>| {
        for (at, (name, text)) in scripts.iter().enumerate() {
            if meta {
                follow_meta(host, &ctx, text);
            }
            let result = ctx.eval_with_options(text.as_slice(), script(name));
            host.check(&ctx, result);
            let last = at + 1 == scripts.len();
            host.check(&ctx, host.tell(&ctx, ("evaluated", last)));
        }
        host.settle(&ctx, Ok(()));
    });
}

/// `// META: script=` and `// META: title=` at the start of a web platform test.
fn follow_meta(host: &Host, ctx: &Ctx<'_>, text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    for line in text.lines().take_while(|line| line.starts_with("//")) {
        let meta = line.strip_prefix("// META:");
        if let Some((name, value)) = meta.and_then(|meta| meta.split_once('=')) {
            host.check(ctx, host.tell(ctx, ("meta", name.trim(), value.trim())));
        }
    }
}

/// The event loop, until nothing is pending.
async fn turn(host: &Host, deadline: Option<Instant>) -> End {
    let never = Instant::now() + std::time::Duration::from_secs(60 * 60 * 24 * 365);
    loop {
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            err("jsshell: the time of --timeout is over");
            return End::Timeout;
        }
        let now = Instant::now();
        let (due, next) = {
            let mut timers = host.timers();
            (timers.take_due(now), timers.next())
        };
        if let Some(id) = due {
            host.enter("timer", |_, args| args.push_arg(id));
            // A timer that sets itself again must not keep the network out.
            tokio::task::yield_now().await;
            continue;
        }
        if next.is_none() && host.is_quiet() {
            return if host.has_uncaught() {
                End::Uncaught
            } else {
                End::Done
            };
        }
        let until = next.unwrap_or(never).min(deadline.unwrap_or(never));
        tokio::select! {
            () = tokio::time::sleep_until(until) => {}
            () = host.changed() => {}
        }
    }
}
