use url::Origin;

/// As whose request the stream is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// The origin of the page. A response of another origin must allow it (R9).
    pub origin: Origin,
    /// Whether cookies go along (R1).
    pub credentials: Credentials,
}

/// The credentials mode of the Fetch standard, as far as EventSource has it (R1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Credentials {
    /// To the page's own origin only.
    #[default]
    SameOrigin,
    /// To every origin, which must allow it.
    Include,
}
