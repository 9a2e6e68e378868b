//! What a run has finished, on disk: so that it need not be held in memory, can be gone on with, and compared with, where no
//! server is.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::report::RowResult;

/// The first line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) experiment: String,
    pub(crate) run_name: String,
    pub(crate) uuid: String,
    /// Whether a server knows the run.
    pub(crate) registered: bool,
}

/// Each further line.
#[derive(Deserialize)]
struct Line {
    /// Row, trial, parameters and version.
    cell: String,
    result: RowResult,
}

/// The same as it is written.
#[derive(Serialize)]
struct NewLine<'a> {
    cell: &'a str,
    result: &'a RowResult,
}

/// A journal that is being written.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    source: Arc<Source>,
}

/// A journal from which results are read back.
#[derive(Debug)]
pub(crate) struct Source(Mutex<File>);

/// A journal that was looked through.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) header: Header,
    pub(crate) source: Arc<Source>,
    /// By cell; of those that were run twice the last.
    pub(crate) cells: HashMap<String, Place>,
}

/// Where a result lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// The first byte of its line.
    pub(crate) at: u64,
    /// The line's bytes.
    pub(crate) length: usize,
    pub(crate) failed: bool,
}

pub(crate) fn path(folder: &Path, uuid: &str) -> PathBuf {
    folder.join(format!("{uuid}.jsonl"))
}

impl Source {
    fn open(path: &Path) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self(Mutex::new(File::open(path)?))))
    }

    /// The result in the line at that byte.
    pub(crate) fn result(&self, at: u64, length: usize) -> io::Result<RowResult> {
        let mut line = vec![0; length];
        {
            let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(at))?;
            file.read_exact(&mut line)?;
        }
        let Line { result, .. } = serde_json::from_slice(&line)?;
        Ok(result)
    }
}

impl Journal {
    pub(crate) fn create(folder: &Path, header: &Header) -> io::Result<Self> {
        private_folder(folder)?;
        // Results are nobody's business but the user's, least of all a repository's.
        let ignore = folder.join(".gitignore");
        if !ignore.exists() {
            fs::write(ignore, "*\n")?;
        }
        let path = path(folder, &header.uuid);
        let file = private_file().create_new(true).append(true).open(&path)?;
        let mut journal = Self { file, source: Source::open(&path)? };
        journal.line(header)?;
        Ok(journal)
    }

    /// Opens a journal at its end. A line that was torn when the program was killed is closed first.
    pub(crate) fn reopen(folder: &Path, uuid: &str) -> io::Result<Self> {
        let path = path(folder, uuid);
        let mut file = OpenOptions::new().read(true).append(true).open(&path)?;
        let mut last = [b'\n'];
        if file.seek(SeekFrom::End(0))? > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
        Ok(Self { file, source: Source::open(&path)? })
    }

    /// Where what is written can be read back.
    pub(crate) fn source(&self) -> Arc<Source> {
        Arc::clone(&self.source)
    }

    /// Writes a result, and says where it lies: its first byte and its length.
    pub(crate) fn write(&mut self, cell: &str, result: &RowResult) -> io::Result<(u64, usize)> {
        let length = self.line(&NewLine { cell, result })?;
        // The place in the file is behind what was appended, whoever else appends.
        let end = self.file.stream_position()?;
        Ok((end - length as u64, length))
    }

    /// One write for each line: what is written survives the program, if not the machine.
    fn line(&mut self, value: &impl Serialize) -> io::Result<usize> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        Ok(line.len())
    }
}

/// Rows hold what users said, also what is left out of logs: they are for their owner alone.
fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// How a file is made that only its owner may read.
pub(crate) fn private_file() -> OpenOptions {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "there are no such modes"))]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// The header, and the rest of the file from its second line on.
fn begin(path: &Path) -> io::Result<(Header, BufReader<File>, u64)> {
    let mut file = BufReader::new(File::open(path)?);
    let mut line = Vec::new();
    let length = file.read_until(b'\n', &mut line)?;
    if length == 0 {
        return Err(io::Error::other("the journal is empty"));
    }
    Ok((serde_json::from_slice(&line)?, file, length as u64))
}

/// Looks through what the run has finished. Lines that cannot be read were torn by a kill, and are left out.
pub(crate) fn read(path: &Path) -> io::Result<Finished> {
    let (header, mut file, mut at) = begin(path)?;
    let (mut cells, mut line) = (HashMap::new(), Vec::new());
    loop {
        line.clear();
        let length = file.read_until(b'\n', &mut line)?;
        if length == 0 {
            break;
        }
        if let Ok(Line { cell, result }) = serde_json::from_slice(&line) {
            cells.insert(cell, Place { at, length, failed: result.error.is_some() });
        }
        at += length as u64;
    }
    Ok(Finished { header, source: Source::open(path)?, cells })
}

/// The journal of the newest run of that name or uuid, of that experiment.
pub(crate) fn find(folder: &Path, experiment: &str, name: &str) -> Option<Finished> {
    let wanted = headers(folder)
        .filter(|(_, header)| header.uuid == name || header.run_name == name && header.experiment == experiment);
    let (newest, _) = wanted.max_by_key(|(path, _)| fs::metadata(path).and_then(|data| data.modified()).ok())?;
    read(&newest).ok()
}

/// The run of that name of that experiment, if there is one.
pub(crate) fn named(folder: &Path, experiment: &str, run_name: &str) -> Option<Header> {
    let mut all = headers(folder).map(|(_, header)| header);
    all.find(|header| header.run_name == run_name && header.experiment == experiment)
}

/// All journals with their first lines.
fn headers(folder: &Path) -> impl Iterator<Item = (PathBuf, Header)> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let journals = entries.filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    journals.filter_map(|path| begin(&path).ok().map(|(header, ..)| (path, header)))
}
