//! `tidings token mint`.

use super::{KeyFile, algorithm, read_key};
use crate::args::duration;
use crate::{Failure, print};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::time::Duration;
use tidings_auth::Algorithm;
use tidings_auth::mint::SigningKey;

/// What `tidings token mint` is told.
#[derive(Debug, Args)]
pub struct MintArgs {
    /// The file of the key, or - for standard input: a private key in a PEM, or
    /// a secret
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The algorithm [default: that of the PEM; HS256 for a secret]
    #[arg(long, value_name = "NAME", value_parser = algorithm)]
    alg: Option<Algorithm>,
    /// The key's id, for the token's header
    #[arg(long, value_name = "ID")]
    kid: Option<String>,
    /// Where its holder may publish: a topic or a pattern; may be repeated. In
    /// the claim of Mercure 1.0, `urlpattern:` before it makes it one
    #[arg(long, value_name = "SELECTOR")]
    publish: Vec<String>,
    /// What its holder may watch; may be repeated
    #[arg(long, value_name = "SELECTOR")]
    subscribe: Vec<String>,
    /// Its holder may use the admin API and read the metrics
    #[arg(long)]
    admin: bool,
    /// In which claim the rights stand
    #[arg(long, value_enum, default_value_t = Dialect::Tidings)]
    claim: Dialect,
    /// For whom it is: the public URL of the hub; may be repeated
    #[arg(long, value_name = "URL")]
    aud: Vec<String>,
    /// Who makes it
    #[arg(long)]
    iss: Option<String>,
    /// Who holds it
    #[arg(long)]
    sub: Option<String>,
    /// Its own id, to revoke it by
    #[arg(long)]
    jti: Option<String>,
    /// How long it is good
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "1h")]
    expires_in: Duration,
    /// It never expires: only hubs with a legacy key take such a token
    #[arg(long, conflicts_with = "expires_in")]
    no_expiry: bool,
}

/// The claim in which rights stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Dialect {
    /// {"tidings": {"publish", "subscribe"}}
    Tidings,
    /// The claim of Mercure 0.x, for legacy keys
    Mercure0,
    /// The authorization_details of Mercure 1.0, in an access token
    Mercure1,
}

/// Makes a token and prints it.
pub fn run(args: &MintArgs, now: u64) -> Result<(), Failure> {
    let claims = claims(args, now)?;
    let typ = match args.claim {
        Dialect::Mercure1 => "at+jwt",
        Dialect::Tidings | Dialect::Mercure0 => "JWT",
    };
    let key = signing_key(args)?;
    let token = key.mint(&claims, typ, args.kid.as_deref());
    let token = token.map_err(Failure::usage)?;
    print(&format!("{token}\n"))
}

fn signing_key(args: &MintArgs) -> Result<SigningKey, Failure> {
    match read_key(&args.key)? {
        KeyFile::Secret(secret) => {
            let algorithm = args.alg.unwrap_or(Algorithm::HS256);
            SigningKey::from_secret(&secret, algorithm).map_err(Failure::usage)
        }
        KeyFile::Pem(pem) => {
            const OF_PEMS: [Algorithm; 4] = [
                Algorithm::ES256,
                Algorithm::ES384,
                Algorithm::EdDSA,
                Algorithm::RS256,
            ];
            let tried = args
                .alg
                .map_or(OF_PEMS.to_vec(), |algorithm| vec![algorithm]);
            let mut last = None;
            for algorithm in tried {
                match SigningKey::from_pem(&pem, algorithm) {
                    Ok(key) => return Ok(key),
                    Err(error) => last = Some(error),
                }
            }
            Err(last.map_or_else(|| Failure::usage("no algorithm"), Failure::usage))
        }
    }
}

fn claims(args: &MintArgs, now: u64) -> Result<Map<String, Value>, Failure> {
    let mut claims = Map::new();
    claims.insert("iat".to_owned(), now.into());
    if !args.no_expiry {
        let expires = now.saturating_add(args.expires_in.as_secs().max(1));
        claims.insert("exp".to_owned(), expires.into());
    }
    let names = [("iss", &args.iss), ("sub", &args.sub), ("jti", &args.jti)];
    for (name, value) in names {
        if let Some(value) = value {
            claims.insert(name.to_owned(), value.clone().into());
        }
    }
    match &args.aud[..] {
        [] => {}
        [one] => drop(claims.insert("aud".to_owned(), one.clone().into())),
        several => drop(claims.insert("aud".to_owned(), several.to_vec().into())),
    }
    let (name, rights) = rights(args)?;
    claims.insert(name.to_owned(), rights);
    if args.admin {
        // A claim of our own, whichever the others are.
        let own = claims.entry("tidings").or_insert_with(|| json!({}));
        own["admin"] = true.into();
    }
    Ok(claims)
}

fn rights(args: &MintArgs) -> Result<(&'static str, Value), Failure> {
    let lists = [("publish", &args.publish), ("subscribe", &args.subscribe)];
    let given = lists
        .into_iter()
        .filter(|(_, selectors)| !selectors.is_empty());
    match args.claim {
        Dialect::Tidings => {
            for selector in args.publish.iter().chain(&args.subscribe) {
                tidings_auth::Selector::new(selector)
                    .map_err(|reason| Failure::usage(format!("a selector is invalid: {reason}")))?;
            }
            Ok((
                "tidings",
                given
                    .map(|(name, list)| (name.to_owned(), json!(list)))
                    .collect(),
            ))
        }
        Dialect::Mercure0 => Ok((
            "mercure",
            given
                .map(|(name, list)| (name.to_owned(), json!(list)))
                .collect(),
        )),
        Dialect::Mercure1 => {
            let detail = |(action, list): (&str, &Vec<String>)| {
                let topics: Vec<Value> = list.iter().map(|text| topic(text)).collect();
                json!({
                    "type": "https://mercure.rocks/authorization-detail",
                    "actions": [action],
                    "topics": topics,
                })
            };
            Ok(("authorization_details", given.map(detail).collect()))
        }
    }
}

/// A topic, or with `urlpattern:` before it a URL pattern.
fn topic(text: &str) -> Value {
    match text.strip_prefix("urlpattern:") {
        Some(text) => json!({"match": text, "match_type": "urlpattern"}),
        None => json!({"match": text}),
    }
}
