//! Where the hub is.

use super::Checks;
use crate::context::Context;
use crate::outcome::{Checked, ensure};
use crate::stream::{Stream, shown};

pub const CHECKS: Checks = &[
    ("endpoint-1", well_known),
    ("endpoint-2", well_known),
    ("endpoint-3", endpoint_3_head),
];

fn well_known(cx: &Context<'_>) -> Checked {
    let query = cx.query(&[&cx.url()]);
    let request = cx.get(query)?.path("/.well-known/mercure");
    Stream::open(cx.target, &request).map(|_| ())
}

fn endpoint_3_head(cx: &Context<'_>) -> Checked {
    let request = cx.get(cx.query(&[&cx.url()]))?.method("HEAD");
    let mut http = cx.target.connect()?;
    // A body would be taken for the second answer.
    for _ in 0..2 {
        let answer = cx.target.request_on(&mut http, &request)?;
        let media_type = answer.header("content-type").unwrap_or_default();
        ensure(
            answer.status == 200 && media_type.starts_with("text/event-stream"),
            || format!("HEAD was answered {}", shown(&answer)),
        )?;
    }
    Ok(())
}
