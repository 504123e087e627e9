//! Hubs with a key, and tokens for them.

use crate::hub::Launch;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use tidings_auth::Algorithm;
use tidings_auth::mint::SigningKey;

/// The secret of [`Launch::closed`].
pub const SECRET: &str = "dNq2m-vX81_kWb04pRtZ7yLcG5hJ3sFa";
/// Where a closed hub believes to be reached, and the `aud` of its tokens.
pub const PUBLIC_URL: &str = "https://hub.example";

impl Launch {
    /// With a key, so that nobody may do anything without a token.
    #[must_use]
    pub fn closed(self) -> Self {
        let key = format!("[{{ algorithms = [\"HS256\"], secret = \"{SECRET}\" }}]");
        self.env("TIDINGS_AUTH_KEYS", key)
            .env("TIDINGS_PUBLIC_URL", PUBLIC_URL)
    }
}

/// A token with these claims; `exp` is in an hour and `aud` the closed hub
/// unless they say otherwise (`null` leaves one away).
///
/// # Panics
/// If `claims` is no object.
pub fn token(claims: Value) -> String {
    signed(claims, SECRET.as_bytes(), "JWT")
}

/// The value of `Authorization` with such a token.
pub fn bearer(claims: Value) -> String {
    format!("Bearer {}", token(claims))
}

/// A token that another secret signs, with HS256.
///
/// # Panics
/// If `claims` is no object.
pub fn signed(claims: Value, secret: &[u8], typ: &str) -> String {
    let Value::Object(mut claims) = claims else {
        panic!("claims are an object");
    };
    for (name, value) in [("exp", json!(in_seconds(3600))), ("aud", PUBLIC_URL.into())] {
        claims.entry(name).or_insert(value);
    }
    claims.retain(|_, value| !value.is_null());
    let key = SigningKey::from_secret(secret, Algorithm::HS256).expect("a key");
    key.mint(&claims, typ, None).expect("a token")
}

/// A time as claims write it, so many seconds from now.
pub fn in_seconds(seconds: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs() as i64) + seconds
}
