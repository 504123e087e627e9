use crate::args::duration;
use crate::request::RequestArgs;
use clap::Args;
use std::time::Duration;

const HELP: &str = "\
The id of the event is printed once the hub has made it durable. A request is
repeated only with --idempotency-key, so that nothing is published twice.

Exit codes: 0 published, 1 other failures, 2 usage, 4 the hub refused (4xx),
5 it failed (5xx), 6 no connection, 7 timeout.";

/// What `tidings publish` is told.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct PublishArgs {
    #[command(flatten)]
    pub request: RequestArgs,
    /// The data of the event; - is standard input, without its last line end
    #[arg(default_value = "-", allow_hyphen_values = true)]
    pub data: String,
    /// Publish each line of the input as an event, as it comes
    #[arg(long, conflicts_with_all = ["id", "retry"])]
    pub lines: bool,
    /// Each line of the input is an event as JSON: {"data","event","id","retry"}
    #[arg(long, conflicts_with_all = ["lines", "event", "id", "retry"])]
    pub ndjson: bool,
    /// The type of the event
    #[arg(long, visible_alias = "type", value_name = "NAME")]
    pub event: Option<String>,
    /// An id of your own for the event
    #[arg(long)]
    pub id: Option<String>,
    /// A reconnection time for those who receive it, in milliseconds
    #[arg(long, value_name = "MILLISECONDS")]
    pub retry: Option<u64>,
    /// Close the topic behind it: its streams end, and it takes nothing more.
    /// Without data (an empty input, or none that is piped in) it only closes
    #[arg(long)]
    pub close: bool,
    /// Open the topic again, if it is closed
    #[arg(long)]
    pub reopen: bool,
    /// Publish only once what is published with this key, however often the
    /// command is repeated within ten minutes; and repeat it if need be
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<String>,
    /// Print the hub's answer as a line of JSON
    #[arg(long)]
    pub json: bool,
    /// How long an answer may take
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "30s")]
    pub timeout: Duration,
}
