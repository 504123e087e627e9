//! Where and how an event was published: what decides who is given it.

use crate::Topic;

/// How an event was published, on which it depends to whom it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Visibility {
    /// On the native face: to those whom it is granted, and to all if
    /// `anonymous` matches one of its topics.
    #[default]
    Native,
    /// By Mercure without `private`: on Mercure's face to all who may be
    /// there, on the native one as [`Visibility::Native`].
    Public,
    /// By Mercure with `private`: only to those whom it is granted.
    Private,
}

impl Visibility {
    /// Whether it came by Mercure, where an id may name several events.
    pub fn is_of_mercure(self) -> bool {
        matches!(self, Self::Public | Self::Private)
    }
}

/// Where and how an event was published, borrowed from whatever holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published<'a> {
    /// Its canonical topic.
    pub topic: &'a Topic,
    /// Its other topics: none twice, and not the canonical one.
    pub alternates: &'a [Topic],
    /// To whom it is shown.
    pub visibility: Visibility,
}

impl<'a> Published<'a> {
    /// An event of one topic, published natively.
    pub fn natively(topic: &'a Topic) -> Self {
        Self {
            topic,
            alternates: &[],
            visibility: Visibility::Native,
        }
    }

    /// All its topics, the canonical one first.
    pub fn topics(&self) -> impl Iterator<Item = &'a Topic> + Clone + use<'a> {
        std::iter::once(self.topic).chain(self.alternates)
    }
}

/// The alternates of an event at `topic`: what `others` names besides, each once,
/// in the order of its first mention.
pub fn alternates(topic: &Topic, others: impl IntoIterator<Item = Topic>) -> Box<[Topic]> {
    let mut seen = std::collections::HashSet::from([topic.clone()]);
    others
        .into_iter()
        .filter(|other| seen.insert(other.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternates_are_other_topics_each_once() {
        let topic = |text| Topic::new(text).unwrap();
        let canonical = topic("a");
        let others = ["b", "a", "c", "b"].map(topic);
        let alternates = alternates(&canonical, others);
        assert_eq!(*alternates, ["b", "c"].map(topic));
        let published = Published {
            alternates: &alternates,
            ..Published::natively(&canonical)
        };
        let all: Vec<_> = published.topics().map(Topic::as_str).collect();
        assert_eq!(all, ["a", "b", "c"]);
    }
}
