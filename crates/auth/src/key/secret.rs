//! Which secrets are fit for HMAC.

use super::{KeyError, is_hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::Algorithm;
use std::fmt;

/// What is weak about a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Weakness {
    /// Shorter than the output of its hash (RFC 7518 section 3.2).
    Short {
        /// The least number of bytes.
        needed: usize,
    },
    /// It stands in the documentation of some hub or library.
    Documented,
    /// One byte, again and again.
    Repeated,
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { needed } => write!(
                f,
                "the secret is shorter than the {needed} bytes that its algorithm needs: it can be \
                 guessed from a single token (make one with: openssl rand -base64 {needed})"
            ),
            Self::Documented => f.write_str(
                "the secret is a documented sample: everybody can sign (make one with: openssl rand \
                 -base64 48)",
            ),
            Self::Repeated => f.write_str(
                "the secret is one character again and again (make one with: openssl rand -base64 48)",
            ),
        }
    }
}

/// Parts of secrets that stand in documentation, in lower case.
const SAMPLES: [&str; 7] = [
    "changeme",
    "change-me",
    "change_me",
    "changethis",
    "your-256-bit-secret",
    "a-string-secret-at-least-256-bits-long",
    "mercurehubjwt",
];

/// Checks a secret for an HMAC algorithm, and answers what is weak about it.
pub(super) fn check(secret: &[u8], algorithm: Algorithm) -> Result<Option<Weakness>, KeyError> {
    if !is_hmac(algorithm) {
        return Err(KeyError::NotForSecrets);
    }
    if is_public_key(secret) {
        return Err(KeyError::PublicKeyAsSecret);
    }
    let first = *secret.first().ok_or(KeyError::EmptySecret)?;
    let text = String::from_utf8_lossy(secret).to_ascii_lowercase();
    let needed = match algorithm {
        Algorithm::HS256 => 32,
        Algorithm::HS384 => 48,
        _ => 64,
    };
    Ok(if SAMPLES.iter().any(|sample| text.contains(sample)) {
        Some(Weakness::Documented)
    } else if secret.len() < needed {
        Some(Weakness::Short { needed })
    } else if secret.iter().all(|byte| *byte == first) {
        Some(Weakness::Repeated)
    } else {
        None
    })
}

/// Whether this is a key of a public key algorithm in one of its usual forms,
/// not a secret: Mercure #1315 and the algorithm confusion of a decade.
fn is_public_key(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim();
    if text.contains("-----BEGIN") || text.starts_with("ssh-") || text.starts_with("ecdsa-sha2-") {
        return true;
    }
    if text.starts_with('{') && text.contains("\"kty\"") {
        return true;
    }
    let packed: String = text.split_ascii_whitespace().collect();
    is_der_sequence(bytes)
        || STANDARD
            .decode(packed)
            .is_ok_and(|der| is_der_sequence(&der))
}

/// Whether the bytes are exactly one SEQUENCE in DER, as all keys are.
fn is_der_sequence(bytes: &[u8]) -> bool {
    let [0x30, length, rest @ ..] = bytes else {
        return false;
    };
    match length {
        0..=0x7f => rest.len() == usize::from(*length),
        0x81 => rest
            .first()
            .is_some_and(|n| rest.len() == 1 + usize::from(*n)),
        0x82 => match rest {
            [high, low, content @ ..] => {
                content.len() == usize::from(u16::from_be_bytes([*high, *low]))
            }
            _ => false,
        },
        _ => false,
    }
}
