//! The fuzz target's body on inputs that reach each part of it, mutated from a
//! seed. Needs the feature `fuzz`.
#![cfg(feature = "fuzz")]
// A test prints its seed, and may be given one; the crate itself does no IO.
#![allow(clippy::disallowed_macros, clippy::disallowed_methods)]

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
        let checked = tidings_auth::fuzz::check(&input);
        assert_eq!(
            checked,
            Ok(()),
            "seed {seed}, round {round}: {:?}",
            String::from_utf8_lossy(&input)
        );
    }
}
