//! Logs into a folder, from JSON lines or Parquet. What was broken off goes on; what is there already stays as it is.

use std::{
    fmt,
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Seek},
    path::{Path, PathBuf},
};

use parea_store::{Logs, Outcome, Patch, SqliteStore, StoreError};
use parea_types::TraceLog;
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde::{Deserialize, Serialize};

use super::{Held, IMPORT, OperateError, STEP, columns, progress::Progress};
use crate::{
    config::Config,
    ingest::{self, Rules},
    operator::tell,
};

/// What is taken in at once, in bytes, if it is not [`STEP`] logs before.
const BYTES: usize = 8 << 20;

/// Lines that are refused with what is wrong with them; the others are counted.
const SHOWN: u64 = 20;

/// What an import read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// New logs.
    pub created: u64,
    /// Logs that say more of one that was there.
    pub merged: u64,
    /// Logs that say nothing new.
    pub unchanged: u64,
    /// Lines that are no logs; what is wrong with the first of them is on stderr.
    pub refused: u64,
    /// What is wrong with lines, counted from 0, of one step.
    pub(crate) faults: Vec<(u64, String)>,
}

impl fmt::Display for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { created, merged, unchanged, refused, .. } = self;
        write!(f, "{created} logs created, {merged} merged, {unchanged} already there, {refused} lines refused")
    }
}

/// Takes some lines into a store.
pub(crate) async fn take_in<'a>(
    store: &SqliteStore,
    lines: impl Iterator<Item = &'a [u8]> + Send,
    rules: Rules,
) -> Result<Imported, StoreError> {
    let mut imported = Imported::default();
    let mut patches = Vec::new();
    for (number, line) in (0..).zip(lines) {
        if line.trim_ascii().is_empty() {
            continue;
        }
        match ingest::log(line.trim_ascii(), &[], rules) {
            Ok(log) => patches.push(Patch::Post(Box::<TraceLog>::new(log))),
            Err(faults) => {
                imported.refused += 1;
                if let Some(fault) = faults.first() {
                    imported.faults.push((number, fault.to_string()));
                }
            }
        }
    }
    if !patches.is_empty() {
        for outcome in store.commit(patches).await?.outcomes {
            match outcome {
                Outcome::Created => imported.created += 1,
                Outcome::Merged => imported.merged += 1,
                Outcome::Unchanged => imported.unchanged += 1,
            }
        }
    }
    Ok(imported)
}

/// Where logs go, with the lines that wait to go there together.
struct Sink {
    held: Held,
    rules: Rules,
    lines: Vec<u8>,
    count: u32,
    /// The number of the first line that waits.
    first: u64,
    total: Imported,
}

impl Sink {
    async fn open(data: &Path) -> Result<Self, OperateError> {
        let rules = Rules::of(&Config::default());
        let held = Held::open(data, SqliteStore::open).await?;
        Ok(Self { held, rules, lines: Vec::new(), count: 0, first: 1, total: Imported::default() })
    }

    fn push(&mut self, line: &[u8]) {
        self.lines.extend_from_slice(line);
        self.lines.push(b'\n');
        self.count += 1;
    }

    fn is_full(&self) -> bool {
        self.count >= STEP || self.lines.len() >= BYTES
    }

    /// Writes what waits; it is on disk when this returns.
    async fn flush(&mut self) -> Result<(), OperateError> {
        let lines = std::mem::take(&mut self.lines);
        let taken = match &self.held {
            Held::Own(store) => take_in(store, lines.split(|byte| *byte == b'\n'), self.rules).await?,
            Held::Served(server) => server.post(IMPORT, lines).await?,
        };
        let total = &mut self.total;
        for (number, fault) in taken.faults.iter().take(SHOWN.saturating_sub(total.refused) as usize) {
            tell(format_args!("line {}: {fault}", self.first + number));
        }
        total.created += taken.created;
        total.merged += taken.merged;
        total.unchanged += taken.unchanged;
        total.refused += taken.refused;
        self.first += u64::from(self.count);
        self.count = 0;
        Ok(())
    }

    async fn finish(mut self) -> Result<Imported, OperateError> {
        let done = self.flush().await;
        if let Held::Own(store) = &self.held {
            store.close().await;
        }
        done.map(|()| self.total)
    }
}

/// Takes in logs from a stream, one JSON object a line, as they are posted. What is there already stays as it is, so
/// that an import that broke off is simply done again. A server that holds the folder takes them in.
pub async fn import(data: &Path, mut input: impl BufRead) -> Result<Imported, OperateError> {
    let mut sink = Sink::open(data).await?;
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return sink.finish().await;
        }
        sink.push(line.strip_suffix(b"\n").unwrap_or(&line));
        if sink.is_full() {
            sink.flush().await?;
        }
    }
}

/// How far an import of a file has come.
#[derive(Serialize, Deserialize)]
struct Place {
    file: PathBuf,
    /// Bytes of a file of lines, or rows of a Parquet file.
    at: u64,
    /// Lines or rows.
    lines: u64,
    /// The file's size, and a sum of its first bytes: another file of that name begins anew.
    size: u64,
    sum: u32,
}

/// The same from a file of JSON lines or of Parquet, or from all of both in a folder. Where it broke off it goes on.
pub async fn import_from(data: &Path, from: &Path) -> Result<Imported, OperateError> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", from.display()));
    let mut files = Vec::new();
    if fs::metadata(from).map_err(named)?.is_dir() {
        for entry in fs::read_dir(from).map_err(named)? {
            let path = entry.map_err(named)?.path();
            let is_ours = |ending| ["parquet", "jsonl", "ndjson"].iter().any(|known| *known == ending);
            if path.extension().is_some_and(is_ours) {
                files.push(path);
            }
        }
        files.sort();
    } else {
        files.push(from.to_owned());
    }
    let mut sink = Sink::open(data).await?;
    for file in files {
        let done = import_file(data, &file, &mut sink).await;
        if done.is_err() {
            if let Held::Own(store) = &sink.held {
                store.close().await;
            }
            done?;
        }
    }
    sink.finish().await
}

async fn import_file(data: &Path, path: &Path, sink: &mut Sink) -> Result<(), OperateError> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let mut file = File::open(path).map_err(named)?;
    let size = file.metadata().map_err(named)?.len();
    let mut head = Vec::new();
    (&mut file).take(4096).read_to_end(&mut head).map_err(named)?;
    file.rewind().map_err(named)?;
    let mut sum = flate2::Crc::new();
    sum.update(&head);
    let path = path.canonicalize().map_err(named)?;
    let mut name = flate2::Crc::new();
    name.update(path.as_os_str().as_encoded_bytes());
    let progress = Progress::at(data.join(format!("import-{:08x}.progress", name.sum())));
    let begun = Place { file: path.clone(), at: 0, lines: 0, size, sum: sum.sum() };
    let is_same = |place: &Place| place.file == path && place.size == size && place.sum == sum.sum();
    let mut place = progress.read().filter(is_same).unwrap_or(begun);
    if place.lines > 0 {
        tell(format_args!("{}: goes on after {} logs", path.display(), place.lines));
    }
    sink.first = place.lines + 1;
    if head.starts_with(b"PAR1") {
        import_table(file, &mut place, &progress, sink).await?;
    } else {
        import_lines(file, &mut place, &progress, sink).await?;
    }
    sink.flush().await?;
    Ok(progress.remove()?)
}

/// The rest of a Parquet file; a place in it is a number of rows.
async fn import_table(file: File, place: &mut Place, progress: &Progress, sink: &mut Sink) -> Result<(), OperateError> {
    let reader = SerializedFileReader::new(file)?;
    let mut skipped = 0;
    // Whole row groups that are behind us are not read again.
    let mut group = 0;
    while group < reader.num_row_groups() {
        let rows = reader.metadata().row_group(group).num_rows() as u64;
        if skipped + rows > place.at {
            break;
        }
        skipped += rows;
        group += 1;
    }
    for group in group..reader.num_row_groups() {
        for row in reader.get_row_group(group)?.get_row_iter(None)? {
            skipped += 1;
            if skipped <= place.at {
                continue;
            }
            let line = columns::read(&row?).map_err(|why| {
                io::Error::new(io::ErrorKind::InvalidData, format!("{}: {why}", place.file.display()))
            })?;
            sink.push(&line);
            if sink.is_full() {
                sink.flush().await?;
                (place.at, place.lines) = (skipped, skipped);
                progress.note(place)?;
            }
        }
    }
    Ok(())
}

/// The rest of a file of JSON lines; a place in it is a number of bytes.
async fn import_lines(
    mut file: File,
    place: &mut Place,
    progress: &Progress,
    sink: &mut Sink,
) -> Result<(), OperateError> {
    let path = place.file.clone();
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    file.seek(io::SeekFrom::Start(place.at)).map_err(named)?;
    let mut input = BufReader::with_capacity(1 << 20, file);
    let (mut line, mut at, mut lines) = (Vec::new(), place.at, place.lines);
    loop {
        line.clear();
        let length = input.read_until(b'\n', &mut line).map_err(named)?;
        if length == 0 {
            return Ok(());
        }
        at += length as u64;
        lines += 1;
        sink.push(line.strip_suffix(b"\n").unwrap_or(&line));
        if sink.is_full() {
            sink.flush().await?;
            (place.at, place.lines) = (at, lines);
            progress.note(place)?;
        }
    }
}
