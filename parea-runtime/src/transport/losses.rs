//! Losses that no server has heard of: `losses.json` beside the files of the spool, so that the next process that reaches a
//! server tells of them.
//!
//! Whoever holds the file's lock may change or delete it. It is replaced as a whole, so that it is never half written. What is
//! told has an id, which is in the file before it goes to the server: a process that is killed between the server's answer and
//! the deletion has it told again, and a server that knows ids counts it once.
//!
//! A disk that is full takes no new file. So the file is there, with nothing in it and with room, from the first log on that
//! goes to the spool, and is written in its place where it cannot be replaced.
#![cfg_attr(not(feature = "http"), allow(dead_code, reason = "what is kept is taken back for a server"))]

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use parea_types::{KeptLosses, ProjectLosses};

use super::segment::{apart, is_at, may_be_as_large_as};
use crate::{books::LossReport, clock, exit::fork::Unshared, record::ProjectRef};

/// How often somebody else's lock is tried, and how long between: they merge in a moment, or wait for a server.
const TRIES: usize = 20;
const BETWEEN: Duration = Duration::from_millis(1);

/// Bytes of the file at least: a dozen reports.
const ROOM: usize = 4096;

impl ProjectRef {
    /// Its losses in their form for servers.
    pub(crate) fn losses(&self, LossReport { id, counts }: &LossReport) -> ProjectLosses {
        let counts = counts.iter().map(|(reason, count)| (reason.as_str().to_owned(), *count)).collect();
        ProjectLosses { project_name: self.name.clone(), project_uuid: self.uuid.clone(), counts, id: id.clone() }
    }
}

/// Adds to the file in that folder, which is to be there. One that is held by others gets a companion.
pub(crate) fn keep(folder: &Path, further: ProjectLosses) -> io::Result<()> {
    let path = folder.join(KeptLosses::FILE);
    for _ in 0..TRIES {
        let Some(mut held) = hold(&path, true)? else {
            thread::sleep(BETWEEN);
            continue;
        };
        let mut kept = read(&held)?.unwrap_or_default();
        kept.add(further);
        let written = write(&path, &mut held, &kept);
        if written.is_err() && held.metadata().is_ok_and(|file| file.len() == 0) {
            let _ = fs::remove_file(&path);
        }
        return written;
    }
    let mut kept = KeptLosses::default();
    kept.add(further);
    replace(&own_path(folder, "json"), &kept).map(drop)
}

/// Sees to it that the file is there.
pub(crate) fn reserve(folder: &Path) -> io::Result<()> {
    let path = folder.join(KeptLosses::FILE);
    may_be_as_large_as(ROOM as u64)?;
    let mut file = new_file(&path)?;
    let written = file.write_all(&text(&KeptLosses::default(), ROOM)?);
    if written.is_err() {
        let _ = fs::remove_file(&path);
    }
    written
}

/// Takes it away if nothing is in it.
pub(crate) fn release(folder: &Path) {
    let path = folder.join(KeptLosses::FILE);
    if let Ok(Some(held)) = hold(&path, false)
        && read(&held).is_ok_and(|kept| is_nothing(kept.as_ref()))
    {
        let _ = fs::remove_file(&path);
    }
}

/// A file of losses that nobody else is at.
#[derive(Debug)]
pub(crate) struct Losses {
    path: PathBuf,
    /// Holds the lock.
    file: Unshared,
    /// What no server has heard of yet.
    kept: KeptLosses,
    /// What the file says besides was told.
    told: bool,
}

/// Takes over the files of that folder that nobody holds.
pub(crate) fn take(folder: &Path) -> Vec<Losses> {
    let take = |path: PathBuf| {
        let file = hold(&path, false).ok()??;
        // One that cannot be read stays where it is.
        let kept = read(&file).ok().filter(|kept| !is_nothing(kept.as_ref()))?.unwrap_or_default();
        Some(Losses { path, file, kept, told: false })
    };
    files(folder).filter_map(take).collect()
}

/// Whether there are any.
pub(crate) fn are_there(folder: &Path) -> bool {
    let is_nothing =
        |path: &Path| File::open(path).and_then(|file| read(&file)).is_ok_and(|it| is_nothing(it.as_ref()));
    files(folder).any(|path| !is_nothing(&path))
}

impl Losses {
    /// What to tell next, as the file has it. While that cannot be written, nothing is told.
    #[cfg(feature = "http")]
    pub(crate) fn next(&mut self) -> Option<&ProjectLosses> {
        if self.kept.freeze(crate::id::unique) {
            if write(&self.path, &mut self.file, &self.kept).is_err() {
                self.kept.losses[0].id = None;
                return None;
            }
            self.told = false;
        }
        self.kept.losses.first()
    }

    /// A server has heard of that.
    #[cfg(feature = "http")]
    pub(crate) fn told(&mut self) {
        self.kept.losses.remove(0);
        self.told = true;
    }

    /// Gives the file up: deleted if a server has heard of all that was in it, else with what is left. If that fails, it is
    /// told again, and known by its id.
    #[cfg(feature = "http")]
    pub(crate) fn leave(mut self) {
        let _ = match (self.told, self.kept.losses.is_empty()) {
            (_, true) => fs::remove_file(&self.path),
            (true, false) => write(&self.path, &mut self.file, &self.kept),
            (false, false) => Ok(()),
        };
    }
}

fn files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| KeptLosses::is_file(path))
}

/// The file with its lock; `None` while somebody else has it.
fn hold(path: &Path, create: bool) -> io::Result<Option<Unshared>> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(create);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = match options.open(path) {
        Ok(file) => apart(file)?,
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

/// What is in the file; `None` if that makes no sense.
fn read(file: &File) -> io::Result<Option<KeptLosses>> {
    let mut bytes = Vec::new();
    file.take(KeptLosses::LONGEST).read_to_end(&mut bytes)?;
    Ok(KeptLosses::read(&bytes))
}

/// Whether a file says that there are none.
fn is_nothing(kept: Option<&KeptLosses>) -> bool {
    kept.is_some_and(|kept| kept.losses.is_empty())
}

/// As it stands in a file of so many bytes at least.
fn text(kept: &KeptLosses, room: usize) -> io::Result<Vec<u8>> {
    let mut text = serde_json::to_vec(kept)?;
    text.resize(text.len().max(room), b' ');
    Ok(text)
}

/// A file of the owner's, held.
fn new_file(path: &Path) -> io::Result<Unshared> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).and_then(apart)?;
    let _ = file.try_lock();
    Ok(file)
}

/// Replaces the file that is held, which goes on being held; or writes over it, if there is room in that alone.
fn write(path: &Path, held: &mut Unshared, kept: &KeptLosses) -> io::Result<()> {
    let error = match replace(path, kept) {
        Ok(file) => {
            *held = file;
            return Ok(());
        }
        Err(error) => error,
    };
    let room = held.metadata()?.len() as usize;
    let text = text(kept, room)?;
    if text.len() > room {
        return Err(error);
    }
    held.rewind()?;
    held.write_all(&text)
}

/// Returns the new file, held.
fn replace(path: &Path, kept: &KeptLosses) -> io::Result<Unshared> {
    let text = text(kept, ROOM)?;
    may_be_as_large_as(text.len() as u64)?;
    let fresh = own_path(path.parent().unwrap_or(Path::new(".")), "tmp");
    let written = new_file(&fresh).and_then(|mut file| {
        file.write_all(&text)?;
        fs::rename(&fresh, path).map(|()| file)
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
