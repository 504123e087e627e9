//! The topic of an event, by what it is called on each face.

use std::cell::OnceCell;
use std::fmt;
use tidings_engine::{Selector, Topic, own};
use tidings_mercure::{Base, Subject, native, topic};

/// A topic by both of its names, which are made from one here, so that they
/// can't be of two topics.
#[derive(Clone)]
pub struct TopicName<'a> {
    native: Option<Topic>,
    /// Found out when it is asked for: most grants are native.
    mercure: OnceCell<Option<Box<str>>>,
    reserved: bool,
    base: &'a Base,
}

impl<'a> TopicName<'a> {
    /// A topic of the native face, or of the log. Whoever publishes natively
    /// names no topic that begins with `$`.
    pub fn native(topic: &Topic, base: &'a Base) -> Self {
        Self {
            native: Some(topic.clone()),
            mercure: OnceCell::new(),
            reserved: topic.is_reserved(),
            base,
        }
    }

    /// A topic of the Mercure face: any text.
    pub fn mercure(text: &str, base: &'a Base) -> Self {
        Self {
            native: native::from_mercure(text, base),
            mercure: OnceCell::from(Some(text.into())),
            reserved: text == "*" || topic::is_reserved(text, base),
            base,
        }
    }

    /// Its native name: none if the log couldn't keep it.
    pub fn as_native(&self) -> Option<&Topic> {
        self.native.as_ref()
    }

    /// Its name on the Mercure face: none for the hub's own native topics.
    pub fn as_mercure(&self) -> Option<&str> {
        let name = || {
            let name = native::to_mercure(self.native.as_ref()?, self.base);
            name.map(String::into_boxed_str)
        };
        self.mercure.get_or_init(name).as_deref()
    }

    /// Whether only the hub publishes to it.
    pub fn is_reserved(&self) -> bool {
        self.reserved
    }

    /// The topic at which the hub tells there who is present, if it does.
    pub(crate) fn present_at(&self) -> Option<Self> {
        let own = self.native.as_ref().filter(|_| self.reserved)?;
        let at = Topic::new(own::presence_of(own.as_str())?).ok()?;
        Some(Self::native(&at, self.base))
    }

    /// Whether the hub tells of itself there, which is its operator's.
    pub fn is_sys(&self) -> bool {
        let native = self.native.as_ref();
        self.reserved && native.is_some_and(|topic| own::is_sys(topic.as_str()))
    }

    pub(crate) fn subject(&self) -> Option<Subject<'_>> {
        self.as_mercure().map(|text| Subject::new(text, self.base))
    }
}

impl fmt::Debug for TopicName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicName")
            .field("native", &self.native)
            .field("mercure", &self.as_mercure())
            .finish_non_exhaustive()
    }
}

/// Whether every native topic that the selector watches has a name on the
/// Mercure face: all but the hub's own have.
pub(crate) fn is_named_by_mercure(selector: &Selector) -> bool {
    let mut segments = selector.as_str().split('/');
    let first = segments.next().unwrap_or_default();
    !first.starts_with('$') || first == native::OWN && segments.next().is_some()
}
