use crate::args::duration;
use crate::request::RequestArgs;
use clap::{Args, ValueEnum};
use std::time::Duration;

const HELP: &str = "\
Until the first connection stands, a failure ends the command, unless --wait is
given; after that it reconnects and resumes for as long as it takes.
Gaps are told on standard error, and are events in the output.

Exit codes: 0 the count is reached, the stream is complete or nobody reads the
output any more, 1 other failures, 2 usage, 4 the server refused (4xx), 5 it
failed (5xx), 6 no connection, 7 timeout, 130 interrupted.";

/// What `tidings listen` is told.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct ListenArgs {
    #[command(flatten)]
    pub request: RequestArgs,
    /// Write each event as a line of JSON: {"event","data","id","retry"}
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// What to write
    #[arg(long, value_enum, default_value_t = Format::Sse)]
    pub format: Format,
    /// The method of the request [default: GET, or POST with --data]
    #[arg(short = 'X', long)]
    pub method: Option<String>,
    /// The body of the request; @FILE is what stands in a file, - standard input
    #[arg(short, long, value_name = "DATA", allow_hyphen_values = true)]
    pub data: Option<String>,
    /// Where a hub's stream starts: a duration ago (10m), earliest, last:N or
    /// an id
    #[arg(long)]
    pub since: Option<String>,
    /// Resume after the event with this id
    #[arg(long, value_name = "ID")]
    pub last_event_id: Option<String>,
    /// Only events of this type; may be given more than once
    #[arg(long = "type", visible_alias = "event", value_name = "TYPE")]
    pub types: Vec<String>,
    /// End after so many events
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// The stream is complete at an event with just this data, like [DONE]
    #[arg(long, value_name = "DATA")]
    pub until: Option<String>,
    /// When to try again, and what the end of a response means
    #[arg(long, value_enum, default_value_t = Preset::Resilient)]
    pub preset: Preset,
    /// Reconnect when the server was silent for so long, or never [default: 45s;
    /// never with --preset standard]
    #[arg(long, value_name = "DURATION", value_parser = Idle::parse)]
    pub idle: Option<Idle>,
    /// Keep trying for so long to make the first connection
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub wait: Option<Duration>,
    /// End after so long, with exit code 7
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub timeout: Option<Duration>,
    /// Say on standard error when it connects and why it reconnects; a terminal
    /// is told anyway
    #[arg(short, long)]
    pub verbose: bool,
}

/// What `tidings listen` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The event stream, in its plainest form
    Sse,
    /// A JSON object a line, as --json
    Json,
    /// The data of each event and a line end
    Data,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Preset {
    /// As browsers do: any status but 200 is the end
    Standard,
    /// For a feed: tries again after 5xx, 429 and silence too
    Resilient,
    /// For an answer that ends: a clean end is the end
    Once,
}

/// How long a server may be silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idle {
    Never,
    After(Duration),
}

impl Idle {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "never" => Ok(Self::Never),
            _ => match duration(text) {
                Ok(time) => Ok(Self::After(time)),
                Err(why) => Err(format!("{why}, or never")),
            },
        }
    }
}
