//! What becomes of a stream whose reader can't keep up.

/// What a hub does for a reader that is slower than its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SlowPolicy {
    /// The stream ends, so that the reader comes back and resumes where it was.
    #[default]
    Disconnect,
    /// The events in between are left out, and the stream says so.
    Gap,
    /// Of what waits, each topic's newest event is given.
    Latest,
}
