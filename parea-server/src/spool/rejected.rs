//! Lines of the spool that are no log: kept, with the reason beside them.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use parea_types::RejectedLog;

/// The lines of one file that were refused so far.
#[derive(Default)]
pub(super) struct Rejected {
    lines: Vec<u8>,
    reasons: Vec<u8>,
    count: usize,
}

/// Where they are kept.
pub(super) struct Kept {
    pub(super) path: PathBuf,
    pub(super) lines: usize,
}

impl Rejected {
    /// Remembers a line. `refused.index` is its place in the file it came from.
    pub(super) fn add(&mut self, line: &[u8], refused: &RejectedLog) {
        self.lines.extend_from_slice(line);
        self.lines.push(b'\n');
        // Writing a reason into memory cannot fail; if it did, the line would still be kept.
        let _ = serde_json::to_writer(&mut self.reasons, refused);
        self.reasons.push(b'\n');
        self.count += 1;
    }

    /// Writes the lines to `rejected/NAME.ndjson` and the reasons, line by line, to `rejected/NAME.reasons.ndjson`,
    /// both durable before this returns. `None` when there are no lines.
    pub(super) fn keep(self, folder: &Path, from: &Path) -> io::Result<Option<Kept>> {
        if self.count == 0 {
            return Ok(None);
        }
        let folder = folder.join("rejected");
        fs::create_dir_all(&folder)?;
        let stem = from.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let path = place(&folder, &stem, &self.lines)?;
        write(&path, &self.lines)?;
        write(&path.with_extension("reasons.ndjson"), &self.reasons)?;
        if cfg!(unix) {
            File::open(&folder)?.sync_all()?;
        }
        Ok(Some(Kept { path, lines: self.count }))
    }
}

/// A name that is free, or that holds the very same lines because a server died before it deleted their source.
fn place(folder: &Path, stem: &str, lines: &[u8]) -> io::Result<PathBuf> {
    let mut path = folder.join(format!("{stem}.ndjson"));
    let mut number = 1;
    while path.try_exists()? && fs::read(&path)? != lines {
        number += 1;
        path = folder.join(format!("{stem}-{number}.ndjson"));
    }
    Ok(path)
}

/// Readable by the owner alone: what could not be read may hold what users said all the same.
fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(content)?;
    file.sync_all()
}
