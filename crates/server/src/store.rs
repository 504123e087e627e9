//! Opening the log that a hub is over.

use crate::hub::now;
use std::io;
use std::path::Path;
use std::sync::Arc;
use tidings_engine::LogId;
use tidings_store::{
    DirStorage, Identity, MemoryStorage, OpenError, Options, Recovery, Storage, Store,
};

/// Why it can't be opened.
#[derive(Debug)]
pub enum Unopened {
    /// The directory can't be used.
    Data(io::Error),
    /// What is in it can't.
    Store(OpenError),
}

/// Opens the log in a directory, or begins one in memory that ends with the
/// hub.
///
/// # Errors
/// [`Unopened`], which names the file.
pub fn open(directory: Option<&Path>, options: Options) -> Result<Store, Unopened> {
    let storage: Arc<dyn Storage> = match directory {
        Some(directory) => Arc::new(DirStorage::open(directory).map_err(Unopened::Data)?),
        None => Arc::new(MemoryStorage::new()),
    };
    let identity = fresh_identity().map_err(Unopened::Data)?;
    let opened = Store::open(storage, options, now(), identity);
    let (store, Recovery { findings, .. }) = opened.map_err(Unopened::Store)?;
    for finding in findings {
        tracing::warn!(%finding, "the log was repaired");
    }
    Ok(store)
}

/// Of a log that is begun: from the system, because nobody may guess it.
fn fresh_identity() -> io::Result<Identity> {
    Ok(Identity {
        log: LogId(getrandom::u64()?),
        secret: getrandom::u64()?,
    })
}
