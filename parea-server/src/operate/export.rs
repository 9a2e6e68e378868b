//! Logs out of a folder, as JSON lines or Parquet. Read in small steps beside a server; what was broken off goes on.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Seek, Write},
    path::Path,
};

use parea_store::{StoreFile, private};
use serde::{Deserialize, Serialize};

use super::{
    OperateError, STEP,
    columns::Table,
    progress::{Progress, create},
};

/// How exported logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line, which can be posted to any server.
    Jsonl,
    /// A row each, with a column for every field.
    Parquet,
}

/// What an export wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Number of logs.
    pub logs: u64,
    /// Place of the last one.
    pub last: u64,
}

/// Logs in one file of a Parquet export into a folder.
const PART: u64 = 65_536;

/// Logs after which it is noted how far an export has come.
const NOTE: u64 = 8192;

/// Writes all logs of a folder to `out`, in the order of their arrival, and tells the last one's place: given as `after`,
/// it goes on from there. A server may hold the folder meanwhile. What is written can be taken in by
/// [`import`](super::import).
pub fn export(
    data: &Path,
    mut after: u64,
    format: Format,
    mut out: &mut (dyn Write + Send),
) -> Result<Exported, OperateError> {
    let file = StoreFile::open(data)?;
    let mut logs = 0;
    if format == Format::Parquet {
        let mut table = Table::new(&mut out)?;
        let exported = rows(&file, after, u64::MAX, &mut table)?;
        table.finish()?;
        return Ok(exported);
    }
    while let Some(step) = lines(&file, after, out)? {
        // Only what is out is behind us.
        out.flush()?;
        after = step.last;
        logs += step.logs;
    }
    Ok(Exported { logs, last: after })
}

/// The next lines; `None` at the end.
fn lines(file: &StoreFile, after: u64, out: &mut dyn Write) -> Result<Option<Exported>, OperateError> {
    let step = file.logs(after, STEP)?;
    let Some(last) = step.last().map(|log| log.arrival) else { return Ok(None) };
    for exported in &step {
        serde_json::to_writer(&mut *out, &exported.log).map_err(io::Error::from)?;
        out.write_all(b"\n")?;
    }
    Ok(Some(Exported { logs: step.len() as u64, last }))
}

/// The next rows, at most so many.
fn rows<W: Write + Send>(
    file: &StoreFile,
    mut after: u64,
    most: u64,
    table: &mut Table<W>,
) -> Result<Exported, OperateError> {
    let mut logs = 0;
    while logs < most {
        let step = file.logs(after, STEP)?;
        let Some(last) = step.last() else { break };
        after = last.arrival;
        logs += step.len() as u64;
        for exported in &step {
            table.push(exported.arrival, &exported.log)?;
        }
    }
    Ok(Exported { logs, last: after })
}

/// Writes all logs of a folder into a file of JSON lines, or into a folder of Parquet files. If it is broken off at any
/// moment and done again, it goes on where it was, without a log twice or missing. A folder of Parquet files that is
/// complete gets what has arrived since.
pub fn export_to(data: &Path, to: &Path, format: Format) -> Result<Exported, OperateError> {
    let file = StoreFile::open(data)?;
    match format {
        Format::Jsonl => into_file(&file, to),
        Format::Parquet => into_folder(&file, to),
    }
}

/// How far an export into a file has come.
#[derive(Serialize, Deserialize)]
struct Place {
    after: u64,
    /// Bytes of the file that are complete.
    bytes: u64,
    logs: u64,
}

fn into_file(file: &StoreFile, to: &Path) -> Result<Exported, OperateError> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", to.display()));
    if to.exists() {
        return Err(named(io::Error::new(io::ErrorKind::AlreadyExists, "is there already; name another file")).into());
    }
    let beside = |ending: &str| {
        let mut name = to.as_os_str().to_owned();
        name.push(ending);
        std::path::PathBuf::from(name)
    };
    let (partial, progress) = (beside(".partial"), Progress::at(beside(".progress")));
    let known = progress
        .read::<Place>()
        .filter(|place| fs::metadata(&partial).is_ok_and(|partial| partial.len() >= place.bytes));
    let mut place = known.unwrap_or(Place { after: 0, bytes: 0, logs: 0 });
    let mut partial_file = if place.bytes == 0 {
        create(&partial).map_err(named)?
    } else {
        let mut file = File::options().write(true).open(&partial).map_err(named)?;
        file.set_len(place.bytes)?;
        file.seek(io::SeekFrom::End(0))?;
        file
    };
    loop {
        let mut out = BufWriter::with_capacity(1 << 20, &mut partial_file);
        let mut written = 0;
        while written < NOTE
            && let Some(step) = lines(file, place.after, &mut out)?
        {
            place.after = step.last;
            written += step.logs;
        }
        out.flush().map_err(named)?;
        drop(out);
        if written == 0 {
            break;
        }
        partial_file.sync_data().map_err(named)?;
        place.bytes = partial_file.stream_position()?;
        place.logs += written;
        progress.note(&place).map_err(named)?;
    }
    partial_file.sync_all().map_err(named)?;
    fs::rename(&partial, to).map_err(named)?;
    progress.remove().map_err(named)?;
    Ok(Exported { logs: place.logs, last: place.after })
}

/// The place of the last log in a part, which its name tells.
fn last_of(name: &str) -> Option<u64> {
    name.strip_prefix("logs-")?.strip_suffix(".parquet")?.parse().ok()
}

fn into_folder(file: &StoreFile, to: &Path) -> Result<Exported, OperateError> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", to.display()));
    private::folder(to).map_err(named)?;
    let mut after = 0;
    for entry in fs::read_dir(to).map_err(named)? {
        after = after.max(entry.map_err(named)?.file_name().to_str().and_then(last_of).unwrap_or_default());
    }
    let partial = to.join("logs.partial");
    let mut logs = 0;
    loop {
        let mut table = Table::new(BufWriter::with_capacity(1 << 20, create(&partial).map_err(named)?))?;
        let part = rows(file, after, PART, &mut table)?;
        let out = table.finish()?.into_inner().map_err(|error| named(error.into_error()))?;
        if part.logs == 0 {
            fs::remove_file(&partial).map_err(named)?;
            return Ok(Exported { logs, last: after });
        }
        out.sync_all().map_err(named)?;
        fs::rename(&partial, to.join(format!("logs-{:016}.parquet", part.last))).map_err(named)?;
        logs += part.logs;
        after = part.last;
    }
}
