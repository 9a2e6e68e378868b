//! Logs on disk: those that wait for their server, and those that `parea serve` takes in.
#![cfg_attr(not(feature = "http"), allow(dead_code, reason = "what is read back is read for a server"))]

use std::{
    collections::{BTreeMap, VecDeque},
    ffi::OsStr,
    fmt::{self, Write as _},
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write as _},
    mem,
    path::{Path, PathBuf},
};

use parea_types::ProjectLosses;

use super::{
    Line,
    losses::{self, Losses},
    segment::{COMPLETE, OPEN, Piece, Segment, may_be_as_large_as, size_of_lines},
};
use crate::{clock, report::DropReason, settings::LOCAL_FOLDER};

/// A file is closed at this size, and deleted as a whole once it is delivered.
const SEGMENT: u64 = 4 * 1024 * 1024;

/// The folder `spool` inside a data folder, or a folder of its own in there for each server that was named, so that
/// nobody but that server gets what was meant for it.
///
/// Several processes may share it: each writes files of its own, and sends those as well whose process is gone.
#[derive(Debug)]
pub(crate) struct Spool {
    data: PathBuf,
    folder: PathBuf,
    /// Most bytes that the folder may hold.
    cap: u64,
    /// Files that other processes left, oldest first.
    earlier: VecDeque<Segment>,
    /// Files of this process, oldest first.
    own: VecDeque<Segment>,
    /// Whether the last of them takes more.
    open: bool,
    /// Bytes in files that this process does not hold, as of the last look.
    elsewhere: u64,
    /// Files that were given up to the server of this machine, with their numbers of logs.
    handed_over: BTreeMap<PathBuf, u64>,
    /// What the last file is named after.
    last: u64,
    /// Losses of this process lie there.
    keeps_losses: bool,
}

/// Why logs could not be written.
#[derive(Debug)]
pub(crate) enum SpoolError {
    /// The folder holds as much as it may.
    Full(u64),
    /// The operating system says no.
    Io(io::Error),
}

/// Lines that could not be written, or not all of them.
#[derive(Debug)]
pub(crate) struct Unwritten {
    /// How many were, from the first on.
    pub(crate) written: usize,
    pub(crate) error: SpoolError,
}

impl SpoolError {
    pub(crate) fn reason(&self) -> DropReason {
        match self {
            Self::Io(error) if !matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
                DropReason::SpoolFailed
            }
            Self::Full(_) | Self::Io(_) => DropReason::SpoolFull,
        }
    }
}

impl From<io::Error> for SpoolError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for SpoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(cap) => write!(f, "it holds {} MB, its most", cap >> 20),
            Self::Io(error) => error.fmt(f),
        }
    }
}

/// Lines that are next, and whose they are.
#[derive(Debug)]
pub(crate) struct Next {
    pub(crate) lines: Vec<Line>,
    /// Whether an earlier process left them.
    pub(crate) earlier: bool,
    /// To be told to [`Spool::advance`].
    pub(crate) end: u64,
    /// Lines that are no log, and were set aside.
    pub(crate) damaged: Vec<Line>,
}

/// What became of a piece whose last line has been dealt with.
#[derive(Debug, Default)]
pub(crate) struct Advanced {
    /// Every record of this process up to that number is out of the spool.
    pub(crate) through: Option<u64>,
    /// Logs of this process that somebody took out of the file.
    pub(crate) missing: u64,
}

impl Spool {
    /// The spool for the server of that address, or for the one of this machine.
    pub(crate) fn new(data: &Path, server: Option<&str>, cap: u64) -> Self {
        let mut folder = data.join("spool");
        if let Some(address) = server {
            folder.push(slug(address));
        }
        Self {
            data: data.to_owned(),
            folder,
            cap,
            earlier: VecDeque::new(),
            own: VecDeque::new(),
            open: false,
            elsewhere: 0,
            handed_over: BTreeMap::new(),
            last: 0,
            keeps_losses: false,
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether anything in it waits to be sent by this process.
    pub(crate) fn is_empty(&self) -> bool {
        self.earlier.is_empty() && self.own.iter().all(Segment::is_done)
    }

    /// Whether files were given up that may still lie there.
    pub(crate) fn has_handed_over(&self) -> bool {
        !self.handed_over.is_empty()
    }

    /// Writes lines behind the others, as many as there is room for; if `whole`, all or none. `through` is the number of
    /// the last of them.
    pub(crate) fn append(&mut self, lines: &[Line], through: u64, whole: bool) -> Result<(), Unwritten> {
        let last =
            self.last_file(size_of_lines(lines)).map_err(|error| Unwritten { written: 0, error: error.into() })?;
        let fitting = self.fitting(lines);
        let full = SpoolError::Full(self.cap);
        let Some(segment) = last.and_then(|()| self.own.back_mut()).filter(|_| fitting == lines.len() || !whole) else {
            return Err(Unwritten { written: 0, error: full });
        };
        let through = Some(through).filter(|_| fitting == lines.len());
        match segment.append(&lines[..fitting], through, whole) {
            Ok(()) if fitting == lines.len() => Ok(()),
            Ok(()) => Err(Unwritten { written: fitting, error: full }),
            Err((written, error)) => Err(Unwritten { written, error: error.into() }),
        }
    }

    /// Makes sure of a file that takes more; `None` when not even that has room.
    fn last_file(&mut self, size: u64) -> io::Result<Option<()>> {
        if self.open && self.own.back().is_some_and(|last| last.size() > 0 && last.size() + size > SEGMENT) {
            self.close();
        }
        if self.own.back().is_some_and(|last| !last.is_in_place()) {
            self.restore()?;
        }
        if !self.open {
            self.look_around()?;
            if self.used() >= self.cap {
                return Ok(None);
            }
            let path = self.fresh_path();
            self.own.push_back(Segment::create(path)?);
            self.open = true;
        }
        Ok(Some(()))
    }

    /// Writes anew what somebody deleted, while it is still at hand. A file that others still find will do where that
    /// fails.
    fn restore(&mut self) -> io::Result<()> {
        let folder = self.look_around();
        let held = self.earlier.iter_mut().chain(&mut self.own).filter(|segment| !segment.is_in_place());
        for segment in held {
            let restored = match &folder {
                Ok(()) => segment.restore(),
                Err(error) => Err(error.kind().into()),
            };
            if let Err(error) = restored
                && segment.is_deleted()
            {
                return Err(error);
            }
        }
        Ok(())
    }

    /// How many of these lines, from the first on, have room.
    fn fitting(&self, lines: &[Line]) -> usize {
        let room = self.cap.saturating_sub(self.used());
        let mut size = 0;
        lines
            .iter()
            .take_while(|line| {
                size += line.len() as u64 + 1;
                size <= room
            })
            .count()
    }

    /// Bytes that the folder holds, as far as it is known.
    fn used(&self) -> u64 {
        self.elsewhere + self.earlier.iter().chain(&self.own).map(Segment::size).sum::<u64>()
    }

    /// Where what is appended now begins to be sent: the end of the last file.
    pub(crate) fn end(&self) -> u64 {
        self.own.back().map_or(0, Segment::size)
    }

    /// The next lines to be sent, about `most` bytes.
    pub(crate) fn next(&mut self, most: usize) -> io::Result<Option<Next>> {
        // Of a process that died before it wrote its first line.
        while self.earlier.front().is_some_and(Segment::is_done) {
            let _ = self.earlier.pop_front().map(Segment::delete);
        }
        let earlier = !self.earlier.is_empty();
        let Some(segment) = self.first(earlier).filter(|segment| !segment.is_done()) else { return Ok(None) };
        let Piece { lines, end, damaged } = segment.read(most)?;
        // If this fails they are counted all the same.
        let _ = self.set_aside(earlier, &damaged);
        // Found files with nothing in them are dealt with as any other.
        Ok(Some(Next { lines, earlier, end, damaged }))
    }

    /// Lines that lie behind `end` in the first file, or else in those after it; about `most` bytes.
    pub(crate) fn behind(&mut self, earlier: bool, end: u64, most: usize) -> Vec<Line> {
        let others = if earlier { 0 } else { self.earlier.len() };
        let mut segments = self.earlier.iter_mut().chain(&mut self.own).skip(others);
        let first = segments.next().map(|first| first.read_from(end, most));
        let others = segments.map(|segment| segment.read(most));
        let pieces = first.into_iter().chain(others).map(|piece| piece.map(|piece| piece.lines).unwrap_or_default());
        pieces.into_iter().find(|lines| !lines.is_empty()).unwrap_or_default()
    }

    /// Marks these lines of the first file, which lie before `end`, as given up and counted by that report.
    pub(crate) fn mark(
        &mut self,
        earlier: bool,
        end: u64,
        report: &str,
        lines: Vec<(DropReason, Line)>,
    ) -> io::Result<()> {
        self.first(earlier).map_or(Ok(()), |segment| segment.mark(end, report, lines))
    }

    /// Takes so many logs of the first file off the account of this process; returns how many there were, and `None`
    /// if another process wrote them.
    pub(crate) fn take_own(&mut self, earlier: bool, count: u64) -> Option<u64> {
        self.first(earlier)?.take_own(count)
    }

    /// Everything in the first file up to there has been dealt with.
    pub(crate) fn advance(&mut self, earlier: bool, end: u64) -> Advanced {
        let Some(segment) = self.first(earlier) else { return Advanced::default() };
        let through = segment.advance(end);
        if !segment.is_done() {
            return Advanced { through, missing: 0 };
        }
        let missing = segment.own().unwrap_or_default();
        segment.take_own(missing);
        let reused = !earlier && self.own.len() == 1 && self.open && self.own[0].clear().is_ok();
        if !reused {
            let segments = if earlier { &mut self.earlier } else { &mut self.own };
            let done = segments.pop_front();
            self.open &= earlier || !segments.is_empty();
            // A file that cannot be deleted is sent again by the next process, which changes nothing at the server.
            let _ = done.map(Segment::delete);
        }
        Advanced { through, missing }
    }

    /// The first file cannot be read: it stays where it is, for another process to try.
    pub(crate) fn pass_over(&mut self) -> Advanced {
        let earlier = !self.earlier.is_empty();
        let segments = if earlier { &mut self.earlier } else { &mut self.own };
        let Some(mut passed) = segments.pop_front() else { return Advanced::default() };
        self.open &= !self.own.is_empty();
        Advanced { through: passed.advance(u64::MAX), missing: passed.own().unwrap_or_default() }
    }

    /// Takes over what processes that are gone have left. Returns the reports that count what they have given up.
    pub(crate) fn adopt(&mut self) -> Vec<ProjectLosses> {
        let mut names: Vec<PathBuf> = match fs::read_dir(&self.folder) {
            Ok(entries) => {
                entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| is_segment(path)).collect()
            }
            Err(_) => return Vec::new(),
        };
        let mut reports = Vec::new();
        names.sort();
        for path in names {
            if self.earlier.iter().chain(&self.own).any(|held| held.path() == path) {
                continue;
            }
            let own = self.handed_over.get(&path).copied();
            // One that cannot be opened stays where it is.
            if let Ok(Some(mut segment)) = Segment::adopt(path, own) {
                reports.extend(segment.given_up().unwrap_or_default());
                self.earlier.push_back(segment);
            }
        }
        self.handed_over.clear();
        reports
    }

    /// Whether files lie there that this process does not hold, or losses.
    pub(crate) fn has_others(&self) -> bool {
        let Ok(entries) = fs::read_dir(&self.folder) else { return false };
        let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        paths.any(|path| is_segment(&path) && self.own.iter().all(|held| held.path() != path))
            || losses::are_there(&self.folder)
    }

    /// Gives all files up, complete: to the server of this machine, or to the next process. Returns how many logs of this
    /// process are in none of them, because somebody deleted the folder and it cannot be made again.
    pub(crate) fn hand_over(&mut self) -> u64 {
        let mut missing = 0;
        let mut held = self.earlier.iter().chain(&self.own);
        if held.any(|segment| !segment.is_done() && !segment.is_in_place()) && self.restore().is_err() {
            self.own.retain(|segment| {
                let is_kept = segment.is_done() || segment.is_in_place() || !segment.is_deleted();
                missing += if is_kept { 0 } else { segment.own().unwrap_or_default() };
                is_kept
            });
        }
        self.open = false;
        for segment in self.own.drain(..).chain(self.earlier.drain(..)) {
            let own = segment.own();
            if segment.is_done() {
                let _ = segment.delete();
            } else if let Ok(path) = segment.hand_over()
                && let Some(own) = own
            {
                self.handed_over.insert(path, own);
            }
        }
        // Whoever still writes there wants it.
        let names = fs::read_dir(&self.folder).into_iter().flatten().flatten().map(|entry| entry.path());
        if !names.into_iter().any(|path| path.extension().is_some_and(|extension| extension == OPEN)) {
            losses::release(&self.folder);
        }
        missing
    }

    /// Leaves losses to whoever next reaches the server.
    pub(crate) fn keep_losses(&mut self, further: ProjectLosses) -> io::Result<()> {
        self.look_around()?;
        losses::keep(&self.folder, further)?;
        self.keeps_losses = true;
        Ok(())
    }

    /// Whether this process has left any that it has not taken back.
    pub(crate) fn keeps_losses(&self) -> bool {
        self.keeps_losses
    }

    /// Takes losses over, if there may be any; `look` for those of other processes, too.
    pub(crate) fn take_losses(&mut self, look: bool) -> Vec<Losses> {
        let are_ours = mem::take(&mut self.keeps_losses);
        if look || are_ours { losses::take(&self.folder) } else { Vec::new() }
    }

    /// Bytes that wait to be sent by this process.
    pub(crate) fn backlog(&self) -> u64 {
        self.earlier.iter().chain(&self.own).map(Segment::unsent).sum()
    }

    fn first(&mut self, earlier: bool) -> Option<&mut Segment> {
        if earlier { self.earlier.front_mut() } else { self.own.front_mut() }
    }

    fn close(&mut self) {
        self.open = false;
        if let Some(last) = self.own.back_mut() {
            last.close();
        }
    }

    /// Makes the folder, and counts what others hold in it.
    fn look_around(&mut self) -> io::Result<()> {
        // A folder that is somebody else's keeps what it says of its files.
        let ours = !self.data.exists() || self.data.file_name() == Some(OsStr::new(LOCAL_FOLDER));
        create_private(&self.folder)?;
        // One that is there will do, and without one losses are kept as long as the disk has room.
        let _ = losses::reserve(&self.folder);
        ignored_by_git(&if ours { self.data.clone() } else { self.data.join("spool") });
        self.elsewhere = 0;
        for entry in fs::read_dir(&self.folder)? {
            // What is gone meanwhile takes no room.
            let Ok(entry) = entry else { continue };
            let path = entry.path();
            if is_segment(&path) && self.earlier.iter().chain(&self.own).all(|held| held.path() != path) {
                self.elsewhere += entry.metadata().map_or(0, |metadata| metadata.len());
            }
        }
        Ok(())
    }

    /// Names sort by age: the moment, never the same twice, and the process.
    fn fresh_path(&mut self) -> PathBuf {
        self.last = (self.last + 1).max(clock::wall_micros().max(0).unsigned_abs());
        self.folder.join(format!("{:020}-{}.{OPEN}", self.last, std::process::id()))
    }

    /// Keeps lines that are not to be sent in `rejected/`, under the name of the file in which they lie, which is the first.
    /// Returns the folder.
    pub(crate) fn set_aside(&mut self, earlier: bool, lines: &[Line]) -> io::Result<PathBuf> {
        let folder = self.folder.join("rejected");
        if lines.is_empty() {
            return Ok(folder);
        }
        let path = match self.first(earlier) {
            Some(segment) => segment.path().to_owned(),
            None => self.fresh_path(),
        };
        let name = path.with_extension(COMPLETE);
        create_private(&folder)?;
        let sizes = fs::read_dir(&folder)?.flatten().filter_map(|entry| Some(entry.metadata().ok()?.len()));
        if sizes.sum::<u64>() + size_of_lines(lines) > self.cap {
            let full = format!("{} holds as much as it may", folder.display());
            return Err(io::Error::new(io::ErrorKind::StorageFull, full));
        }
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(folder.join(name.file_name().unwrap_or_default()))?;
        let mut text = Vec::with_capacity(size_of_lines(lines) as usize);
        for line in lines {
            text.extend_from_slice(line);
            text.push(b'\n');
        }
        may_be_as_large_as(file.metadata()?.len() + text.len() as u64)?;
        file.write_all(&text)?;
        Ok(folder)
    }
}

fn is_segment(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == COMPLETE || extension == OPEN)
}

fn create_private(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Logs are no part of a repository. A folder that cannot take the file, or has one, is left as it is.
fn ignored_by_git(data: &Path) {
    const ALL: &[u8] = b"*\n";
    let file = may_be_as_large_as(ALL.len() as u64)
        .and_then(|()| OpenOptions::new().write(true).create_new(true).open(data.join(".gitignore")));
    let _ = file.and_then(|mut file| file.write_all(ALL));
}

/// An address as the name of a folder: readable, and different for different addresses.
fn slug(address: &str) -> String {
    const LONGEST: usize = 60;
    let address = canonical(address);
    let shown = address.split_once("://").map_or(&*address, |(_, rest)| rest);
    let mut name: String = shown
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() || "-.".contains(letter) { letter } else { '_' })
        .take(LONGEST)
        .collect();
    // FNV-1a, because it stays the same from one version to the next.
    let hash = address
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    // Writing to a string does not fail.
    let _ = write!(name, "-{:08x}", hash >> 32);
    name
}

/// The same for all ways to write the address of one server, so that logs are found again: without the name and password
/// before the host, which change, the port and the path that are meant where none stand, and slashes at the end.
fn canonical(address: &str) -> String {
    const PATH: &str = "/api/parea/v1";
    let address = address.trim();
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host).to_ascii_lowercase();
    let scheme = scheme.to_ascii_lowercase();
    let port = if scheme == "https" { ":443" } else { ":80" };
    let host = host.strip_suffix(port).unwrap_or(&host);
    let path = path.trim_end_matches('/');
    let path = if path == PATH { "" } else { path };
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_has_one_folder_however_its_address_is_written() {
        let same = |addresses: &[&str]| {
            let slugs: Vec<_> = addresses.iter().map(|address| slug(address)).collect();
            assert!(slugs.windows(2).all(|pair| pair[0] == pair[1]), "{slugs:?}");
            assert!(!slugs[0].contains("hidden"), "{slugs:?}");
            slugs[0].clone()
        };
        let folders = [
            same(&[
                "http://host:7273",
                " HTTP://Host:7273/\n",
                "http://u:hidden@host:7273/api/parea/v1/",
                "http://v@host:7273",
            ]),
            same(&["https://host", "https://host:443/api/parea/v1"]),
            same(&["http://host", "http://host:80"]),
            same(&["http://host:443"]),
            same(&["http://host/a@b", "http://host/a@b/"]),
            same(&["http://[::1]:80", "http://[::1]"]),
        ];
        let different: std::collections::BTreeSet<_> = folders.iter().collect();
        assert_eq!(different.len(), folders.len(), "{folders:?}");
    }
}
