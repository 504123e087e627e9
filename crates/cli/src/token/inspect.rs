//! `tidings token inspect`.

use super::{KeyFile, algorithm, read, read_key};
use crate::{Failure, print};
use clap::Args;
use serde_json::Value;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use tidings_auth::token::{Kind, Unverified};
use tidings_auth::{Algorithm, Base, Key, KeyCache, Strictness, Timestamp, Verdict, Verifier};

/// What `tidings token inspect` is told.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// The token; - is standard input, which no other user of the machine sees
    #[arg(default_value = "-")]
    token: String,
    /// Verify it with this key, as a hub would: a public key in a PEM, or a
    /// secret
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The algorithm that the key is for [default: that of the token]
    #[arg(long, value_name = "NAME", value_parser = algorithm, requires = "key")]
    alg: Option<Algorithm>,
    /// The hub's public URL, which aud has to name
    #[arg(long, value_name = "URL", default_value = "http://localhost:8080")]
    public_url: String,
    /// Another name that aud may call the hub by; may be repeated
    #[arg(long, value_name = "NAME", requires = "key")]
    audience: Vec<String>,
    /// As a hub with a legacy key: exp and aud may be missing, weak secrets are
    /// taken, and the claim of Mercure 0.x grants rights
    #[arg(long, requires = "key")]
    legacy: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Says what a token claims, and with a key whether it is good.
pub fn run(args: &InspectArgs, now: u64) -> Result<(), Failure> {
    let text = match args.token.as_str() {
        "-" => String::from_utf8_lossy(&read(Path::new("-"), "the token")?).into_owned(),
        token => token.to_owned(),
    };
    let text = text.trim();
    let token = Unverified::parse(text)
        .map_err(|refusal| Failure::runtime(format!("no hub takes this: {refusal}")))?;
    let refusal = match &args.key {
        None => None,
        Some(path) => Some(verify(args, path, &token, text, now)?),
    };
    let out = match args.json {
        true => as_json(&token, refusal.as_ref()),
        false => as_text(&token, refusal.as_ref(), now),
    };
    print(&out)?;
    match refusal {
        Some(Err(reason)) => Err(Failure::runtime(format!("a hub would refuse it: {reason}"))),
        _ => Ok(()),
    }
}

type Verified = Result<(), String>;

fn verify(
    args: &InspectArgs,
    path: &Path,
    token: &Unverified<'_>,
    text: &str,
    now: u64,
) -> Result<Verified, Failure> {
    let algorithm = args.alg.unwrap_or(token.header.algorithm);
    let strictness = match args.legacy {
        true => Strictness::Legacy,
        false => Strictness::Strict,
    };
    let key = match read_key(path)? {
        KeyFile::Pem(pem) => Key::from_pem(&pem, algorithm, strictness),
        KeyFile::Secret(secret) => {
            Key::from_secret(&secret, algorithm, strictness).map(|(key, _)| key)
        }
    };
    let key = key.map_err(|error| Failure::usage(format!("the key: {error}")))?;
    let base = Base::new(&args.public_url).map_err(Failure::usage)?;
    let verifier = Verifier::new(vec![key], KeyCache::default(), base);
    let verifier = verifier.with_audiences(args.audience.iter().cloned());
    Ok(
        match verifier.verify(text, Timestamp(now.saturating_mul(1000))) {
            Verdict::Verified(_) => Ok(()),
            Verdict::Refused(refusal) => Err(refusal.to_string()),
            Verdict::NeedsKeys(_) => Err("its key would have to be fetched".to_owned()),
        },
    )
}

fn as_json(token: &Unverified<'_>, verified: Option<&Verified>) -> String {
    let mut object = serde_json::json!({
        "alg": format!("{:?}", token.header.algorithm),
        "kid": token.header.key_id,
        "access_token": token.header.kind == Kind::AccessToken,
        "claims": token.claims,
        "verified": verified.map(Result::is_ok),
    });
    if let Some(Err(reason)) = verified {
        object["reason"] = reason.clone().into();
    }
    format!("{object}\n")
}

fn as_text(token: &Unverified<'_>, verified: Option<&Verified>, now: u64) -> String {
    let mut out = String::new();
    let kind = match token.header.kind {
        Kind::Jwt => "JWT",
        Kind::AccessToken => "access token (at+jwt)",
    };
    let _ = writeln!(out, "{kind}, {:?}", token.header.algorithm);
    if let Some(kid) = &token.header.key_id {
        let _ = writeln!(out, "  kid: {}", plain(&Value::from(kid.as_str())));
    }
    for (name, value) in &token.claims {
        let _ = write!(
            out,
            "  {}: {}",
            plain(&Value::from(name.as_str())).trim_matches('"'),
            plain(value)
        );
        let is_time = matches!(name.as_str(), "exp" | "nbf" | "iat");
        if let Some(seconds) = value.as_u64().filter(|_| is_time) {
            let _ = write!(out, " ({})", relative(seconds, now));
        }
        out.push('\n');
    }
    let _ = match verified {
        None => writeln!(
            out,
            "not verified: without --key nothing of this is to be believed"
        ),
        Some(Ok(())) => writeln!(out, "verified: a hub with this key takes it"),
        Some(Err(_)) => writeln!(out, "not good: nothing of this is to be believed"),
    };
    out
}

/// JSON in ASCII: what a token says doesn't steer the terminal.
fn plain(value: &Value) -> String {
    let mut out = String::new();
    for c in value.to_string().chars() {
        if c.is_ascii() && c != '\u{7f}' {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    out
}

fn relative(then: u64, now: u64) -> String {
    let seconds = then.abs_diff(now);
    let about = match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86400),
    };
    match then > now {
        true => format!("in {about}"),
        false => format!("{about} ago"),
    }
}
