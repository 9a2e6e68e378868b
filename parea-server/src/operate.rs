//! What whoever runs a server does with its folder: copy it, read it out, take logs in, check and mend it.

use std::{
    fmt,
    io::{self, BufRead, Write},
    path::Path,
};

pub use parea_store::Erasure;
use parea_store::{Logs, OpenError, Outcome, Patch, SqliteStore, StoreError, StoreFile};
use parea_types::{Location, TraceLog};

use crate::{
    config::Config,
    ingest::{self, Rules},
    operator::tell,
};

/// Logs that are read or written together.
const STEP: u32 = 512;

/// Lines that are refused with what is wrong with them; the others are counted.
const SHOWN: u64 = 20;

/// Faults that a check lists.
const FAULTS: usize = 100;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OperateError {
    /// The folder cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was to be read or written could not be.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Writes all logs of a folder to `out`, one JSON object a line, in the order of their arrival, and tells the last
/// one's place: given as `after`, it goes on from there. A server may hold the folder meanwhile. Each line can be
/// posted to any server, or taken in by [`import`].
pub fn export(data: &Path, mut after: u64, out: &mut dyn Write) -> Result<Exported, OperateError> {
    let file = StoreFile::open(data)?;
    let mut logs = 0;
    loop {
        let step = file.logs(after, STEP)?;
        let Some(last) = step.last().map(|log| log.arrival) else { break };
        for exported in &step {
            serde_json::to_writer(&mut *out, &exported.log).map_err(io::Error::from)?;
            out.write_all(b"\n")?;
        }
        // Only what is out is behind us.
        out.flush()?;
        after = last;
        logs += step.len() as u64;
    }
    Ok(Exported { logs, last: after })
}

/// What an export wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Number of logs.
    pub logs: u64,
    /// Place of the last one.
    pub last: u64,
}

/// What an import read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// New logs.
    pub created: u64,
    /// Logs that say more of one that was there.
    pub merged: u64,
    /// Logs that say nothing new.
    pub unchanged: u64,
    /// Lines that are no logs; what is wrong with the first of them is on stderr.
    pub refused: u64,
}

/// Takes in logs, one JSON object a line, as they are posted. What is there already stays as it is, so that an import
/// that broke off is simply done again. No server may hold the folder.
pub async fn import(data: &Path, mut input: impl BufRead) -> Result<Imported, OperateError> {
    let store = SqliteStore::open(data)?;
    let mut imported = Imported::default();
    let rules = Rules::of(&Config::default());
    let (mut line, mut number) = (Vec::new(), 0_u64);
    let mut patches = Vec::new();
    loop {
        line.clear();
        let is_end = input.read_until(b'\n', &mut line)? == 0;
        number += 1;
        if !line.trim_ascii().is_empty() {
            match ingest::log(line.trim_ascii(), &[], rules) {
                Ok(log) => patches.push(Patch::Post(Box::<TraceLog>::new(log))),
                Err(faults) => {
                    imported.refused += 1;
                    if imported.refused <= SHOWN {
                        for fault in faults.iter().take(1) {
                            let place: Vec<String> = fault.loc.iter().map(spelled).collect();
                            tell(format_args!("line {number}: {}: {}", place.join("."), fault.msg));
                        }
                    }
                }
            }
        }
        if patches.len() >= STEP as usize || (is_end && !patches.is_empty()) {
            for outcome in store.commit(std::mem::take(&mut patches)).await?.outcomes {
                match outcome {
                    Outcome::Created => imported.created += 1,
                    Outcome::Merged => imported.merged += 1,
                    Outcome::Unchanged => imported.unchanged += 1,
                }
            }
        }
        if is_end {
            store.close().await;
            return Ok(imported);
        }
    }
}

/// Erases logs for good and answers how many. No server may hold the folder.
pub fn erase(data: &Path, what: &Erasure) -> Result<u64, OperateError> {
    Ok(SqliteStore::erase(data, what)?)
}

fn spelled(place: &Location) -> String {
    match place {
        Location::Name(name) => name.clone(),
        Location::Index(index) => index.to_string(),
    }
}

/// Copies a folder's store, as it is now, into a file that does not exist yet. A server may hold the folder meanwhile.
/// The copy is restored by putting it as `parea.db` into an empty folder.
pub fn backup(data: &Path, to: &Path) -> Result<(), OperateError> {
    Ok(StoreFile::open(data)?.backup(to)?)
}

/// Says what is wrong with a folder's store, at most a hundred faults; a server may hold it meanwhile.
pub fn check(data: &Path) -> Result<Vec<String>, OperateError> {
    Ok(StoreFile::open(data)?.check(FAULTS)?)
}

/// Makes anew what follows from the logs: sums, indexes, words. No server may hold the folder.
pub fn repair(data: &Path) -> Result<(), OperateError> {
    Ok(SqliteStore::repair(data)?)
}

impl fmt::Display for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { created, merged, unchanged, refused } = self;
        write!(f, "{created} logs created, {merged} merged, {unchanged} already there, {refused} lines refused")
    }
}
