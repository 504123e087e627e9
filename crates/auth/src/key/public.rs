//! Public keys, checked when they are configured and not when the first token
//! fails.

use super::KeyError;
use aws_lc_rs::rsa::PublicKey;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey,
    VerificationAlgorithm,
};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};

/// Bits of an RSA modulus that the library verifies with.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Reads a PEM with one public key.
pub(super) fn from_pem(pem: &[u8], algorithm: Algorithm) -> Result<DecodingKey, KeyError> {
    let text = std::str::from_utf8(pem)
        .map_err(|_| KeyError::NotPem)?
        .trim();
    let label = text.strip_prefix("-----BEGIN ").ok_or(KeyError::NotPem)?;
    let label = label.split("-----").next().unwrap_or_default();
    if text.matches("-----BEGIN").count() != 1 {
        return Err(KeyError::NotPem);
    }
    match label {
        "PUBLIC KEY" => {}
        "RSA PUBLIC KEY" if algorithm.family() == AlgorithmFamily::Rsa => {}
        "RSA PUBLIC KEY" => return Err(KeyError::OtherFamily),
        "CERTIFICATE" => return Err(KeyError::Certificate),
        label if label.ends_with("PRIVATE KEY") => return Err(KeyError::PrivateKey),
        _ => return Err(KeyError::NotPem),
    }
    let text = text.as_bytes();
    let key = match algorithm.family() {
        AlgorithmFamily::Hmac => return Err(KeyError::PublicKeyAsSecret),
        AlgorithmFamily::Rsa => DecodingKey::from_rsa_pem(text),
        AlgorithmFamily::Ec => DecodingKey::from_ec_pem(text),
        AlgorithmFamily::Ed => DecodingKey::from_ed_pem(text),
    };
    let key = key.map_err(|_| KeyError::OtherFamily)?;
    let bytes = key.try_get_as_bytes().map_err(|_| KeyError::NotPem)?;
    match algorithm {
        Algorithm::ES256 | Algorithm::ES384 | Algorithm::EdDSA => check_point(bytes, algorithm)?,
        _ => {
            let key = PublicKey::from_der(bytes).map_err(|_| KeyError::RsaSize)?;
            check_modulus(key.modulus().big_endian_without_leading_zero())?;
        }
    }
    Ok(key)
}

/// An RSA modulus has a size that the library verifies with.
pub(super) fn check_modulus(modulus: &[u8]) -> Result<(), KeyError> {
    let leading = modulus.iter().take_while(|byte| **byte == 0).count();
    let modulus = &modulus[leading..];
    let unused = modulus.first().map_or(0, |first| first.leading_zeros());
    let bits = modulus.len() * 8 - unused as usize;
    match RSA_BITS.contains(&bits) {
        true => Ok(()),
        false => Err(KeyError::RsaSize),
    }
}

/// The point of an elliptic curve is on it, and not of small order.
pub(super) fn check_point(point: &[u8], algorithm: Algorithm) -> Result<(), KeyError> {
    let curve: &'static dyn VerificationAlgorithm = match algorithm {
        Algorithm::ES256 => &ECDSA_P256_SHA256_FIXED,
        Algorithm::ES384 => &ECDSA_P384_SHA384_FIXED,
        Algorithm::EdDSA if is_of_small_order(point) => return Err(KeyError::Point),
        Algorithm::EdDSA => &ED25519,
        _ => return Err(KeyError::OtherFamily),
    };
    let parsed = ParsedPublicKey::new(curve, point);
    parsed.map(drop).map_err(|_| KeyError::Point)
}

/// Whether an Ed25519 key is one of the points for which one signature fits
/// every text. Written as their y, lowest byte first, without the sign bit:
/// orders 1, 2 and 4, what also encodes these, and the two of order 8.
pub(super) fn is_of_small_order(point: &[u8]) -> bool {
    const ORDER_8: [[u8; 32]; 2] = [
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef,
            0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88,
            0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10,
            0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77,
            0x92, 0xac, 0x03, 0x7a,
        ],
    ];
    let Ok(mut y) = <[u8; 32]>::try_from(point) else {
        return false;
    };
    y[31] &= 0x7f;
    let [first, middle @ .., last] = y;
    let zeros = last == 0 && middle.iter().all(|byte| *byte == 0);
    let ones = last == 0x7f && middle.iter().all(|byte| *byte == 0xff);
    ORDER_8.contains(&y) || zeros && first <= 1 || ones && (0xec..=0xee).contains(&first)
}
