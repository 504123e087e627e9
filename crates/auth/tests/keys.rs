//! What a hub refuses to start with.

mod common;

use common::*;
use tidings_auth::mint::{MintError, SigningKey};
use tidings_auth::{Algorithm, Key, KeyError, Strictness, Weakness};

fn secret(secret: &[u8], algorithm: Algorithm) -> [Result<Option<Weakness>, KeyError>; 2] {
    [Strictness::Strict, Strictness::Legacy]
        .map(|strictness| Key::from_secret(secret, algorithm, strictness).map(|(_, weak)| weak))
}

#[test]
fn b16_weak_secrets_are_refused_and_of_legacy_keys_warned_of() {
    use Algorithm::{HS256, HS384, HS512};
    let good: Vec<u8> = (1..=64).collect();
    for (algorithm, needed) in [(HS256, 32), (HS384, 48), (HS512, 64)] {
        assert_eq!(secret(&good[..needed], algorithm), [Ok(None), Ok(None)]);
        let short = Weakness::Short { needed };
        for length in [1, 16, needed - 1] {
            let expected = [Err(KeyError::Weak(short)), Ok(Some(short))];
            assert_eq!(secret(&good[..length], algorithm), expected);
        }
    }
    for sample in [
        "!ChangeMe!",
        "!ChangeThisMercureHubJWTSecretKey!",
        "!CHANGETHISMERCUREHUBJWTSECRETKEY!",
        "mercure-hub-change-me-0123456789abcdef",
        "your-256-bit-secret-your-256-bit-secret",
        "a-string-secret-at-least-256-bits-long",
    ] {
        let expected = [
            Err(KeyError::Weak(Weakness::Documented)),
            Ok(Some(Weakness::Documented)),
        ];
        assert_eq!(secret(sample.as_bytes(), HS256), expected, "{sample}");
    }
    let repeated = [
        Err(KeyError::Weak(Weakness::Repeated)),
        Ok(Some(Weakness::Repeated)),
    ];
    assert_eq!(secret(&[b'x'; 40], HS256), repeated);
    let empty = [Err(KeyError::EmptySecret), Err(KeyError::EmptySecret)];
    assert_eq!(secret(b"", HS256), empty);
}

/// Mercure #1298 and #1315: what verifies with a public key signs with it once
/// it is taken for a secret. No leniency for legacy keys here.
#[test]
fn mercure_1315_a_public_key_never_serves_as_a_secret() {
    let refused = KeyError::PublicKeyAsSecret;
    for pair in [&*RSA, &*ES256, &*ES384, &*ED] {
        let body: String = pair
            .public
            .lines()
            .filter(|line| !line.starts_with('-'))
            .collect();
        let der = {
            use base64::Engine as _;
            base64::engine::general_purpose::STANDARD
                .decode(&body)
                .expect("base64")
        };
        let wrapped = format!("\n  {}", pair.public.replace('\n', "\r\n"));
        let lines = pair.public.lines().filter(|line| !line.starts_with('-'));
        let lines = lines.collect::<Vec<_>>().join("\n");
        let jwk = jwk(pair, "k").to_string();
        let forms = [
            pair.public.as_bytes(),
            wrapped.as_bytes(),
            pair.private.as_bytes(),
        ];
        let forms = forms
            .into_iter()
            .chain([&der, body.as_bytes(), lines.as_bytes()]);
        for form in forms.chain([jwk.as_bytes()]) {
            for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
                let shown = String::from_utf8_lossy(form);
                assert_eq!(
                    secret(form, algorithm),
                    [Err(refused), Err(refused)],
                    "{shown}"
                );
            }
        }
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let key = Key::from_pem(pair.public.as_bytes(), algorithm, Strictness::Legacy);
            assert_eq!(key.err(), Some(refused));
        }
    }
    let ssh = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGnUvQ0123456789abcdefghijklmnopqrs hub";
    assert_eq!(secret(ssh, Algorithm::HS256), [Err(refused), Err(refused)]);
    // What only begins like one is a secret.
    for fine in [
        "0\u{1}this is a long secret of somebody's",
        "{\"kty\" of thirty-two characters",
    ] {
        let outcome = secret(fine.as_bytes(), Algorithm::HS256);
        assert_eq!(
            outcome.map(|key| key.is_ok()),
            [!fine.starts_with('{'); 2],
            "{fine}"
        );
    }
}

#[test]
fn a_secret_is_for_hmac_only() {
    for algorithm in [
        Algorithm::ES256,
        Algorithm::RS256,
        Algorithm::PS512,
        Algorithm::EdDSA,
    ] {
        let refused = Err(KeyError::NotForSecrets);
        assert_eq!(secret(SECRET, algorithm), [refused, refused]);
    }
}

#[track_caller]
fn check_pem(pem: &str, algorithm: Algorithm, expected: Option<KeyError>) {
    for strictness in [Strictness::Strict, Strictness::Legacy] {
        let key = Key::from_pem(pem.as_bytes(), algorithm, strictness);
        assert_eq!(key.err(), expected, "{pem}");
    }
}

#[test]
fn b16_public_keys_are_checked_when_they_are_configured() {
    use Algorithm::{ES256 as Es256, ES384 as Es384, EdDSA, RS256 as Rs256};
    for pair in [&*RSA, &*ES256, &*ES384, &*ED] {
        check_pem(&pair.public, pair.algorithm, None);
        check_pem(&pair.private, pair.algorithm, Some(KeyError::PrivateKey));
        for other in [Es256, Rs256, EdDSA] {
            if other.family() != pair.algorithm.family() {
                check_pem(&pair.public, other, Some(KeyError::OtherFamily));
            }
        }
        let twice = format!("{0}{0}", pair.public);
        check_pem(&twice, pair.algorithm, Some(KeyError::NotPem));
        let certificate = pair.public.replace("PUBLIC KEY", "CERTIFICATE");
        check_pem(&certificate, pair.algorithm, Some(KeyError::Certificate));
        let cut = &pair.public[..pair.public.len() / 2];
        check_pem(cut, pair.algorithm, Some(KeyError::OtherFamily));
    }
    // The curves are two algorithms.
    check_pem(&ES256.public, Es384, Some(KeyError::Point));
    check_pem(&ES384.public, Es256, Some(KeyError::Point));
    for text in ["", "hello", "-----BEGIN", "{\"kty\":\"RSA\"}"] {
        check_pem(text, Rs256, Some(KeyError::NotPem));
    }
    let key = Key::from_pem(&[0xff, 0xfe], Rs256, Strictness::Strict);
    assert_eq!(key.err(), Some(KeyError::NotPem));
}

const RSA_512: &str = "-----BEGIN PUBLIC KEY-----\n\
    MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBALEP1Ql5wC5O1AAHmNiNnTmD00pe0vOk\n\
    8iDleev85hXxPFngKd+m4Vp41IRq5IQoqnw+luWbpXmltTxumSAtZdECAwEAAQ==\n\
    -----END PUBLIC KEY-----";

#[test]
fn b16_an_rsa_key_of_512_bits() {
    check_pem(RSA_512, Algorithm::RS256, Some(KeyError::RsaSize));
    check_pem(RSA_512, Algorithm::PS512, Some(KeyError::RsaSize));
}

/// The points of small order of Ed25519, each with either sign.
#[test]
fn b16_an_ed25519_key_of_small_order() {
    let prefix = [
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
    ];
    let points = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    for point in points {
        let digit = |at: usize| u8::from_str_radix(&point[at..at + 2], 16).expect("hex");
        let mut bytes: Vec<u8> = (0..64).step_by(2).map(digit).collect();
        for _ in 0..2 {
            let pem = pem("PUBLIC KEY", &[&prefix[..], &bytes].concat());
            check_pem(&pem, Algorithm::EdDSA, Some(KeyError::Point));
            bytes[31] ^= 0x80;
        }
    }
}

#[test]
fn signing_keys_fit_their_algorithm() {
    let secret = SigningKey::from_secret(b"x", Algorithm::ES256);
    assert_eq!(secret.err(), Some(MintError::NotForSecrets));
    let hmac = SigningKey::from_pem(ES256.private.as_bytes(), Algorithm::HS256);
    assert_eq!(hmac.err(), Some(MintError::NotForKeys));
    for (pem, algorithm) in [
        (&ES256.public, Algorithm::ES256),
        (&ES256.private, Algorithm::ES384),
        (&ES256.private, Algorithm::RS256),
        (&ED.private, Algorithm::ES256),
        (&RSA.public, Algorithm::RS256),
    ] {
        let key = SigningKey::from_pem(pem.as_bytes(), algorithm);
        assert_eq!(key.err(), Some(MintError::Key), "{algorithm:?}");
    }
}

#[test]
fn debug_shows_no_key() {
    let key = secret_key(Strictness::Strict);
    let secret = String::from_utf8_lossy(SECRET);
    assert!(!format!("{key:?} {:?}", hs256()).contains(&secret[..8]));
}
