//! What whoever runs a server does with its folder: copy it, read it out, take logs in, let go of them, check and mend
//! it. Where a server holds the folder, it is asked to do what needs the folder for itself.

mod columns;
mod export;
mod import;
mod progress;
mod served;

use std::{
    io,
    path::{Path, absolute},
};

pub use parea_store::{Erasure, Recast, Retained, Retention};
use parea_store::{OpenError, SqliteStore, StoreError, StoreFile};
use parea_types::Timestamp;

pub use self::{
    export::{Exported, Format, export, export_to},
    import::{Imported, import, import_from},
};
pub(crate) use self::{
    import::take_in,
    served::{Demand, Done, IMPORT, SOCKET},
};

/// Logs that are read or written together.
const STEP: u32 = 512;

/// Faults that a check lists.
const FAULTS: usize = 100;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OperateError {
    /// The folder cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was to be read or written could not be.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A Parquet file cannot be read or written.
    #[error("{0}")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// The server that holds the folder refused, or could not do it.
    #[error("the server that holds the folder said: {0}")]
    Served(String),
}

/// A folder's store, or that of the server that holds it.
enum Held {
    Own(SqliteStore),
    Served(served::Server),
}

impl Held {
    /// Opens the store, by `open` where no server holds it.
    async fn open(
        data: &Path,
        open: impl FnOnce(&Path) -> Result<SqliteStore, OpenError>,
    ) -> Result<Self, OperateError> {
        match open(data) {
            Ok(store) => Ok(Self::Own(store)),
            Err(in_use @ OpenError::InUse { .. }) => match served::Server::of(data).await {
                Some(server) => Ok(Self::Served(server)),
                None => Err(in_use.into()),
            },
            Err(error) => Err(error.into()),
        }
    }
}

/// Erases logs for good and answers how many. A server that holds the folder does it while it goes on.
pub async fn erase(data: &Path, what: &Erasure) -> Result<u64, OperateError> {
    match Held::open(data, SqliteStore::open_existing).await? {
        Held::Own(store) => {
            let erased = store.erase(what).await;
            store.close().await;
            Ok(erased?)
        }
        Held::Served(server) => Ok(server.ask(&Demand::erase(what)).await?.logs),
    }
}

/// Lets go of what the rules do not keep; traces and logs by project. A server that holds the folder does it.
pub async fn retain(data: &Path, rules: &Retention) -> Result<Retained, OperateError> {
    match Held::open(data, SqliteStore::open_existing).await? {
        Held::Own(store) => {
            let done = retain_in(&store, rules, false).await;
            store.close().await;
            Ok(done?)
        }
        Held::Served(server) => Ok(server.ask(&Demand::retain(rules)).await?.retained()),
    }
}

/// The same in an open store, with the words of what went.
pub(crate) async fn retain_in(store: &SqliteStore, rules: &Retention, is_gentle: bool) -> Result<Retained, StoreError> {
    let done = store.retain(rules, Timestamp::from(chrono::Utc::now()), is_gentle).await?;
    store.retain_words(done.total().1).await?;
    Ok(done)
}

/// What [`retain`] would let go; a server may hold the folder meanwhile.
pub fn retention(data: &Path, rules: &Retention) -> Result<Retained, OperateError> {
    Ok(StoreFile::open(data)?.retention(rules, Timestamp::from(chrono::Utc::now()))?)
}

/// Copies a folder's store, as it is when the copy is done, into a file that does not exist yet. A server that holds the
/// folder makes the copy, while it goes on. It is restored by putting it as `parea.db` into an empty folder.
pub async fn backup(data: &Path, to: &Path) -> Result<(), OperateError> {
    match served::Server::of(data).await {
        Some(server) => {
            server.ask(&Demand::Backup { to: absolute(to)? }).await?;
        }
        None => StoreFile::open(data)?.backup(to)?,
    }
    Ok(())
}

/// Says what is wrong with a folder's store, at most a hundred faults; a server may hold it meanwhile.
pub fn check(data: &Path) -> Result<Vec<String>, OperateError> {
    Ok(StoreFile::open(data)?.check(FAULTS)?)
}

/// Makes anew what follows from the logs: sums, indexes, words. No server may hold the folder.
pub fn repair(data: &Path) -> Result<(), OperateError> {
    Ok(SqliteStore::repair(data)?)
}

/// Writes what can still be read of a damaged file into a new one, which takes its place; the damaged one is kept beside
/// it. No server may hold the folder.
pub fn salvage(data: &Path) -> Result<Recast, OperateError> {
    Ok(SqliteStore::salvage(data)?)
}
