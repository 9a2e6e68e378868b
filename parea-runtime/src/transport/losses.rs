//! Losses that no server has heard of: `losses.json` beside the files of the spool, so that the next process that reaches a
//! server tells of them.
//!
//! Whoever holds the file's lock may change or delete it. It is replaced as a whole, so that it is never half written. A
//! process that is killed between a server's answer and the deletion has its losses counted twice; there is no other way.
#![cfg_attr(not(feature = "http"), allow(dead_code, reason = "what is kept is taken back for a server"))]

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use parea_types::{KeptLosses, ProjectLosses};

use super::segment::is_at;
use crate::{clock, record::ProjectRef, report::DropReason};

/// How often somebody else's lock is tried, and how long between: they merge in a moment, or wait for a server.
const TRIES: usize = 20;
const BETWEEN: Duration = Duration::from_millis(1);

impl ProjectRef {
    /// Its losses in their form for servers.
    pub(crate) fn losses(&self, counts: &BTreeMap<DropReason, u64>) -> ProjectLosses {
        let counts = counts.iter().map(|(reason, count)| (reason.as_str().to_owned(), *count)).collect();
        ProjectLosses { project_name: self.name.clone(), project_uuid: self.uuid.clone(), counts }
    }
}

/// Adds to the file in that folder, which is to be there. One that is held by others gets a companion.
pub(crate) fn keep(folder: &Path, further: ProjectLosses) -> io::Result<()> {
    let path = folder.join(KeptLosses::FILE);
    for _ in 0..TRIES {
        let Some(held) = hold(&path, true)? else {
            thread::sleep(BETWEEN);
            continue;
        };
        let mut kept = read(&held)?;
        kept.add(further);
        return replace(&path, &kept);
    }
    let mut kept = KeptLosses::default();
    kept.add(further);
    replace(&own_path(folder, "json"), &kept)
}

/// A file of losses that nobody else is at.
#[derive(Debug)]
pub(crate) struct Losses {
    path: PathBuf,
    /// Holds the lock.
    _file: File,
    /// What no server has heard of yet.
    pub(crate) kept: KeptLosses,
}

/// Takes over the files of that folder that nobody holds.
pub(crate) fn take(folder: &Path) -> Vec<Losses> {
    let take = |path: PathBuf| {
        let file = hold(&path, false).ok()??;
        // One that cannot be read stays where it is.
        let kept = read(&file).ok()?;
        Some(Losses { path, _file: file, kept })
    };
    files(folder).filter_map(take).collect()
}

/// Whether there are any.
pub(crate) fn are_there(folder: &Path) -> bool {
    files(folder).next().is_some()
}

impl Losses {
    /// Gives the file up: deleted if a server has heard of all that was in it, else with what is left.
    pub(crate) fn leave(self) -> io::Result<()> {
        if self.kept.losses.is_empty() { fs::remove_file(&self.path) } else { replace(&self.path, &self.kept) }
    }
}

fn files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| KeptLosses::is_file(path))
}

/// The file with its lock; `None` while somebody else has it.
fn hold(path: &Path, create: bool) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(create);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = match options.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !create => return Ok(None),
        Err(error) => return Err(error),
    };
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => return Ok(None),
        // Without locks two that are at it at once may count wrong.
        Ok(()) | Err(TryLockError::Error(_)) => {}
    }
    // Between opening and locking it may have been replaced.
    Ok(is_at(&file, path).then_some(file))
}

/// What is in the file: nothing if that makes no sense.
fn read(file: &File) -> io::Result<KeptLosses> {
    let mut bytes = Vec::new();
    file.take(KeptLosses::LONGEST).read_to_end(&mut bytes)?;
    Ok(KeptLosses::read(&bytes).unwrap_or_default())
}

fn replace(path: &Path, kept: &KeptLosses) -> io::Result<()> {
    let fresh = own_path(path.parent().unwrap_or(Path::new(".")), "tmp");
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&fresh).and_then(|mut file| {
        file.write_all(&serde_json::to_vec(kept).map_err(io::Error::from)?)?;
        fs::rename(&fresh, path)
    });
    if written.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    written
}

/// A name that no other process uses.
fn own_path(folder: &Path, ending: &str) -> PathBuf {
    folder.join(format!("losses-{:020}-{}.{ending}", clock::wall_micros().max(0), std::process::id()))
}
