//! Logs on disk, for a server that takes them in later.

use std::{
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
};

use super::Line;
use crate::clock;

/// Most bytes that the folder may hold.
const CAP: u64 = 512 * 1024 * 1024;

/// The folder `spool` inside a data folder. `parea serve` takes its files in, oldest name first.
#[derive(Debug)]
pub(crate) struct Spool {
    folder: PathBuf,
    written: u32,
}

impl Spool {
    pub(crate) fn new(data: &Path) -> Self {
        Self { folder: data.join("spool"), written: 0 }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes one file with one log a line, readable by its owner alone. It gets its final name when it is whole,
    /// so that a reader never meets half of one.
    pub(crate) fn write(&mut self, lines: &[Line]) -> io::Result<()> {
        create_private_folder(&self.folder)?;
        let size: u64 = lines.iter().map(|line| line.len() as u64 + 1).sum();
        if self.size()? + size > CAP {
            return Err(io::Error::other(format!("{} holds 512 MB, its most", self.folder.display())));
        }
        self.written += 1;
        let name = format!("{:020}-{}-{:06}", clock::wall_micros().max(0), std::process::id(), self.written);
        let unfinished = self.folder.join(format!("{name}.tmp"));
        let result = write_file(&unfinished, lines)
            .and_then(|()| fs::rename(&unfinished, self.folder.join(format!("{name}.ndjson"))));
        if result.is_err() {
            // What is left of it would only take room; the error that matters is the first.
            let _ = fs::remove_file(&unfinished);
        }
        result
    }

    fn size(&self) -> io::Result<u64> {
        fs::read_dir(&self.folder)?
            .map(|entry| match entry.and_then(|entry| entry.metadata()) {
                Ok(metadata) => Ok(metadata.len()),
                // Taken in by the server meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
                Err(error) => Err(error),
            })
            .sum()
    }
}

fn write_file(path: &Path, lines: &[Line]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = io::BufWriter::new(options.open(path)?);
    for line in lines {
        file.write_all(line)?;
        file.write_all(b"\n")?;
    }
    file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_data()
}

fn create_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
