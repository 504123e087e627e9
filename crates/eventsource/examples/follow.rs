//! Follows a feed for ever and never misses an event: over lost connections,
//! restarts of the server and of this program.
//!
//! ```sh
//! cargo run --example follow -- http://localhost:8080/t/news news.id
//! ```
//!
//! Where events are gone for good, a hub says so, and this shows it.

use std::error::Error;
use std::io::Write;
use tidings_eventsource::{EventStream, FileIds, Notice};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, file] = &arguments[..] else {
        return Err("usage: follow URL FILE".into());
    };
    let mut feed = EventStream::builder(url)
        // Resumes behind the last event that an earlier run has handled.
        .ids(FileIds::new(file))
        .open()?
        .notices();
    let mut out = std::io::stdout();
    while let Some(notice) = feed.next().await {
        match notice {
            // Handled when the next notice is asked for: what takes longer than
            // a moment belongs here, before that.
            Ok(Notice::Event(event)) => writeln!(out, "{}", event.data)?,
            Ok(Notice::Gap(gap)) => eprintln!("{gap}"),
            Ok(Notice::Open { url }) => eprintln!("connected to {url}"),
            Ok(Notice::Reconnecting { cause, wait }) => {
                eprintln!("{cause}; trying again in {wait:?}");
            }
            Ok(_) => {}
            // One event was too large, or an ID could not be saved: it goes on.
            Err(error) if error.is_passing() => eprintln!("{error}"),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
