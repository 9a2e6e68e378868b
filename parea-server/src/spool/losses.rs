//! What clients had to drop while no server was there: `losses.json` beside the files of the spool.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, Write as _},
    path::Path,
};

use parea_store::StoreError;
use parea_types::{KeptLosses, ProjectLosses};
use uuid::Uuid;

use super::{DEFAULT_PROJECT, Intake, Stay, files, hold};

impl Intake {
    /// Adds what the files say to the figures of their projects, and deletes them.
    pub(super) fn losses(&mut self) -> io::Result<()> {
        for file in files(&self.folder, KeptLosses::is_file)? {
            match self.take_losses(&file) {
                Ok(()) => {
                    self.complained.remove(&file);
                }
                Err(Stay::Stopped) => return Ok(()),
                Err(error) => self.complain(file, &error),
            }
        }
        Ok(())
    }

    fn take_losses(&self, path: &Path) -> Result<(), Stay> {
        let Some(mut file) = hold(path, true)? else { return Ok(()) };
        // Before it was held somebody may have put another in its place.
        if !is_at(&file, path) {
            return Ok(());
        }
        let mut bytes = Vec::new();
        (&file).take(KeptLosses::LONGEST).read_to_end(&mut bytes)?;
        let mut kept = KeptLosses::read(&bytes).unwrap_or_default();
        loop {
            if *self.stopped.borrow() {
                return Err(Stay::Stopped);
            }
            // What is counted is not to be counted again, neither by us nor by the next server.
            if kept.freeze(|| Uuid::new_v4().to_string()) {
                rewrite(&mut file, &kept)?;
            }
            let Some(next) = kept.losses.first() else { break };
            self.count(next)?;
            kept.losses.remove(0);
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

impl Intake {
    /// Adds a report to the figures of its project, unless it was counted before.
    pub(super) fn count(&self, report: &ProjectLosses) -> Result<(), StoreError> {
        let said = report.project_uuid.as_deref().unwrap_or(&report.project_name);
        let project = if said.is_empty() { DEFAULT_PROJECT } else { said };
        let counts: Vec<(String, u64)> = report.counts.clone().into_iter().collect();
        if self.runtime.block_on(self.logs.add_losses(project, &counts, report.id.as_deref()))? {
            self.metrics.losses(&counts);
        }
        Ok(())
    }
}

fn rewrite(file: &mut File, kept: &KeptLosses) -> io::Result<()> {
    let text = serde_json::to_vec(kept).map_err(io::Error::from)?;
    file.rewind()?;
    file.write_all(&text)?;
    file.set_len(text.len() as u64)
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let identity = |metadata: &fs::Metadata| (metadata.dev(), metadata.ino());
    matches!((file.metadata(), fs::metadata(path)), (Ok(held), Ok(there)) if identity(&held) == identity(&there))
}

#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}
