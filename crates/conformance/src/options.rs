//! What the command is told.

use crate::context::Credentials;
use crate::rules::Dialect;
use std::time::Duration;

/// How to use the command.
pub const USAGE: &str = "\
usage: cargo xtask mercure-conformance --url HUB [options]

  --url HUB               the hub, such as http://localhost:3000/.well-known/mercure
  --dialect 0.x|1.0       one version of the protocol alone
  --publisher-key SECRET  what the hub verifies publishers' tokens with (HS256):
                          tokens are made of it
  --subscriber-key SECRET the same for subscribers
  --publisher-token JWT   instead of a key: a token that grants every topic, of the
                          version that --dialect names; what needs other tokens
                          is skipped
  --subscriber-token JWT  the same for subscribers
  --issuer URL            iss of the tokens of 1.0; with it, others must be refused
  --audience URL          aud of the tokens of 1.0, what the hub's metadata call
                          its resource
  --origin ORIGIN         an origin whose pages the hub allows
  --heartbeat SECONDS     how long a heartbeat is waited for (60)
  --patience SECONDS      how long anything else is waited for (10)
  --insecure              any certificate will do
  --only ID,…             these rules alone: auth-7, or auth for all of them
  --json                  one JSON document instead of lines

It ends with 1 if the hub breaks something that it must do.
";

/// What the command is told.
#[derive(Debug, Clone)]
pub struct Options {
    /// The hub.
    pub url: String,
    /// The versions to look at.
    pub dialects: Vec<Dialect>,
    /// Who the checks are to the hub.
    pub credentials: Credentials,
    /// An origin whose pages the hub allows.
    pub origin: Option<String>,
    /// How long a heartbeat is waited for.
    pub heartbeat: Duration,
    /// How long anything else is waited for.
    pub patience: Duration,
    /// Whether any certificate will do.
    pub insecure: bool,
    /// Ids of rules, or their subjects; empty: all.
    pub only: Vec<String>,
    /// Whether to print one JSON document.
    pub json: bool,
}

impl Options {
    /// For a hub at this URL.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            dialects: Dialect::ALL.to_vec(),
            credentials: Credentials::default(),
            origin: None,
            heartbeat: Duration::from_secs(60),
            patience: Duration::from_secs(10),
            insecure: false,
            only: Vec::new(),
            json: false,
        }
    }

    /// Reads a command line.
    ///
    /// # Errors
    /// What is wrong with it; never what it holds.
    pub fn parse(args: &[String]) -> Result<Self, String> {
        let mut options = Self::new("");
        let mut args = args.iter();
        while let Some(name) = args.next() {
            match &**name {
                "--insecure" => options.insecure = true,
                "--json" => options.json = true,
                name => {
                    let value = args.next().ok_or_else(|| match KNOWN.contains(&name) {
                        true => format!("{name} needs a value"),
                        false => "an argument is not known".to_owned(),
                    })?;
                    options.set(name, value)?;
                }
            }
        }
        if options.url.is_empty() {
            return Err("--url is missing".into());
        }
        let who = &options.credentials;
        let has_token = who.publisher_token.is_some() || who.subscriber_token.is_some();
        if has_token && options.dialects.len() > 1 {
            return Err("a token is of one version: say which with --dialect".into());
        }
        Ok(options)
    }

    /// Whether a rule is among those asked for.
    pub fn asks_for(&self, id: &str) -> bool {
        let subject = id.split('-').next().unwrap_or_default();
        self.only.is_empty() || self.only.iter().any(|only| only == id || only == subject)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let given = Some(value.to_owned());
        let who = &mut self.credentials;
        match name {
            "--url" => value.clone_into(&mut self.url),
            "--dialect" => self.dialects = vec![dialect(value)?],
            "--publisher-key" => who.publisher_key = given,
            "--subscriber-key" => who.subscriber_key = given,
            "--publisher-token" => who.publisher_token = given,
            "--subscriber-token" => who.subscriber_token = given,
            "--issuer" => who.issuer = given,
            "--audience" => who.audience = given,
            "--origin" => self.origin = given,
            "--heartbeat" => self.heartbeat = seconds(name, value)?,
            "--patience" => self.patience = seconds(name, value)?,
            "--only" => self.only.extend(value.split(',').map(str::to_owned)),
            _ => return Err("an argument is not known".into()),
        }
        Ok(())
    }
}

/// All that take a value.
const KNOWN: [&str; 12] = [
    "--url",
    "--dialect",
    "--publisher-key",
    "--subscriber-key",
    "--publisher-token",
    "--subscriber-token",
    "--issuer",
    "--audience",
    "--origin",
    "--heartbeat",
    "--patience",
    "--only",
];

fn dialect(text: &str) -> Result<Dialect, String> {
    let mut all = Dialect::ALL.into_iter();
    all.find(|dialect| dialect.name() == text)
        .ok_or_else(|| "--dialect is 0.x or 1.0".into())
}

fn seconds(name: &str, text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds @ 1..=3600) => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("{name} is a number of seconds from 1 to 3600")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Options, String> {
        let args: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        Options::parse(&args)
    }

    #[test]
    fn a_command_line() {
        let options = parse(
            "--url http://h/m --dialect 1.0 --publisher-key p --subscriber-token s --issuer i \
             --only auth,stream-1 --patience 3 --json",
        )
        .unwrap();
        assert_eq!(options.url, "http://h/m");
        assert_eq!(options.dialects, [Dialect::V1]);
        assert_eq!(options.credentials.publisher_key.as_deref(), Some("p"));
        assert_eq!(options.credentials.subscriber_token.as_deref(), Some("s"));
        assert_eq!(options.patience, Duration::from_secs(3));
        assert!(options.json && !options.insecure);
        for (id, asked) in [("auth-7", true), ("stream-1", true), ("stream-10", false)] {
            assert_eq!(options.asks_for(id), asked, "{id}");
        }
        assert!(parse("--url x").unwrap().asks_for("row-1"));
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (line, error) in [
            ("", "--url is missing"),
            ("--url", "--url needs a value"),
            ("--url x --dialect 2", "--dialect is 0.x or 1.0"),
            (
                "--url x --patience 0",
                "--patience is a number of seconds from 1 to 3600",
            ),
            (
                "--url x --publisher-token t",
                "a token is of one version: say which with --dialect",
            ),
            ("--url x --secret", "an argument is not known"),
            ("--url x --secret y", "an argument is not known"),
        ] {
            assert_eq!(parse(line).map(|_| ()), Err(error.to_owned()), "{line}");
        }
    }
}
