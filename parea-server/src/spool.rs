//! Takes in what clients left in the data folder while no server answered.
//!
//! A client writes `spool/NAME.open`, one log a line, and renames it to `NAME.ndjson` when it is complete. As long as it
//! lives it holds a lock on the file; one without is complete as well, for its writer is gone. Names sort by age. A file
//! goes when what it holds is on disk; lines that are no log are kept in `spool/rejected/`. What clients had to drop stands in
//! `spool/losses.json`.

mod losses;
mod rejected;
mod runs;

use std::{
    collections::HashSet,
    ffi::OsStr,
    fs::{self, File, TryLockError},
    io::{self, BufRead, BufReader},
    mem,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use parea_store::{Catalog, Logs, Patch, StoreError};
use parea_types::{GivenUp, ProjectLosses};
use tokio::{
    runtime::Handle,
    sync::watch,
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

use crate::{
    auth::Access,
    body::Element,
    ingest::{self, Rules},
    metrics::Metrics,
    operator,
    spool::rejected::Rejected,
    state::AppState,
};

/// How often the folder is looked at.
const EVERY: Duration = Duration::from_secs(2);

/// A file that is complete, and one that its writer may still be at.
const COMPLETE: &str = "ndjson";
const OPEN: &str = "open";

/// Whose the losses are that name no project.
const DEFAULT_PROJECT: &str = "default";

/// How many bytes of lines are committed together.
const GROUP: usize = 4 << 20;

/// Looks after the folder until it is stopped.
pub(crate) struct Spool {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Spool {
    /// Begins to look after `spool/` in the data folder: at once, and then every two seconds.
    pub(crate) fn watch(state: &AppState) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut intake = Intake {
            folder: state.config.data.join("spool"),
            rules: Rules::of(&state.config),
            logs: Arc::clone(&state.logs),
            catalog: Arc::clone(&state.catalog),
            metrics: Arc::clone(&state.metrics),
            runtime: Handle::current(),
            stopped: stopped.clone(),
            complained: HashSet::new(),
        };
        let task = tokio::spawn(async move {
            let mut stopped = stopped;
            let mut ticks = interval(EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = stopped.wait_for(|&stopped| stopped) => return,
                    _ = ticks.tick() => {}
                }
                // Files are read and removed on a thread that may wait for the disk.
                let taken = tokio::task::spawn_blocking(move || {
                    intake.round();
                    intake
                });
                match taken.await {
                    Ok(back) => intake = back,
                    Err(_) => return,
                }
            }
        });
        Self { stop, task }
    }

    /// Waits for the group of lines that is being stored; the rest is taken in by the next server.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        // A panic in there has been printed; nothing was deleted that is not stored.
        let _ = self.task.await;
    }
}

struct Intake {
    folder: PathBuf,
    rules: Rules,
    logs: Arc<dyn Logs>,
    catalog: Arc<dyn Catalog>,
    metrics: Arc<Metrics>,
    runtime: Handle,
    stopped: watch::Receiver<bool>,
    /// Files of which a complaint has been printed, so that it is not printed every two seconds.
    complained: HashSet<PathBuf>,
}

/// Why a file stays where it is.
#[derive(Debug, thiserror::Error)]
enum Stay {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the server is stopping")]
    Stopped,
}

/// Opens a file that no client holds, and holds it until it is closed, so that no client sends it meanwhile.
fn hold(path: &Path, to_write: bool) -> io::Result<Option<File>> {
    let file = match File::options().read(true).write(to_write).open(path) {
        Ok(file) => file,
        // A client that found us has sent it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Ok(None),
        // Where there are no locks, nobody can say whether the writer lives.
        Err(TryLockError::Error(_)) if path.extension() == Some(OsStr::new(OPEN)) => Ok(None),
        Ok(()) | Err(TryLockError::Error(_)) => Ok(Some(file)),
    }
}

/// The files of a folder that are wanted, by age; none where the folder is not there.
fn files(folder: &Path, is_wanted: impl Fn(&Path) -> bool) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        if is_wanted(&entry.path()) && entry.file_type()?.is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

fn is_segment(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == COMPLETE || extension == OPEN)
}

impl Intake {
    /// Takes in all files that are complete, oldest name first.
    fn round(&mut self) {
        // First, for a file may say again what was given up of it, and not of which project.
        if let Err(error) = self.losses() {
            self.complain(self.folder.clone(), &error);
        }
        let files = match files(&self.folder, is_segment) {
            Ok(files) => files,
            Err(error) => return self.complain(self.folder.clone(), &error),
        };
        for file in files {
            match self.take_in(&file) {
                Ok(()) => {
                    self.complained.remove(&file);
                }
                Err(Stay::Stopped | Stay::Store(StoreError::Closed)) => return,
                Err(error) => self.complain(file, &error),
            }
        }
        if let Err(error) = self.runs() {
            self.complain(self.folder.with_file_name("experiments"), &error);
        }
    }

    fn complain(&mut self, path: PathBuf, error: &dyn std::error::Error) {
        if !self.complained.contains(&path) {
            operator::tell(format_args!("parea: cannot take in {}: {error}; will try again", path.display()));
            self.complained.insert(path);
        }
    }

    /// Stores what a file holds, then deletes it. If the server dies in between, the next one does all of it again,
    /// which changes nothing.
    fn take_in(&self, file: &Path) -> Result<(), Stay> {
        let Some(held) = hold(file, false)? else { return Ok(()) };
        let mut lines = BufReader::new(held);
        let mut rejected = Rejected::default();
        let mut group = Vec::new();
        let (mut given_up, mut project) = (Vec::new(), None);
        let mut size = 0;
        let mut number = 0;
        loop {
            let mut line = Vec::new();
            if lines.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            number += 1;
            let json = line.trim_ascii();
            if json.is_empty() {
                continue;
            }
            if let Some(line) = GivenUp::read(json) {
                given_up.push(line);
                continue;
            }
            match ingest::element(Element::Whole(json), number - 1, self.rules, &Access::all()) {
                Ok(log) => {
                    project = project.or_else(|| log.project_uuid.clone().or_else(|| log.project_name.clone()));
                    group.push(Patch::Post(Box::new(log)));
                }
                Err(refused) => rejected.add(json, &refused),
            }
            size += line.len();
            if size >= GROUP {
                size = 0;
                self.commit(mem::take(&mut group))?;
            }
        }
        self.commit(group)?;
        for report in GivenUp::reports(given_up) {
            self.count(&ProjectLosses { project_name: project.clone().unwrap_or_default(), ..report })?;
        }
        if let Some(kept) = rejected.keep(&self.folder, file)? {
            let lines = if kept.lines == 1 { "1 line".to_owned() } else { format!("{} lines", kept.lines) };
            let (from, kept) = (file.display(), kept.path.display());
            operator::tell(format_args!(
                "parea: {lines} of {from} could not be read as logs and went to {kept}, the reasons beside it"
            ));
        }
        match fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn commit(&self, group: Vec<Patch>) -> Result<(), Stay> {
        if *self.stopped.borrow() {
            return Err(Stay::Stopped);
        }
        if !group.is_empty() {
            self.runtime.block_on(self.logs.commit(group))?;
        }
        Ok(())
    }
}
