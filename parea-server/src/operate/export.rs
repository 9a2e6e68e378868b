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
use crate::operator;

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
    /// How many places were left out because the file is damaged there; each was told to the operator.
    pub unread: u64,
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
    let (mut logs, mut unread) = (0, 0);
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
        unread += step.unread;
    }
    Ok(Exported { logs, last: after, unread })
}

/// The next logs, around what cannot be read, which is told; `None` at the end.
fn step(file: &StoreFile, after: u64) -> Result<Option<(Vec<parea_store::Exported>, Exported)>, OperateError> {
    let found = file.salvage(after, STEP)?;
    let Some(last) = found.last else { return Ok(None) };
    for unread in &found.unread {
        operator::tell(format_args!("parea: {unread}"));
    }
    let so_far = Exported { logs: found.logs.len() as u64, last, unread: found.unread.len() as u64 };
    Ok(Some((found.logs, so_far)))
}

/// The next lines; `None` at the end.
fn lines(file: &StoreFile, after: u64, out: &mut dyn Write) -> Result<Option<Exported>, OperateError> {
    let Some((logs, so_far)) = step(file, after)? else { return Ok(None) };
    for exported in &logs {
        serde_json::to_writer(&mut *out, &exported.log).map_err(io::Error::from)?;
        out.write_all(b"\n")?;
    }
    Ok(Some(so_far))
}

/// The next rows, at most so many.
fn rows<W: Write + Send>(
    file: &StoreFile,
    mut after: u64,
    most: u64,
    table: &mut Table<W>,
) -> Result<Exported, OperateError> {
    let (mut written, mut unread) = (0, 0);
    while written < most
        && let Some((logs, so_far)) = step(file, after)?
    {
        after = so_far.last;
        written += so_far.logs;
        unread += so_far.unread;
        for exported in &logs {
            table.push(exported.arrival, &exported.log)?;
        }
    }
    Ok(Exported { logs: written, last: after, unread })
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
    #[serde(default)]
    unread: u64,
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
    let mut place = known.unwrap_or(Place { after: 0, bytes: 0, logs: 0, unread: 0 });
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
        let (begin, mut written) = (place.after, 0);
        while written < NOTE
            && let Some(step) = lines(file, place.after, &mut out)?
        {
            place.after = step.last;
            place.unread += step.unread;
            written += step.logs;
        }
        out.flush().map_err(named)?;
        drop(out);
        if place.after == begin {
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
    Ok(Exported { logs: place.logs, last: place.after, unread: place.unread })
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
    let (mut logs, mut unread) = (0, 0);
    loop {
        let mut table = Table::new(BufWriter::with_capacity(1 << 20, create(&partial).map_err(named)?))?;
        let part = rows(file, after, PART, &mut table)?;
        let out = table.finish()?.into_inner().map_err(|error| named(error.into_error()))?;
        unread += part.unread;
        if part.logs == 0 {
            fs::remove_file(&partial).map_err(named)?;
            return Ok(Exported { logs, last: after, unread });
        }
        out.sync_all().map_err(named)?;
        fs::rename(&partial, to.join(format!("logs-{:016}.parquet", part.last))).map_err(named)?;
        logs += part.logs;
        after = part.last;
    }
}
