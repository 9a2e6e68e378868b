//! What a run has finished, on disk: so that it can be gone on with, and compared with, where no server is.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
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
#[derive(Serialize, Deserialize)]
struct Line {
    /// Row, trial, parameters and version.
    cell: String,
    result: RowResult,
}

/// A journal that is being written.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
}

/// A journal that was read.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) header: Header,
    /// By cell; of those that were run twice the last.
    pub(crate) cells: HashMap<String, RowResult>,
}

pub(crate) fn path(folder: &Path, uuid: &str) -> PathBuf {
    folder.join(format!("{uuid}.jsonl"))
}

impl Journal {
    pub(crate) fn create(folder: &Path, header: &Header) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        // Results are nobody's business but the user's, least of all a repository's.
        let ignore = folder.join(".gitignore");
        if !ignore.exists() {
            fs::write(ignore, "*\n")?;
        }
        let file = OpenOptions::new().create_new(true).append(true).open(path(folder, &header.uuid))?;
        let mut journal = Self { file };
        journal.line(header)?;
        Ok(journal)
    }

    /// Opens a journal at its end. A line that was torn when the program was killed is closed first.
    pub(crate) fn reopen(folder: &Path, uuid: &str) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).append(true).open(path(folder, uuid))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        if !text.ends_with(b"\n") {
            file.write_all(b"\n")?;
        }
        Ok(Self { file })
    }

    pub(crate) fn write(&mut self, cell: &str, result: &RowResult) -> io::Result<()> {
        self.line(&Line { cell: cell.to_owned(), result: result.clone() })
    }

    /// One write for each line: what is written survives the program, if not the machine.
    fn line(&mut self, value: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        self.file.write_all(&line)
    }
}

/// Reads what the run has finished. Lines that cannot be read were torn by a kill, and are left out.
pub(crate) fn read(path: &Path) -> io::Result<Finished> {
    let text = fs::read_to_string(path)?;
    let mut lines = text.lines();
    let header = lines.next().ok_or_else(|| io::Error::other("the journal is empty"))?;
    let header = serde_json::from_str(header)?;
    let lines = lines.filter_map(|line| serde_json::from_str(line).ok());
    Ok(Finished { header, cells: lines.map(|Line { cell, result }| (cell, result)).collect() })
}

/// The journal of the newest run of that name or uuid, of that experiment.
pub(crate) fn find(folder: &Path, experiment: &str, name: &str) -> Option<Finished> {
    let entries = fs::read_dir(folder).ok()?.filter_map(Result::ok).map(|entry| entry.path());
    let journals = entries.filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    let found = journals.filter_map(|path| {
        let finished = read(&path).ok()?;
        let header = &finished.header;
        let wanted = header.uuid == name || header.run_name == name && header.experiment == experiment;
        wanted.then(|| (fs::metadata(&path).and_then(|data| data.modified()).ok(), finished))
    });
    found.max_by_key(|(modified, _)| *modified).map(|(_, finished)| finished)
}
