//! What one subscription watches, and what of that it may see.

use crate::mercure::to_mercure;
use crate::own;
use crate::selector::Pattern;
use crate::{Published, Selector, Sight, Topic, Visibility};
use std::sync::{Arc, Weak};
use tidings_matcher::Subject;

/// What one subscription watches: the union of its selectors, without doubles,
/// as far as its [`Sight`] shows it. Cheap to clone.
///
/// Two are equal if they give the same events: the same selectors, and sights that
/// show the same. So a read for one is a read for the other.
#[derive(Debug, Clone)]
pub struct Selection {
    selectors: Arc<[Selector]>,
    sight: Option<Arc<dyn Sight>>,
    /// See [`Selection::work`].
    work_per_topic: u32,
}

impl PartialEq for Selection {
    fn eq(&self, other: &Self) -> bool {
        let same_sight = match (&self.sight, &other.sight) {
            (None, None) => true,
            (Some(own), Some(other)) => Arc::ptr_eq(own, other) || own.is_same(&**other),
            _ => false,
        };
        same_sight
            && (Arc::ptr_eq(&self.selectors, &other.selectors) || self.selectors == other.selectors)
    }
}

impl Eq for Selection {}

impl Selection {
    /// Joins selectors, dropping doubles. An empty selection watches nothing.
    /// It shows what isn't private.
    pub fn new(mut selectors: Vec<Selector>) -> Self {
        selectors.sort();
        selectors.dedup();
        Self {
            work_per_topic: units(work_per_topic(&selectors)),
            selectors: selectors.into(),
            sight: None,
        }
    }

    /// Everything but the hub's reserved topics: `**`.
    pub fn everything() -> Self {
        Self::new(vec![Selector::Pattern(Pattern("**".into()))])
    }

    /// The same selectors, as far as `sight` shows what they select.
    #[must_use]
    pub fn with_sight(self, sight: Arc<dyn Sight>) -> Self {
        let selectors = Arc::clone(&self.selectors);
        Self {
            sight: Some(sight),
            ..self
        }
        .of(selectors)
    }

    /// What of it is in the log, and what in the hub's [own log](crate::own), each
    /// with the same sight.
    pub fn split(self) -> (Self, Self) {
        let is_own = |own: &&Selector| own::is_own(own.as_str());
        if !self.selectors.iter().any(|own| is_own(&own)) {
            let none = self.of(Arc::default());
            return (self, none);
        }
        let (own, log): (Vec<_>, Vec<_>) = self.selectors.iter().partition(is_own);
        let part = |selectors: Vec<&Selector>| self.of(selectors.into_iter().cloned().collect());
        (part(log), part(own))
    }

    /// These selectors, which have to be sorted, with the same sight.
    fn of(&self, selectors: Arc<[Selector]>) -> Self {
        let sight = self.sight.as_ref().map_or(0, |sight| sight.work());
        Self {
            work_per_topic: units(work_per_topic(&selectors).saturating_add(sight)),
            selectors,
            sight: self.sight.clone(),
        }
    }

    /// The same. If its selectors are those of `newest`, they are in memory once;
    /// otherwise `newest` becomes its own.
    pub(crate) fn sharing(mut self, newest: &mut Weak<[Selector]>) -> Self {
        match newest.upgrade().filter(|own| *own == self.selectors) {
            Some(own) => self.selectors = own,
            None => *newest = Arc::downgrade(&self.selectors),
        }
        self
    }

    /// Whether it selects nothing, whatever is published.
    pub fn is_empty(&self) -> bool {
        self.selectors.is_empty()
    }

    /// The selectors, sorted.
    pub fn selectors(&self) -> &[Selector] {
        &self.selectors
    }

    /// Its topics, if it has some and they are all it selects.
    pub fn exact_topics(&self) -> Option<impl Iterator<Item = &Topic>> {
        let (exact, others) = self.parts();
        let topics = exact.iter().filter_map(|selector| match selector {
            Selector::Exact(topic) => Some(topic),
            Selector::Pattern(_) | Selector::Mercure(_) => None,
        });
        (!exact.is_empty() && others.is_empty()).then_some(topics)
    }

    /// Its exact topics, sorted, and all other selectors.
    pub(crate) fn parts(&self) -> (&[Selector], &[Selector]) {
        // `Exact` sorts first, as the enum names it first.
        let exact = self
            .selectors
            .partition_point(|selector| matches!(selector, Selector::Exact(_)));
        self.selectors.split_at(exact)
    }

    /// Whether it is given an event: a selector matches one of its topics, and
    /// the sight shows it.
    pub fn watches(&self, event: &Published<'_>) -> bool {
        self.watches_if(event, |_| true)
    }

    /// As [`Selection::watches`], but by way of the topics alone for which `also`
    /// holds: where each topic has its own retention, an event can have expired
    /// from one of its topics and be there for those who watch another.
    pub fn watches_if(&self, event: &Published<'_>, mut also: impl FnMut(&Topic) -> bool) -> bool {
        event
            .topics()
            .any(|topic| self.matches(topic) && also(topic))
            && self.shows(event)
    }

    /// Whether the sight shows an event, selected or not.
    pub fn shows(&self, event: &Published<'_>) -> bool {
        match &self.sight {
            None => event.visibility != Visibility::Private,
            Some(sight) => sight.shows(event),
        }
    }

    /// How much work it is at worst to find out whether it [watches](Self::watches)
    /// an event, in comparisons of a short topic with a pattern (some 60 ns). A
    /// long topic counts for several, and so do rules of Mercure's.
    pub fn work(&self, event: &Published<'_>) -> usize {
        let topics: usize = event.topics().map(work_of).sum();
        topics.saturating_mul(self.work_per_topic())
    }

    /// [`Selection::work`] for each short topic.
    pub fn work_per_topic(&self) -> usize {
        self.work_per_topic as usize
    }

    /// Whether any selector matches `topic`; seen or not. The cost grows with the
    /// logarithm of the number of exact topics and with the number of the others.
    pub fn matches(&self, topic: &Topic) -> bool {
        let (exact, others) = self.parts();
        let is_exact = exact
            .binary_search_by(|selector| selector.as_str().cmp(topic.as_str()))
            .is_ok();
        is_exact || {
            let mercure = others.partition_point(|own| !matches!(own, Selector::Mercure(_)));
            let (patterns, mercure) = others.split_at(mercure);
            patterns.iter().any(|pattern| pattern.matches(topic)) || any_of_mercure(mercure, topic)
        }
    }
}

fn units(work: usize) -> u32 {
    u32::try_from(work).unwrap_or(u32::MAX)
}

/// So many bytes of topic count as one unit of work.
const TOPIC_BYTES_PER_WORK: usize = 64;

/// To work out a topic's Mercure name, and to read that as a URL.
const NAME_WORK: usize = 12;

/// What a topic's length counts for.
fn work_of(topic: &Topic) -> usize {
    1 + topic.as_str().len() / TOPIC_BYTES_PER_WORK
}

/// What a short topic counts for, held against all of `selectors`.
fn work_per_topic(selectors: &[Selector]) -> usize {
    let exact = selectors.partition_point(|own| matches!(own, Selector::Exact(_)));
    let mut rules = selectors[exact..].iter().rev().peekable();
    let named = rules
        .peek()
        .is_some_and(|last| matches!(last, Selector::Mercure(_)));
    let each = rules.map(|own| match own {
        Selector::Exact(_) | Selector::Pattern(_) => 1,
        Selector::Mercure(own) => own.matcher().work(),
    });
    1 + each.sum::<usize>() + if named { NAME_WORK } else { 0 }
}

/// Whether one of these rules of Mercure's matches; the topic's name is worked out
/// once.
fn any_of_mercure(rules: &[Selector], topic: &Topic) -> bool {
    let mut rules = rules.iter().filter_map(|selector| match selector {
        Selector::Mercure(own) => Some(&**own),
        Selector::Exact(_) | Selector::Pattern(_) => None,
    });
    let Some(first) = rules.next() else {
        return false;
    };
    let Some(name) = to_mercure(topic, first.base()) else {
        return false;
    };
    let subject = Subject::new(&name, first.base());
    std::iter::once(first)
        .chain(rules)
        .any(|own| own.matches(&subject))
}
