//! How far something has come that may be broken off at any time: a small file beside it, replaced as a whole.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

/// Such a file.
pub(super) struct Progress(PathBuf);

impl Progress {
    pub(super) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// What was noted last; `None` where nothing was, or nothing that can be read.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&fs::read(&self.0).ok()?).ok()
    }

    /// Notes it for good: either this or what was noted before is there after a crash.
    pub(super) fn note(&self, state: &impl Serialize) -> io::Result<()> {
        let new = self.0.with_extension("new");
        let mut file = create(&new)?;
        file.write_all(&serde_json::to_vec(state)?)?;
        file.sync_all()?;
        fs::rename(&new, &self.0)
    }

    pub(super) fn remove(&self) -> io::Result<()> {
        match fs::remove_file(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// A file for the owner's eyes only, as what logs say is.
pub(super) fn create(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
