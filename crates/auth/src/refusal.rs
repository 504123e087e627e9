//! Why something is refused: a reason for the operator, an answer for the wire.

use std::fmt;

/// What a right would have been needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// To publish.
    Publish,
    /// To watch, read history, or see who is present.
    Subscribe,
    /// To use what is the operator's.
    Admin,
}

impl Scope {
    /// Its name in claims and in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Subscribe => "subscribe",
            Self::Admin => "admin",
        }
    }
}

/// What the wire says. It doesn't depend on the dialect, and tells a stranger
/// nothing about the reason: all faults of a token look alike (RFC 6750
/// section 3.1). Mercure 0.x answers `Forbidden` with 401.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// 400 `invalid_request`: the request presents its token wrongly.
    BadRequest,
    /// 401 without an error code: a token is needed and none was there.
    TokenNeeded,
    /// 401 `invalid_token`.
    InvalidToken,
    /// 403 `insufficient_scope`: the token is good, and doesn't grant this.
    Forbidden(Scope),
    /// 403 without an error code: no token would help.
    Never,
    /// 503: in a while it would be allowed. A request for an event stream is
    /// told so by a stream that ends at once.
    Later,
}

impl Answer {
    /// The status of the response.
    pub fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::TokenNeeded | Self::InvalidToken => 401,
            Self::Forbidden(_) | Self::Never => 403,
            Self::Later => 503,
        }
    }

    /// The `error` of RFC 6750, if there is one.
    pub fn error(self) -> Option<&'static str> {
        match self {
            Self::BadRequest => Some("invalid_request"),
            Self::InvalidToken => Some("invalid_token"),
            Self::Forbidden(_) => Some("insufficient_scope"),
            Self::TokenNeeded | Self::Never | Self::Later => None,
        }
    }
}

/// Declares [`Refusal`]: each reason once, with its answer, its label for
/// metrics and its sentence for the operator.
macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident => $answer:expr, $label:literal, $text:literal;)*) => {
        /// The one reason for a refusal. [`fmt::Display`] tells the operator
        /// what was wrong and what to do; it never holds a part of the token.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Refusal {
            $($(#[$doc])* $name,)*
        }

        impl Refusal {
            /// Every reason, for tables of metrics and of tests.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// What the wire says.
            pub fn answer(self) -> Answer {
                match self { $(Self::$name => $answer,)* }
            }

            /// A short name in `kebab-case`, for metrics.
            pub fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }
        }

        impl fmt::Display for Refusal {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$name => $text,)* })
            }
        }

        impl std::error::Error for Refusal {}
    };
}

refusals! {
    /// More than one token, and they differ; or one header twice.
    Ambiguous => Answer::BadRequest, "ambiguous",
        "the request presents more than one token, and they differ: send one";
    /// A token in the query where that isn't allowed.
    QueryToken => Answer::InvalidToken, "query-token",
        "a token in the query is taken only if a legacy key has signed it, and it is no access token: \
         send it in Authorization, or use a ticket";
    /// `Authorization` isn't `Bearer` and one token.
    Scheme => Answer::InvalidToken, "scheme",
        "Authorization has to be 'Bearer', one space and a token";
    /// Longer than a token may be.
    TokenTooLong => Answer::InvalidToken, "token-too-long",
        "the token is longer than 16 KiB";
    /// Not three parts in strict base64url.
    TokenMalformed => Answer::InvalidToken, "token-malformed",
        "the token isn't three parts of unpadded base64url with a dot between (a compact JWS)";
    /// Its header isn't an object of JSON that can be read one way only.
    HeaderMalformed => Answer::InvalidToken, "header-malformed",
        "the token's header isn't a JSON object with each name once";
    /// `crit`, `zip`, `b64`, or a token inside the token.
    HeaderUnsupported => Answer::InvalidToken, "header-unsupported",
        "the token's header asks for what this hub doesn't do (crit, zip, b64, enc, or cty for a \
         token inside the token)";
    /// `typ` names another kind of token.
    Type => Answer::InvalidToken, "type",
        "the token's typ is of another kind of token: JWT and at+jwt are taken";
    /// `alg` isn't one that a fitting key is pinned to.
    Algorithm => Answer::InvalidToken, "algorithm",
        "the token's alg isn't the one that its key is configured for";
    /// `kid` isn't a string of bounded length.
    KeyId => Answer::InvalidToken, "key-id",
        "the token's kid isn't a string of 1 to 256 bytes";
    /// The claims aren't an object of JSON that can be read one way only.
    ClaimsMalformed => Answer::InvalidToken, "claims-malformed",
        "the token's claims aren't a JSON object with each name once";
    /// More elements than a token may have.
    TooMany => Answer::InvalidToken, "too-many",
        "the token has more claims or selectors than are taken (256 claims, 1,000 selectors)";
    /// A registered claim of a wrong type, or a time out of range.
    ClaimType => Answer::InvalidToken, "claim-type",
        "a claim of the token has the wrong type: exp, nbf and iat are whole seconds, iss, sub and \
         jti strings, aud a string or a list of strings";
    /// `iss` is none of those trusted.
    UnknownIssuer => Answer::InvalidToken, "unknown-issuer",
        "the token's iss is none of the configured issuers";
    /// No configured key fits.
    UnknownKey => Answer::InvalidToken, "unknown-key",
        "no configured key fits the token's iss and kid";
    /// The document of keys that may have the token's key can't be fetched now.
    KeysUnavailable => Answer::Later, "keys-unavailable",
        "the document of keys of the token's issuer couldn't be fetched (jwks_url)";
    /// The signature is not by a fitting key.
    Signature => Answer::InvalidToken, "signature",
        "the token's signature wasn't made with the configured key";
    /// `exp` is missing.
    NoExpiry => Answer::InvalidToken, "no-expiry",
        "the token has no exp; only tokens of legacy keys may do without";
    /// `exp` is past.
    Expired => Answer::InvalidToken, "expired",
        "the token has expired (exp)";
    /// `nbf` is ahead.
    NotYet => Answer::InvalidToken, "not-yet",
        "the token isn't valid yet (nbf); compare the clocks of hub and issuer";
    /// `iat` is ahead.
    IssuedLater => Answer::InvalidToken, "issued-later",
        "the token was issued in the future (iat); compare the clocks of hub and issuer";
    /// `aud` is missing.
    NoAudience => Answer::InvalidToken, "no-audience",
        "the token has no aud; only tokens of legacy keys may do without";
    /// `aud` names others.
    Audience => Answer::InvalidToken, "audience",
        "the token's aud doesn't name this hub: it is for another service, or public_url or the \
         audience isn't configured as the issuer knows it";
    /// The claims that grant rights can't be read.
    Rights => Answer::InvalidToken, "rights",
        "the claim that grants rights (tidings, mercure or authorization_details) is malformed or \
         holds an invalid selector";
    /// A Mercure 0.x claim, signed by a key that isn't legacy.
    LegacyClaim => Answer::InvalidToken, "legacy-claim",
        "the token has a Mercure 0.x claim, and its key isn't configured as legacy";
    /// `authorization_details` in a token that isn't an access token.
    NotAccessToken => Answer::InvalidToken, "not-access-token",
        "the token has authorization_details, and its typ isn't at+jwt";
    /// Revoked by its id, its subject or its topics.
    Revoked => Answer::InvalidToken, "revoked",
        "the token has been revoked";
    /// A ticket that this hub didn't seal, or not with its present key.
    Ticket => Answer::InvalidToken, "ticket",
        "the ticket wasn't sealed by this hub";
    /// A ticket for a token whose key is gone.
    Unvouched => Answer::InvalidToken, "unvouched",
        "the key that the ticket's token was verified with is configured no more";
    /// A ticket whose time is over.
    TicketExpired => Answer::InvalidToken, "ticket-expired",
        "the ticket was not used within 60 s, or its token has expired";
    /// A ticket that has opened its stream already.
    TicketUsed => Answer::InvalidToken, "ticket-used",
        "the ticket has opened its stream already, and a request without Last-Event-ID doesn't resume it";
    /// A ticket that two hold.
    TicketContested => Answer::InvalidToken, "ticket-contested",
        "the ticket's stream was resumed by two in turns, as if its URL had been copied: it is good \
         for nothing more, and a new one is needed";
    /// A ticket where none is taken.
    TicketElsewhere => Answer::InvalidToken, "ticket-elsewhere",
        "a ticket is for event streams, by GET, and for nothing else";
    /// Too many tickets are in use.
    TicketsFull => Answer::Later, "tickets-full",
        "too many tickets were opened within a minute";
    /// Nobody is named and anonymous watchers may not see this.
    Anonymous => Answer::TokenNeeded, "anonymous",
        "a token is needed: [auth] anonymous doesn't open this";
    /// The token doesn't grant publishing to every topic.
    PublishNotGranted => Answer::Forbidden(Scope::Publish), "publish-not-granted",
        "the token doesn't grant publish on every topic of the event";
    /// The token doesn't grant watching.
    SubscribeNotGranted => Answer::Forbidden(Scope::Subscribe), "subscribe-not-granted",
        "the token doesn't grant subscribe on the topic";
    /// The token isn't an operator's.
    NotAdmin => Answer::Forbidden(Scope::Admin), "not-admin",
        "this is the operator's: the token needs the claim \"tidings\": {\"admin\": true}, signed by a \
         key for both roles";
    /// A renewal by somebody else.
    OtherHolder => Answer::Forbidden(Scope::Subscribe), "other-holder",
        "a stream is renewed with a token of the same iss and sub as the one that opened it; without \
         a sub it can't be";
    /// A topic that only the hub publishes to.
    Reserved => Answer::Never, "reserved",
        "only the hub itself publishes to that topic";
    /// No topic was named.
    NoTopic => Answer::BadRequest, "no-topic",
        "the request names no topic";
    /// A cookie authorizes this, and the page is not of an allowed origin.
    CrossSite => Answer::Never, "cross-site",
        "a request with a cookie has to come from the hub's own origin or a configured one (Origin, \
         or else Referer)";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_label_of_its_own_and_one_answer() {
        let mut labels: Vec<_> = Refusal::ALL.iter().map(|refusal| refusal.label()).collect();
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(labels.len(), Refusal::ALL.len());
        for refusal in Refusal::ALL {
            let answer = refusal.answer();
            assert_eq!(
                answer.status() == 400,
                answer.error() == Some("invalid_request")
            );
            assert!(!refusal.to_string().is_empty());
        }
    }
}
