//! The command line.

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;
use url::Url;

/// How the shell ends; the numbers are its exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Nothing is pending any more.
    Done = 0,
    /// An exception that nothing caught, or a rejection that nothing handled.
    Uncaught = 1,
    /// The command line can't be used.
    Usage = 2,
    /// The time of `--timeout` is over.
    Timeout = 7,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  nothing is pending any more: no timer, no EventSource that isn't closed, no fetch
  1  an exception was not caught, or a rejection not handled
  2  the command line, or a script that it names, can't be used
  7  the time of --timeout is over";

/// What the command line says.
#[derive(Debug)]
pub struct Options {
    /// Where the page is that the scripts belong to.
    pub location: Url,
    /// Addresses of hosts, before any other resolution.
    pub resolve: Vec<Resolve>,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// Whether `// META:` lines are followed.
    pub meta: bool,
    /// What to evaluate, in order.
    pub scripts: Vec<Script>,
}

/// A script of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Script {
    /// In a file; `-` is standard input.
    File(PathBuf),
    /// On the command line itself.
    Code(String),
}

/// `HOST=ADDR`: a host, or with a leading `*.` all hosts below one, and its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolve {
    /// In the form that hosts have in URLs, behind the `*.`.
    pub host: String,
    /// Where it is.
    pub address: IpAddr,
}

impl FromStr for Resolve {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, address) = text.split_once('=').ok_or("HOST=ADDR is needed")?;
        let (wildcard, host) = match host.strip_prefix("*.") {
            Some(host) => ("*.", host),
            None => ("", host),
        };
        let host = url::Host::parse(host).map_err(|_| "HOST is not a host")?;
        let address = address.parse().map_err(|_| "ADDR is not an IP address")?;
        Ok(Self {
            host: format!("{wildcard}{host}"),
            address,
        })
    }
}

impl Options {
    /// Reads the arguments of the process.
    ///
    /// # Errors
    /// What clap says, `--help` included.
    pub fn from_args() -> Result<Self, clap::Error> {
        command()
            .try_get_matches()
            .map(|mut matches| Self::from_matches(&mut matches))
    }

    fn from_matches(matches: &mut ArgMatches) -> Self {
        let scripts = scripts(matches);
        let about = || Url::parse("about:blank").expect("a URL");
        Self {
            location: matches.remove_one("location").unwrap_or_else(about),
            resolve: matches
                .remove_many("resolve")
                .map_or_else(Vec::new, Iterator::collect),
            timeout: matches.remove_one("timeout"),
            meta: matches.get_flag("meta"),
            scripts,
        }
    }
}

fn command() -> Command {
    Command::new("jsshell")
        .about("Evaluates scripts in one realm whose EventSource is tidings-eventsource")
        .after_help(EXIT_CODES)
        .arg(
            Arg::new("location")
                .long("location")
                .value_name("URL")
                .value_parser(|text: &str| Url::parse(text).map_err(|error| error.to_string()))
                .help("Where the page is: `location`, the base of relative URLs, the origin"),
        )
        .arg(
            Arg::new("resolve")
                .long("resolve")
                .value_name("HOST=ADDR")
                .action(ArgAction::Append)
                .value_parser(Resolve::from_str)
                .help("The address of a host; *.HOST is all hosts below it"),
        )
        .arg(
            Arg::new("timeout")
                .long("timeout")
                .value_name("SECONDS")
                .value_parser(seconds)
                .help("How long it may take (exit code 7)"),
        )
        .arg(
            Arg::new("meta")
                .long("meta")
                .action(ArgAction::SetTrue)
                .help("Follow `// META: script=` (by importScripts) and `// META: title=` lines"),
        )
        .arg(
            Arg::new("code")
                .short('e')
                .value_name("CODE")
                .action(ArgAction::Append)
                .allow_hyphen_values(true)
                .help("A script, in its place among the others"),
        )
        .arg(
            Arg::new("script")
                .value_name("SCRIPT")
                .action(ArgAction::Append)
                .value_parser(value_parser!(PathBuf))
                .required_unless_present("code")
                .help("A script's file; - is standard input"),
        )
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds is needed")?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// Files and code in the order in which they were given.
fn scripts(matches: &ArgMatches) -> Vec<Script> {
    let mut found = BTreeMap::new();
    if matches.value_source("script") == Some(ValueSource::CommandLine) {
        let indices = matches.indices_of("script").into_iter().flatten();
        let files = matches.get_many::<PathBuf>("script").into_iter().flatten();
        found.extend(indices.zip(files.cloned().map(Script::File)));
    }
    if matches.value_source("code") == Some(ValueSource::CommandLine) {
        let indices = matches.indices_of("code").into_iter().flatten();
        let codes = matches.get_many::<String>("code").into_iter().flatten();
        found.extend(indices.zip(codes.cloned().map(Script::Code)));
    }
    found.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Options, clap::Error> {
        let args = std::iter::once(&"jsshell").chain(args);
        command()
            .try_get_matches_from(args)
            .map(|mut matches| Options::from_matches(&mut matches))
    }

    #[test]
    fn scripts_keep_their_order() {
        let options = parse(&["a.js", "-e", "1", "--meta", "-", "-e", "-2"]).expect("options");
        let expected = [
            Script::File("a.js".into()),
            Script::Code("1".to_owned()),
            Script::File("-".into()),
            Script::Code("-2".to_owned()),
        ];
        assert_eq!(options.scripts, expected);
    }

    #[test]
    fn hosts_are_named_as_in_urls() {
        for (rule, host, address) in [
            ("A.test=127.0.0.1", "a.test", "127.0.0.1"),
            ("*.test=::1", "*.test", "::1"),
            ("*.élève.test=::1", "*.xn--lve-6lad.test", "::1"),
        ] {
            let address = address.parse().expect("an address");
            let expected = Resolve {
                host: host.to_owned(),
                address,
            };
            assert_eq!(rule.parse(), Ok(expected), "{rule}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        for args in [
            &[][..],
            &["--resolve", "a.test", "a.js"],
            &["--resolve", "a.test=b.test", "a.js"],
            &["--location", "/path", "a.js"],
            &["--timeout", "-1", "a.js"],
            &["--timeout", "soon", "a.js"],
        ] {
            let error = parse(args).expect_err("an error");
            assert_eq!(error.exit_code(), End::Usage as i32, "{args:?}");
        }
    }
}
