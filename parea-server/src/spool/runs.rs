//! Runs of experiments that were made while no server was there: `experiments/UUID.run.json` beside the spool.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use parea_store::StoreError;
use parea_types::KeptRun;

use super::{Intake, Stay, files, is_segment};
use crate::kept_run;

impl Intake {
    /// Tells the catalog of all runs in the folder. What ended is closed when all its logs are here, and its file goes.
    pub(super) fn runs(&mut self) -> io::Result<()> {
        let runs = kept(&self.folder.with_file_name("experiments"))?;
        // A program that lives may still hold logs.
        let all_here = runs.is_empty() || files(&self.folder, is_segment)?.is_empty();
        for (file, run) in runs {
            let taken = run.and_then(|run| self.take_run(&file, &run, all_here));
            match taken {
                Ok(()) => {
                    self.complained.remove(&file);
                }
                Err(Stay::Stopped | Stay::Store(StoreError::Closed)) => return Ok(()),
                Err(error) => self.complain(file, &error),
            }
        }
        Ok(())
    }

    fn take_run(&self, file: &Path, run: &KeptRun, all_here: bool) -> Result<(), Stay> {
        let done = self.runtime.block_on(async {
            // Those that were meant for another server wait for it.
            if run.server.is_some() {
                return Ok(false);
            }
            let run = KeptRun { status: run.status.filter(|_| all_here), ..run.clone() };
            kept_run::take(&*self.catalog, &*self.logs, &run).await?;
            if run.status.is_none() {
                return Ok(false);
            }
            Ok::<_, Stay>(true)
        });
        if done? {
            match fs::remove_file(file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The files of runs, and what they hold.
fn kept(folder: &Path) -> io::Result<Vec<(PathBuf, Result<KeptRun, Stay>)>> {
    let is_run = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(KeptRun::ENDING));
    let read = |path: PathBuf| {
        let run = fs::read(&path).and_then(|text| serde_json::from_slice(&text).map_err(io::Error::from));
        (path, run.map_err(Stay::from))
    };
    Ok(files(folder, is_run)?.into_iter().map(read).collect())
}
