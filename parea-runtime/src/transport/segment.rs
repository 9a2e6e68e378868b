//! One file of the spool: plain JSON, one log a line. Whoever holds its lock may write, send and delete it; the lock
//! goes with the process, however that ends.
#![cfg_attr(not(feature = "http"), allow(dead_code, reason = "what is read back is read for a server"))]

use std::{
    collections::VecDeque,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use parea_types::{GivenUp, ProjectLosses};
use serde::de::IgnoredAny;

use super::Line;
use crate::{
    exit::{fork::Unshared, largest_file},
    report::DropReason,
};

/// A file that is still written to; `parea serve` takes it in once its writer is gone.
pub(super) const OPEN: &str = "open";
/// A file that is complete.
pub(super) const COMPLETE: &str = "ndjson";

/// A line is damaged if it is longer, so that a file without line ends does not fill the memory.
const LONGEST_LINE: u64 = 64 * 1024 * 1024;

/// A file that this process holds.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    file: Unshared,
    /// Where the last whole line ends.
    written: u64,
    /// Everything before this has been dealt with.
    sent: u64,
    /// How many of the logs behind `sent` this process has written; `None` in a file that it found.
    own: Option<u64>,
    /// Ends of what was appended at once, with the number of its last record.
    marks: VecDeque<(u64, u64)>,
}

/// Lines from the first that was not dealt with.
#[derive(Debug, Default)]
pub(super) struct Piece {
    pub(super) lines: Vec<Line>,
    /// What is no log: set aside.
    pub(super) damaged: Vec<Line>,
    /// Where it ends in the file.
    pub(super) end: u64,
}

impl Segment {
    /// A new file, readable by its owner alone.
    pub(super) fn create(path: PathBuf) -> io::Result<Self> {
        let file = Self::create_file(&path)?;
        Ok(Self { path, file, written: 0, sent: 0, own: Some(0), marks: VecDeque::new() })
    }

    fn create_file(path: &Path) -> io::Result<Unshared> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = apart(options.open(path)?)?;
        // A file system without locks still holds files; they are then taken over only when complete.
        let _ = file.try_lock();
        Ok(file)
    }

    /// Whether the file is still where it was: somebody may have deleted the folder under the program.
    pub(super) fn is_in_place(&self) -> bool {
        is_at(&self.file, &self.path)
    }

    /// Whether nobody finds it any more. A file that was moved, or that a program may no longer see which has changed its
    /// user or its root, is found by others.
    pub(super) fn is_deleted(&self) -> bool {
        #[cfg(unix)]
        return self.file.metadata().is_ok_and(|file| std::os::unix::fs::MetadataExt::nlink(&file) == 0);
        #[cfg(not(unix))]
        return !self.path.exists();
    }

    /// Puts a file that was deleted back to its place; what was in it is still at hand. Its folder is to be there.
    pub(super) fn restore(&mut self) -> io::Result<()> {
        may_be_as_large_as(self.written)?;
        let mut file = Self::create_file(&self.path)?;
        self.file.seek(SeekFrom::Start(0))?;
        let copied = io::copy(&mut (&*self.file).take(self.written), &mut *file);
        if copied.as_ref().is_ok_and(|copied| *copied == self.written) {
            self.file = file;
            return Ok(());
        }
        let _ = fs::remove_file(&self.path);
        Err(copied.err().unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into()))
    }

    /// Takes over a file that nobody holds. `None` if somebody does, or it is gone. `own` is the number of its logs if
    /// this process wrote it.
    pub(super) fn adopt(path: PathBuf, own: Option<u64>) -> io::Result<Option<Self>> {
        let file = match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => apart(file)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Ok(None),
            // Nobody can say whether its writer lives.
            Err(TryLockError::Error(_)) if path.extension().is_some_and(|extension| extension == OPEN) => {
                return Ok(None);
            }
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        // Between opening and locking it may have been delivered, and another file have got its name.
        if !is_at(&file, &path) {
            return Ok(None);
        }
        let written = file.metadata()?.len();
        Ok(Some(Self { path, file, written, sent: 0, own, marks: VecDeque::new() }))
    }

    pub(super) fn size(&self) -> u64 {
        self.written
    }

    pub(super) fn unsent(&self) -> u64 {
        self.written.saturating_sub(self.sent)
    }

    /// Whether everything in it has been dealt with.
    pub(super) fn is_done(&self) -> bool {
        self.sent >= self.written
    }

    /// Writes lines behind the others. `through` is the number of the last of them, if it is known.
    ///
    /// A full disk may take some: `whole` is whether none is better then. Half a line is never left. The error comes with
    /// the number of lines that were written.
    pub(super) fn append(
        &mut self,
        lines: &[Line],
        through: Option<u64>,
        whole: bool,
    ) -> Result<(), (usize, io::Error)> {
        let mut bytes = Vec::with_capacity(size_of_lines(lines) as usize);
        for line in lines {
            bytes.extend_from_slice(line);
            bytes.push(b'\n');
        }
        let (written, error) = match self.write(&bytes) {
            Ok(()) => (bytes.len(), None),
            Err((_, error)) if whole => (0, Some(error)),
            Err((written, error)) => (written, Some(error)),
        };
        let mut end = 0;
        let fitting = lines.iter().take_while(|line| {
            end += line.len() + 1;
            end <= written
        });
        let (count, kept) = fitting.fold((0, 0), |(count, kept), line| (count + 1, kept + line.len() as u64 + 1));
        self.written += kept;
        self.own = self.own.map(|own| own + count as u64);
        if let Some(error) = error {
            // If this fails, the half line is set aside by whoever reads it.
            let _ = self.file.set_len(self.written);
            return Err((count, error));
        }
        self.marks.extend(through.map(|through| (self.written, through)));
        Ok(())
    }

    /// Writes at the end; an error comes with the number of bytes that were written.
    fn write(&mut self, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
        self.file.seek(SeekFrom::Start(self.written)).map_err(|error| (0, error))?;
        let mut written = 0;
        while written < bytes.len() {
            may_be_as_large_as(self.written + written as u64 + 1).map_err(|error| (written, error))?;
            match self.file.write(&bytes[written..]) {
                Ok(0) => return Err((written, io::ErrorKind::WriteZero.into())),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err((written, error)),
            }
        }
        Ok(())
    }

    /// The next lines, `most` bytes of them and the rest of the last.
    pub(super) fn read(&mut self, most: usize) -> io::Result<Piece> {
        self.read_from(self.sent, most)
    }

    /// The same from there on.
    pub(super) fn read_from(&mut self, begin: u64, most: usize) -> io::Result<Piece> {
        self.file.seek(SeekFrom::Start(begin))?;
        let mut piece = Piece { end: begin, ..Piece::default() };
        let mut reader = BufReader::with_capacity(64 * 1024, (&*self.file).take(self.written.saturating_sub(begin)));
        let mut size = 0;
        while size < most {
            let mut line = Vec::new();
            let read = reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)?;
            if read == 0 {
                // Somebody cut the file off.
                piece.end = self.written;
                break;
            }
            piece.end += read as u64;
            size += read;
            let log = line.trim_ascii();
            if GivenUp::read(log).is_some() {
                continue;
            }
            if is_object(log) {
                line.truncate(line.trim_ascii_end().len());
                piece.lines.push(Line::new(line));
            } else if !log.is_empty() {
                piece.damaged.push(Line::new(log.to_vec()));
            }
        }
        Ok(piece)
    }

    /// Marks lines between what was dealt with and `end` as given up. One that is shorter than a mark is blanked.
    pub(super) fn mark(&mut self, end: u64, report: &str, mut lines: Vec<(DropReason, Line)>) -> io::Result<()> {
        let (mut marks, mut at) = (Vec::new(), self.sent);
        self.each_line(self.sent, end, |line| {
            let found = lines.iter().position(|(_, given_up)| given_up.trim_ascii() == line.trim_ascii());
            if let Some((reason, _)) = found.map(|found| lines.remove(found)) {
                let given_up = GivenUp { report: report.to_owned(), reason: reason.as_str().to_owned() };
                let mark = given_up.mark().into_bytes();
                let whole = line.trim_ascii_end().len();
                marks.push((at, if mark.len() <= whole { mark } else { vec![b' '; whole] }));
            }
            at += line.len() as u64;
        })?;
        for (at, mark) in marks {
            self.file.seek(SeekFrom::Start(at))?;
            self.file.write_all(&mark)?;
        }
        Ok(())
    }

    /// The reports that count what was given up of this file.
    pub(super) fn given_up(&mut self) -> io::Result<Vec<ProjectLosses>> {
        let mut marks = Vec::new();
        self.each_line(0, self.written, |line| marks.extend(GivenUp::read(line.trim_ascii())))?;
        Ok(GivenUp::reports(marks))
    }

    fn each_line(&mut self, begin: u64, end: u64, mut work: impl FnMut(&[u8])) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(begin))?;
        let mut reader = BufReader::with_capacity(64 * 1024, (&*self.file).take(end.saturating_sub(begin)));
        let mut line = Vec::new();
        while reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)? > 0 {
            work(&line);
            line.clear();
        }
        Ok(())
    }

    /// Everything up to there has been dealt with. Returns the number of the last record before it, if it is known.
    pub(super) fn advance(&mut self, end: u64) -> Option<u64> {
        self.sent = self.sent.max(end);
        let mut through = None;
        while let Some(&(end, number)) = self.marks.front()
            && end <= self.sent
        {
            through = Some(number);
            self.marks.pop_front();
        }
        through
    }

    /// Takes so many logs of this process off the account; returns how many there were, and `None` for a file that it
    /// found.
    pub(super) fn take_own(&mut self, count: u64) -> Option<u64> {
        let own = self.own.as_mut()?;
        let taken = count.min(*own);
        *own -= taken;
        Some(taken)
    }

    /// Logs of this process that were not dealt with; `None` in a file that it found.
    pub(super) fn own(&self) -> Option<u64> {
        self.own
    }

    /// Nothing is appended any more, so that of the marks the last will do.
    pub(super) fn close(&mut self) {
        let last = self.marks.pop_back();
        self.marks.clear();
        self.marks.extend(last);
        // For the power cut; that the process dies does no harm to what was written.
        let _ = self.file.sync_data();
    }

    /// Starts over with an empty file.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        (self.written, self.sent) = (0, 0);
        self.marks.clear();
        Ok(())
    }

    /// Gives the file up, complete, to whoever takes it in. Returns its name from now on.
    pub(super) fn hand_over(self) -> io::Result<PathBuf> {
        let path = self.path.with_extension(COMPLETE);
        if path != self.path {
            fs::rename(&self.path, &path)?;
        }
        Ok(path)
    }

    pub(super) fn delete(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Whether a file may become that large (`ulimit -f`). Trying it would end the program, by `SIGXFSZ`.
pub(super) fn may_be_as_large_as(size: u64) -> io::Result<()> {
    if size <= largest_file() { Ok(()) } else { Err(io::ErrorKind::FileTooLarge.into()) }
}

/// The file, for this process alone, and under another number if it got one of the first three, which the program has
/// closed: what it writes to standard error would end among the logs.
pub(super) fn apart(file: File) -> io::Result<Unshared> {
    #[cfg(unix)]
    if std::os::fd::AsRawFd::as_raw_fd(&file) <= 2 {
        // Never one of these.
        return file.try_clone().map(Unshared::new);
    }
    Ok(Unshared::new(file))
}

/// Bytes that these lines take in a file.
pub(super) fn size_of_lines(lines: &[Line]) -> u64 {
    lines.iter().map(|line| line.len() as u64 + 1).sum()
}

fn is_object(line: &[u8]) -> bool {
    line.first() == Some(&b'{')
        && str::from_utf8(line).is_ok_and(|line| serde_json::from_str::<IgnoredAny>(line).is_ok())
}

/// Whether the file is still what lies there.
#[cfg(unix)]
pub(super) fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let identity = |metadata: &fs::Metadata| (metadata.dev(), metadata.ino());
    matches!((file.metadata(), fs::metadata(path)), (Ok(ours), Ok(theirs)) if identity(&ours) == identity(&theirs))
}

#[cfg(not(unix))]
pub(super) fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}
