//! Which topics the log has, in order, a page at a time.

use crate::error::StoreError;
use crate::index::{IndexFile, TopicsOf};
use crate::reader::Reader;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::ops::Bound;
use std::sync::Arc;

/// How many entries of indexes one page looks at before it ends behind the topic that
/// it has come to: those of a page of 1,000 topics that 200 segments have all of.
const MAX_ENTRIES: usize = 200_000;

/// A topic of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicStat {
    /// Its name.
    pub topic: String,
    /// How many events on disk have it, also as an alternate; some of them may have
    /// expired, as segments go whole.
    pub events: u64,
}

/// A page of [`Reader::topics`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TopicPage {
    /// Sorted, byte by byte.
    pub topics: Vec<TopicStat>,
    /// Whether others come behind the last.
    pub more: bool,
}

impl Reader {
    /// The topics that begin with `prefix` and come behind `after`, sorted, at most
    /// `limit` (at least one) and fewer where they stand in very many segments. A
    /// segment whose index has to be made anew is left out.
    ///
    /// # Errors
    /// Of the storage.
    pub fn topics(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<TopicPage, StoreError> {
        let from = match after {
            // Nothing comes between a text and itself with a NUL behind it.
            Some(after) if after >= prefix => format!("{after}\0"),
            _ => prefix.to_owned(),
        };
        let (sealed, active) = self.indexes(prefix, &from, limit);
        let mut lists = Vec::with_capacity(sealed.len());
        for index in &sealed {
            let list = intact(index, TopicsOf::new(index, &from).map(Some))?;
            lists.extend(list.map(|list| (index, list)));
        }
        let mut heads = BinaryHeap::new();
        let mut active = active.into_iter();
        if let Some(first) = active.next() {
            heads.push(Reverse((first, ACTIVE)));
        }
        for (number, (index, list)) in lists.iter_mut().enumerate() {
            if let Some(first) = intact(index, list.next())? {
                heads.push(Reverse((first, number)));
            }
        }
        let (mut page, mut looked) = (TopicPage::default(), 0);
        while let Some(Reverse(((topic, events), list))) = heads.pop() {
            if !topic.starts_with(prefix) {
                break;
            }
            let given = page.topics.len();
            match page.topics.last_mut() {
                Some(last) if last.topic == topic => last.events += events,
                _ if given >= limit.max(1) || given > 0 && looked >= MAX_ENTRIES => {
                    page.more = true;
                    break;
                }
                _ => page.topics.push(TopicStat { topic, events }),
            }
            looked += 1;
            let next = match list {
                ACTIVE => active.next(),
                sealed => {
                    let (index, list) = &mut lists[sealed];
                    intact(index, list.next())?
                }
            };
            if let Some(next) = next {
                heads.push(Reverse((next, list)));
            }
        }
        Ok(page)
    }

    /// The indexes of sealed segments, and what that of the active one has.
    fn indexes(
        &self,
        prefix: &str,
        from: &str,
        limit: usize,
    ) -> (Vec<Arc<IndexFile>>, Vec<(String, u64)>) {
        let catalog = self.shared.catalog();
        let topics = &catalog.active.index.topics;
        let active = topics
            .range::<str, _>((Bound::Included(from), Bound::Unbounded))
            .take_while(|(topic, _)| topic.as_str().starts_with(prefix))
            // One more than needed, to know of it.
            .take(limit.saturating_add(1))
            .map(|(topic, own)| (topic.as_str().to_owned(), own.offsets.len() as u64))
            .collect();
        let sealed = catalog.sealed.iter().filter_map(|sealed| sealed.index());
        (sealed.collect(), active)
    }
}

/// What an index answered; nothing if it is damaged. It is made anew when the
/// segment is read.
fn intact<T>(index: &IndexFile, read: io::Result<Option<T>>) -> Result<Option<T>, StoreError> {
    read.or_else(|source| match source.kind() {
        io::ErrorKind::InvalidData => Ok(None),
        _ => Err(StoreError {
            file: index.name().to_owned(),
            source,
        }),
    })
}

/// Stands for the active segment among the numbers of the others.
const ACTIVE: usize = usize::MAX;
