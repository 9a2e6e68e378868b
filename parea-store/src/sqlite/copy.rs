//! A copy of the whole file, beside those who write or without them.

use std::{
    fmt,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{SqliteStore, export::StoreFile, job::Work};
use crate::StoreError;

impl SqliteStore {
    /// Copies the whole store into a file that does not exist yet and is named as the file in a store's folder is to be
    /// opened from there (`parea.db`). The copy is that of the moment when it is done, and on disk when this returns. Page
    /// by page, between the writes of others: they wait for some milliseconds at most and have most of the writer's time,
    /// never all of it, and the write-ahead log does not grow for it.
    pub async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        let to = to.to_owned();
        let fresh = to.clone();
        apart(move || Fresh::make(&fresh)).await?;
        let path = to.clone();
        let copied = self.write(|reply| Work::Copy { to: path, reply }).await;
        apart(move || Fresh(to).finish(copied)).await
    }
}

/// Files may be slow.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| StoreError::Engine(error.to_string()))?
}

impl StoreFile {
    /// The same from beside: the write-ahead log keeps what is written meanwhile, so where a server holds the folder it
    /// had better make the copy.
    pub fn backup(&self, to: &Path) -> Result<(), StoreError> {
        Fresh::make(to)?;
        let copied = match to.to_str() {
            Some(path) => self.read_outside(|conn| conn.execute("VACUUM INTO ?1", [path]).map(drop)),
            None => Err(StoreError::Engine("the path is not UTF-8".to_owned())),
        };
        Fresh(to.to_owned()).finish(copied)
    }
}

/// How long a copy holds the writer at a time.
pub(super) const SLICE: Duration = Duration::from_millis(4);

/// How much longer than that it then leaves the writer to its callers, as long as there are some.
const REST: u32 = 3;

/// How long a caller counts as one who will come again.
const RECENT: Duration = Duration::from_millis(200);

/// Bytes that are written to the disk at once. A copy that is left to the system piles up in its memory until all of it is
/// written in one go, and the callers' syncs wait behind it.
const SYNCED: u64 = 4 << 20;

/// How long the writer is to be left to its callers after a slice that took so long. `last` is how long ago the last of
/// them came.
pub(super) fn rest(slice: Duration, last: Option<Duration>) -> Duration {
    match last {
        Some(ago) if ago < RECENT => slice * REST,
        _ => Duration::ZERO,
    }
}

/// Has a copy written to the disk while it grows, on a thread beside the writer's, which would wait for it.
pub(super) struct Synced {
    file: Arc<File>,
    under_way: Option<JoinHandle<io::Result<()>>>,
    /// Bytes of which nothing was written yet.
    unwritten: u64,
}

impl Synced {
    pub(super) fn new(to: &Path) -> Result<Self, StoreError> {
        let file = File::options().write(true).open(to).map_err(|error| unsynced(&error))?;
        Ok(Self { file: Arc::new(file), under_way: None, unwritten: 0 })
    }

    /// More was copied.
    pub(super) fn note(&mut self, bytes: u64) {
        self.unwritten += bytes;
    }

    /// Has what there is synced once it is enough; whether there may be more, for the disk keeps up.
    pub(super) fn is_ready(&mut self) -> Result<bool, StoreError> {
        if self.unwritten < SYNCED {
            return Ok(true);
        }
        if let Some(done) = self.under_way.take_if(|under_way| under_way.is_finished()) {
            let panicked = |_| Err(io::Error::other("the thread that syncs panicked"));
            done.join().unwrap_or_else(panicked).map_err(|error| unsynced(&error))?;
        }
        if self.under_way.is_some() {
            return Ok(false);
        }
        let file = Arc::clone(&self.file);
        let thread = thread::Builder::new().name("parea-sync".to_owned()).spawn(move || file.sync_data());
        self.under_way = Some(thread.map_err(|error| unsynced(&error))?);
        self.unwritten = 0;
        Ok(true)
    }
}

/// Whoever asked for the copy adds its path.
fn unsynced(error: &io::Error) -> StoreError {
    StoreError::Disk(error.to_string())
}

/// A file that is being made.
struct Fresh(PathBuf);

impl Fresh {
    /// Makes it, empty, if there is none. For the owner's eyes only, as the folder is.
    fn make(to: &Path) -> Result<(), StoreError> {
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(to).map(drop).map_err(|error| failed(to, &error))
    }

    /// Syncs it, or removes it: half a copy is none.
    fn finish(self, copied: Result<(), StoreError>) -> Result<(), StoreError> {
        let synced = || -> io::Result<()> {
            File::open(&self.0)?.sync_all()?;
            match self.0.parent().filter(|folder| cfg!(unix) && !folder.as_os_str().is_empty()) {
                Some(folder) => File::open(folder)?.sync_all(),
                None => Ok(()),
            }
        };
        let done = match copied {
            Ok(()) => synced().map_err(|error| failed(&self.0, &error)),
            Err(error) => Err(match error {
                StoreError::Full(text) => StoreError::Full(format!("{}: {text}", self.0.display())),
                StoreError::Disk(text) => StoreError::Disk(format!("{}: {text}", self.0.display())),
                other => other,
            }),
        };
        if done.is_err() {
            let _ = fs::remove_file(&self.0);
        }
        done
    }
}

fn failed(to: &Path, error: &dyn fmt::Display) -> StoreError {
    StoreError::Disk(format!("{}: {error}", to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_rests_for_callers_only_and_never_for_long() {
        assert_eq!(rest(SLICE, None), Duration::ZERO, "nobody came");
        assert_eq!(rest(SLICE, Some(RECENT)), Duration::ZERO, "nobody came of late");
        assert_eq!(rest(SLICE, Some(Duration::ZERO)), SLICE * REST);
        assert_eq!(rest(SLICE * 4, Some(Duration::ZERO)), SLICE * 4 * REST, "as much the more as it held the writer");
    }
}
