//! A copy of the whole file, beside those who write or without them.

use std::{
    fmt,
    fs::{self, File},
    path::{Path, PathBuf},
};

use super::{SqliteStore, export::StoreFile, job::Work};
use crate::StoreError;

impl SqliteStore {
    /// Copies the whole store into a file that does not exist yet and is named as the file in a store's folder is to be
    /// opened from there (`parea.db`). The copy is that of the moment when it is done, and on disk when this returns. Page
    /// by page, between the writes of others: they wait for some milliseconds at most, and the write-ahead log does not
    /// grow for it.
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
        let synced = || -> std::io::Result<()> {
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
