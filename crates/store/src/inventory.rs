//! Which segments a directory holds, and which it once held.

use crate::error::OpenError;
use crate::files::Files;
use crate::format::segment::{self, Decoded, Header};
use crate::format::{
    Identity, MAX_NAMED, index_name, parse_damaged_name, parse_index_name, parse_segment_name,
    record,
};
use crate::index::IndexFile;
use crate::open::io_error;
use crate::options::Options;
use crate::storage::{Storage, StorageFile, is_damage};
use std::io;
use std::sync::Arc;
use tidings_engine::Position;

/// A segment file whose header is intact.
pub(crate) struct Found {
    pub header: Header,
    pub file: Arc<dyn StorageFile>,
}

/// What was found.
pub(crate) struct Inventory {
    /// In order.
    pub segments: Vec<Found>,
    /// The names of files that are not the segments they are called.
    pub unreadable: Vec<String>,
    /// The last position that segments behind the last of `segments` may
    /// have held, if there are traces of any. Up to it, none is given again.
    pub lost_to: Option<Position>,
}

/// How many positions a segment of any length may hold. An unreadable one may
/// have been cut, and a missing one says nothing of its length.
const MOST_HELD: u64 = Options::MAX_SEGMENT / record::MIN + 1;

/// No log gets to a position behind this; a file that is called so never was
/// a segment.
const MOST_GIVEN: u64 = MAX_NAMED / 2;

impl Inventory {
    /// Looks through the files `names`; changes nothing.
    ///
    /// # Errors
    /// If the storage fails, or a file is none that may be left out or gone
    /// on with.
    pub fn take(
        storage: &dyn Storage,
        files: &Arc<Files>,
        identity: Identity,
        names: &[String],
    ) -> Result<Self, OpenError> {
        let mut inventory = Self {
            segments: Vec::new(),
            unreadable: Vec::new(),
            lost_to: None,
        };
        let mut named = by_position(names, parse_segment_name);
        named.sort_unstable();
        for (first, name) in named {
            match read(storage, identity, first, name)? {
                Some(found) => inventory.segments.push(found),
                None => inventory.unreadable.push(name.clone()),
            }
        }
        let last = inventory.segments.last().map(|found| found.header.first);
        inventory.lost_to = lost_behind(files, identity, names, &inventory.unreadable, last)
            .map_err(|(name, e)| io_error(storage, &name, e))?;
        Ok(inventory)
    }
}

fn read(
    storage: &dyn Storage,
    identity: Identity,
    first: Position,
    name: &str,
) -> Result<Option<Found>, OpenError> {
    let error = |e| io_error(storage, name, e);
    let file = storage.open(name).map_err(error)?;
    let path = || storage.path(name);
    match segment::read(&*file).map_err(error)? {
        Decoded::Other(found) => Err(OpenError::Version {
            file: path(),
            found,
        }),
        Decoded::Header(header) if header.identity != identity => Err(OpenError::Foreign {
            file: path(),
            log: identity.log,
        }),
        Decoded::Header(header) if header.first == first && first.0 > 0 => {
            Ok(Some(Found { header, file }))
        }
        _ => Ok(None),
    }
}

/// The traces of segments behind the one that begins at `last`: unreadable
/// ones, those set aside earlier, and intact indexes. A segment gets its
/// index only once the next segment is durable, so that one was there too.
fn lost_behind(
    files: &Arc<Files>,
    identity: Identity,
    names: &[String],
    unreadable: &[String],
    last: Option<Position>,
) -> Result<Option<Position>, (String, io::Error)> {
    let last = last.unwrap_or(Position::START);
    let unreadable = by_position(unreadable, parse_segment_name);
    let set_aside = by_position(names, parse_damaged_name);
    let mut behind: Vec<Position> = unreadable
        .into_iter()
        .chain(set_aside)
        .map(|(first, _)| first)
        .filter(|first| *first > last && first.0 <= MOST_GIVEN)
        .collect();
    for (first, _) in by_position(names, parse_index_name) {
        if first < last || first == Position::START {
            continue;
        }
        let name = index_name(first);
        match IndexFile::open(files, name.clone(), identity, first) {
            Ok(index) => behind.push(index.head().last.max(last).next()),
            Err(e) if is_damage(&e) => {}
            Err(e) => return Err((name, e)),
        }
    }
    let most = behind.into_iter().max();
    Ok(most.map(|first| Position(first.0 + MOST_HELD)))
}

fn by_position(names: &[String], parse: fn(&str) -> Option<Position>) -> Vec<(Position, &String)> {
    let parsed = names.iter().map(|name| (parse(name), name));
    parsed
        .filter_map(|(first, name)| first.map(|first| (first, name)))
        .collect()
}
