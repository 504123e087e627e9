//! Where a request with a cookie comes from. A browser adds cookies on its own,
//! so whoever can make it send a request would act with the user's rights.

use crate::Refusal;
use url::Url;

/// Checks `Origin`, or without it the origin of `Referer`, against the hub's
/// own origin and those configured. All values of both headers are given, as
/// they came.
///
/// # Errors
/// [`Refusal::CrossSite`]: another origin, `null`, several values that aren't
/// one origin, or neither header.
pub fn check(
    origin: &[&[u8]],
    referer: &[&[u8]],
    own: &str,
    allowed: &[String],
) -> Result<(), Refusal> {
    let from = match (origin, referer) {
        ([origin], _) => text(origin).map(str::to_owned),
        ([], [referer]) => text(referer).and_then(of_page),
        _ => None,
    };
    let from = from.ok_or(Refusal::CrossSite)?;
    // Compared as text: a browser serializes an origin in one way only.
    let listed = from == own || allowed.contains(&from);
    match listed && from != "null" {
        true => Ok(()),
        false => Err(Refusal::CrossSite),
    }
}

fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok()
}

fn of_page(referer: &str) -> Option<String> {
    let origin = Url::parse(referer).ok()?.origin();
    origin.is_tuple().then(|| origin.ascii_serialization())
}
