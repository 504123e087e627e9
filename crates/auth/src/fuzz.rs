//! For the fuzz target: any bytes where a stranger's bytes come in, and what
//! has to hold then.

use crate::key::jwks;
use crate::mint::SigningKey;
use crate::presented::{Options, Parts, Presented};
use crate::ticket::{TicketId, TicketKey};
use crate::{Algorithm, Base, Key, KeyCache, Revocations, Rights, Strictness, Verdict, Verifier};
use tidings_engine::Timestamp;

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const SECRET: &[u8] = b"dNq2m-vX81_kWb04pRtZ7yLcG5hJ3sFa";

/// Checks one input. Its first byte says what it is.
///
/// # Errors
/// What doesn't hold.
pub fn check(input: &[u8]) -> Result<(), &'static str> {
    let Some((kind, input)) = input.split_first() else {
        return Ok(());
    };
    let base = Base::new("https://hub.example").map_err(|_| "the base")?;
    match kind % 4 {
        0 => unsigned(input, &base),
        1 => signed(input, &base, Strictness::Strict),
        2 => signed(input, &base, Strictness::Legacy),
        _ => others(input, &base),
    }
}

fn verifier(base: &Base, strictness: Strictness) -> Result<Verifier, &'static str> {
    let key = Key::from_secret(SECRET, Algorithm::HS256, strictness);
    let (key, _) = key.map_err(|_| "the key")?;
    Ok(Verifier::new(vec![key], KeyCache::default(), base.clone()))
}

/// A token that nobody has signed is refused, and the refusal doesn't quote it.
fn unsigned(input: &[u8], base: &Base) -> Result<(), &'static str> {
    let text = String::from_utf8_lossy(input);
    match verifier(base, Strictness::Legacy)?.verify(&text, NOW) {
        Verdict::Refused(refusal) => {
            match text.len() > 40 && refusal.to_string().contains(&*text) {
                true => Err("a refusal quotes the token"),
                false => Ok(()),
            }
        }
        _ => Err("a token without a signature was taken"),
    }
}

/// Of a token that was signed with any header and claims, what is taken keeps
/// the rules of its key, and survives being written down.
fn signed(input: &[u8], base: &Base, strictness: Strictness) -> Result<(), &'static str> {
    let at = input.iter().position(|byte| *byte == 0).unwrap_or(0);
    let (header, claims) = match input.split_at(at) {
        ([], claims) => (&br#"{"alg":"HS256"}"#[..], claims),
        (header, claims) => (header, &claims[1..]),
    };
    let signing = SigningKey::from_secret(SECRET, Algorithm::HS256).map_err(|_| "the key")?;
    let token = signing.mint_raw(header, claims).map_err(|_| "signing")?;
    let Verdict::Verified(rights) = verifier(base, strictness)?.verify(&token, NOW) else {
        return Ok(());
    };
    if rights.has_expired(NOW) || strictness == Strictness::Strict && rights.expires.is_none() {
        return Err("a token was taken after its end, or without one");
    }
    let record = rights.to_record();
    let again = Rights::from_record(&record, base).map_err(|_| "the record can't be read")?;
    if again.to_record() != record {
        return Err("the record reads as other rights");
    }
    let key = TicketKey::new(&[1; 32]).ok_or("the cipher")?;
    let ticket = key.seal(&rights, TicketId([2; 16]), [3; 12], NOW);
    let ticket = ticket.map_err(|_| "sealing")?;
    let opened = key
        .open(&ticket, base, NOW)
        .map_err(|_| "the ticket can't be opened")?;
    match opened.rights.to_record() == record {
        true => Ok(()),
        false => Err("the ticket holds other rights"),
    }
}

/// Everything else that reads bytes.
fn others(input: &[u8], base: &Base) -> Result<(), &'static str> {
    let text = String::from_utf8_lossy(input);
    let parts = Parts {
        authorization: &[input],
        cookie: &[input],
        query: &text,
    };
    let _ = Presented::find(parts, &Options::default());
    let _ = crate::origin::check(&[], &[input], "https://hub.example", &[]);
    let _ = jwks::parse(
        input,
        &[Algorithm::ES256, Algorithm::EdDSA],
        Strictness::Strict,
    );
    let _ = Key::from_pem(input, Algorithm::RS256, Strictness::Strict);
    let _ = Rights::from_record(input, base);
    if let Ok(list) = Revocations::decode(input, NOW) {
        let again = Revocations::decode(&list.encode(), NOW);
        if again.map(|again| again.entries() == list.entries()) != Ok(true) {
            return Err("a list of revocations reads as another");
        }
    }
    let key = TicketKey::new(&[1; 32]).ok_or("the cipher")?;
    match key.open(&text, base, NOW) {
        Ok(_) => Err("a ticket that nobody has sealed was opened"),
        Err(_) => Ok(()),
    }
}

/// The target's body on inputs that reach each part of it, mutated from a seed.
#[cfg(test)]
#[allow(clippy::disallowed_macros)]
mod tests {
    use super::check;
    use fastrand::Rng;

    const SEEDS: [&str; 5] = [
        "\u{0}eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjF9.AAAA",
        "\u{1}{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}\u{0}{\"exp\":1800000060,\"aud\":\"https://hub.example\",\"tidings\":{\"publish\":[\"a/*\"]},\"authorization_details\":[{\"type\":\"https://mercure.rocks/authorization-detail\",\"actions\":[\"subscribe\"],\"topics\":[{\"match\":\"/:x\",\"match_type\":\"urlpattern\"}],\"payload\":{}}]}",
        "\u{2}{\"alg\":\"HS256\"}\u{0}{\"mercure\":{\"publish\":[\"https://a.example/{x}\",\"*\"],\"subscribe\":[\"a{b\"],\"payload\":1},\"sub\":\"s\"}",
        "\u{3}{\"version\":1,\"entries\":[{\"revoked\":{\"topics\":\"a/*\"},\"issuer\":null,\"at\":1,\"until\":null}]}",
        "\u{3}{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}",
    ];

    #[test]
    fn mutated_inputs_hold() {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut rng = Rng::with_seed(seed);
        for round in 0..20_000 {
            let mut input = SEEDS[rng.usize(..SEEDS.len())].as_bytes().to_vec();
            for _ in 0..rng.usize(..4) {
                let at = rng.usize(1..input.len());
                match rng.u8(..3) {
                    0 => input[at] = rng.u8(..),
                    1 => drop(input.remove(at)),
                    _ => input.insert(at, b"\"{}[]*:,0/"[rng.usize(..10)]),
                }
            }
            let checked = check(&input);
            assert_eq!(
                checked,
                Ok(()),
                "seed {seed}, round {round}: {:?}",
                String::from_utf8_lossy(&input)
            );
        }
    }
}
