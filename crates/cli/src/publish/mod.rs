//! `tidings publish`: one event, or the lines of standard input as events.

mod args;
mod lines;
mod post;

pub use args::PublishArgs;

use crate::{Failure, print, request};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use lines::Lines;
use post::{Answer, Post};
use std::io::{self, IsTerminal, Write};

const NDJSON: &str = "application/x-ndjson";

/// Publishes what it was told to.
pub fn run(args: &PublishArgs) -> Result<(), Failure> {
    let mut url = request::url(&args.request.url)?;
    let streamed = args.lines || args.ndjson;
    if streamed && args.data != "-" {
        return Err(Failure::usage(
            "--lines and --ndjson read standard input; leave DATA out",
        ));
    }
    let retry = args.retry.map(|millis| millis.to_string());
    let one = || "1".to_owned();
    let reopen = args.reopen.then(one);
    let close = (args.close && !streamed).then(one);
    let parameters = [
        ("reopen", reopen.as_ref()),
        ("close", close.as_ref()),
        ("event", args.event.as_ref().filter(|_| !streamed)),
        ("id", args.id.as_ref()),
        ("retry", retry.as_ref()),
    ];
    for (name, value) in parameters {
        if let Some(value) = value {
            request::add_parameter(&mut url, name, value)?;
        }
    }
    let key = args.idempotency_key.as_deref().map(check_key).transpose()?;
    let post = Post {
        transport: request::transport(&args.request)?,
        headers: request::all_headers(&args.request, &url)?,
        place: request::place(&url),
        url,
        timeout: args.timeout,
    };
    if post.headers.contains_key(post::KEY) {
        return Err(Failure::usage(
            "--header: for an idempotency key use --idempotency-key",
        ));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::runtime)?;
    runtime.block_on(async {
        match streamed {
            true => publish_lines(args, post, key).await,
            false => publish_one(args, post, key).await,
        }
    })
}

async fn publish_one(args: &PublishArgs, mut post: Post, key: Option<&str>) -> Result<(), Failure> {
    let data = match args.data.as_str() {
        "-" => {
            let is_typed = io::stdin().is_terminal();
            if is_typed && !args.close {
                let _ = writeln!(io::stderr(), "tidings publish: type the data, then Ctrl-D");
            }
            match is_typed && args.close {
                true => Vec::new(),
                false => without_line_end(request::read_input()?),
            }
        }
        data => data.as_bytes().to_vec(),
    };
    if !post.headers.contains_key(CONTENT_TYPE) {
        let content_type = HeaderValue::from_static(request::content_type(&data));
        post.headers.insert(CONTENT_TYPE, content_type);
    }
    let answer = post.send(data, key).await;
    let answer = answer.map_err(|refused| refused.behind(0))?;
    show(args, &answer)
}

/// Publishes what has come in one request, while the next is coming. With a
/// key each line has a request and a key of its own, so that a repetition
/// publishes the same, however its lines come.
async fn publish_lines(
    args: &PublishArgs,
    mut post: Post,
    key: Option<&str>,
) -> Result<(), Failure> {
    post.headers
        .insert(CONTENT_TYPE, HeaderValue::from_static(NDJSON));
    let mut lines = Lines::of_input(key.is_some());
    let mut all = Answer::nothing();
    while let Some(batch) = lines.next().await {
        let batch = batch.map_err(|failure| failure.behind(all.published()))?;
        let body = match args.ndjson {
            true => Ok(batch.as_ndjson()),
            false => batch.as_data(args.event.as_deref()),
        };
        let body = body.map_err(|failure| failure.behind(all.published()))?;
        if body.is_empty() {
            continue;
        }
        let key = key.map(|key| format!("{key}-{}", batch.first));
        match post.send(body, key.as_deref()).await {
            Ok(answer) => all.add(&answer),
            Err(refused) => return Err(refused.behind(all.published())),
        }
    }
    if args.close {
        // A stream of no events, which closes where it ends.
        request::add_parameter(&mut post.url, "close", "1")?;
        let key = key.map(|key| format!("{key}-end"));
        match post.send(Vec::new(), key.as_deref()).await {
            Ok(answer) => all.add(&answer),
            Err(refused) => return Err(refused.behind(all.published())),
        }
    }
    show(args, &all)
}

fn show(args: &PublishArgs, answer: &Answer) -> Result<(), Failure> {
    let text = match args.json {
        true => answer.as_json(),
        false => answer.id().unwrap_or_default().to_owned(),
    };
    match text.is_empty() {
        true => Ok(()),
        false => print(&format!("{text}\n")),
    }
}

/// What a text in a pipe ends with isn't meant as part of the data.
fn without_line_end(mut data: Vec<u8>) -> Vec<u8> {
    if data.pop_if(|byte| *byte == b'\n').is_some() {
        data.pop_if(|byte| *byte == b'\r');
    }
    data
}

fn check_key(key: &str) -> Result<&str, Failure> {
    // Room for the number of a line.
    let fits =
        (1..=234).contains(&key.len()) && key.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    match fits {
        true => Ok(key),
        false => Err(Failure::usage(
            "--idempotency-key: it has to be 1 to 234 printable ASCII characters",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_is_dropped() {
        let table = [
            ("a\n", "a"),
            ("a\r\n", "a"),
            ("a\n\n", "a\n"),
            ("a\r", "a\r"),
            ("\n", ""),
            ("", ""),
        ];
        for (given, kept) in table {
            assert_eq!(without_line_end(given.into()), kept.as_bytes(), "{given:?}");
        }
    }

    #[test]
    fn b21_keys_that_no_header_can_carry_are_refused_unrepeated() {
        for key in ["", "a\nsecret", "é", &"secret".repeat(40)] {
            let failure = check_key(key).expect_err("no key");
            assert!(failure.code == 2 && !failure.text.contains("secret"));
        }
        check_key("order 42").expect("a key");
    }
}
