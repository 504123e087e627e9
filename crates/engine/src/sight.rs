//! What of its selection a subscription may see.

use crate::Published;
use std::any::Any;
use std::fmt;

/// Decides which of the selected events a subscription is given, live and from
/// history alike. Every read goes through it, by way of
/// [`Selection`](crate::Selection).
///
/// It must not change its mind about an event while a stream lasts: what it hides,
/// the stream's cursor passes over for good. So it asks no clock; whoever drives
/// the stream ends it when the rights behind it do.
pub trait Sight: Any + fmt::Debug + Send + Sync {
    /// Whether an event is shown.
    fn shows(&self, event: &Published<'_>) -> bool;

    /// How much work a decision is at worst, for each topic of the event, in the
    /// units of [`Selection::work`](crate::Selection::work).
    fn work(&self) -> usize {
        1
    }

    /// Whether `other` shows exactly the same, whatever the event: then reads may
    /// be shared. By what both grant, never by a text that was joined from it
    /// (CVE-2026-39972). If in doubt, `false`.
    fn is_same(&self, other: &dyn Sight) -> bool;
}
