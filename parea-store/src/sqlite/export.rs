//! Reading a store's folder beside the server that holds it: logs as they are kept, a check of the file.

use std::{
    fmt,
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
};

use parea_types::TraceLog;
use rusqlite::{Connection, Params, params};

use super::{
    check,
    directory::View,
    functions,
    ingest::damaged,
    open::{self, OpenError, Reader},
    salvage::{self, Next},
    schema,
    values::{self, Blocks, Source},
};
use crate::StoreError;

/// A store's file, open for reading only; the server that holds the folder goes on writing.
#[derive(Debug)]
pub struct StoreFile {
    path: PathBuf,
    conn: Reader,
}

/// A log as it is kept.
#[derive(Clone, Debug)]
pub struct Exported {
    /// Its arrival, by which logs are in order: what arrives later is greater.
    pub arrival: u64,
    /// With its project's uuid and name, and with the links and scores that were sent, none that reads fill in. Posted
    /// to another store it makes the same log there.
    pub log: TraceLog,
}

/// Logs that were read, and those that cannot be.
#[derive(Clone, Debug, Default)]
pub struct Salvaged {
    /// In the order of their arrival.
    pub logs: Vec<Exported>,
    /// Places between them where the file is damaged.
    pub unread: Vec<Unread>,
    /// The place behind which to go on; nothing at the end.
    pub last: Option<u64>,
}

/// Logs next to one another that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Arrival of the first.
    pub first: u64,
    /// Arrival of the last, or of the last that there may be.
    pub last: u64,
    /// What stands there instead.
    pub reason: String,
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, last, reason } = self;
        match i64::try_from(*last) {
            Ok(last) if last == *first as i64 => write!(f, "log {first} cannot be read: {reason}"),
            Ok(i64::MAX) | Err(_) => write!(f, "the logs from {first} on cannot be read: {reason}"),
            Ok(last) => write!(f, "the logs from {first} to {last} cannot be read: {reason}"),
        }
    }
}

impl StoreFile {
    /// Opens the file in a store's folder. It must have this version's schema: start the server once after an update.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        let path = open::existing(dir)?;
        let fail = |error: rusqlite::Error| open::refusal(&path, &error);
        if let Err(source) = File::open(&path) {
            return Err(OpenError::Folder { path, source });
        }
        let conn = open::reader(&path).map_err(fail)?;
        let owner: i32 = conn.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(fail)?;
        if owner != schema::APPLICATION {
            return Err(OpenError::NotADatabase { path });
        }
        let found = schema::version(&conn).map_err(fail)?;
        if found > schema::VERSION {
            return Err(OpenError::Newer { path, found, known: schema::VERSION });
        }
        if found < schema::VERSION {
            let reason = format!(
                "it has schema version {found}, this parea reads {}; `parea serve` brings it up to date",
                schema::VERSION
            );
            return Err(OpenError::Engine { path, reason });
        }
        Ok(Self { path, conn })
    }

    /// The next logs that arrived after one, at most so many. Each call is a read of its own, so that the write-ahead
    /// log does not grow while someone takes their time; a log that changes meanwhile is read once, before or after.
    pub fn logs(&self, after: u64, most: u32) -> Result<Vec<Exported>, StoreError> {
        self.read(|conn| Self::rows(conn, "log.id > ?1 ORDER BY log.id LIMIT ?2", params![place(after), most]))
    }

    fn rows(conn: &Connection, wanted: &str, values: impl Params) -> rusqlite::Result<Vec<Exported>> {
        let blocks = Blocks::default();
        // A project whose row is lost has the name that a repair would give it.
        let sql = format!(
            "SELECT {}, coalesce(project.uuid, 'recovered-' || log.project),
                coalesce(project.name, 'recovered-' || log.project)
             FROM {} LEFT JOIN project ON project.id = log.project WHERE {wanted}",
            values::COLUMNS,
            values::SOURCES
        );
        let mut find = conn.prepare_cached(&sql)?;
        let mut rows = find.query(values)?;
        let mut logs = Vec::new();
        while let Some(row) = rows.next()? {
            let value = Source::read(row)?.value(conn, &blocks)?;
            let mut log: TraceLog = serde_json::from_str(&value.json).map_err(damaged)?;
            log.project_uuid = row.get(values::WIDTH)?;
            log.project_name = row.get(values::WIDTH + 1)?;
            logs.push(Exported { arrival: value.id as u64, log });
        }
        Ok(logs)
    }

    /// The next logs as [`logs`](Self::logs) gives them, and where the file is damaged those around it.
    pub fn salvage(&self, after: u64, most: u32) -> Result<Salvaged, StoreError> {
        if let Ok(logs) = self.logs(after, most) {
            let last = logs.last().map(|log| log.arrival);
            return Ok(Salvaged { logs, unread: Vec::new(), last });
        }
        self.read(|conn| {
            let mut found = Salvaged::default();
            let mut after = place(after);
            for _ in 0..most {
                let (first, last, reason) = match salvage::next(conn, "log", "id", after)? {
                    Next::End => break,
                    Next::Gap(last) => (after + 1, last, "the file is damaged there".to_owned()),
                    Next::Row(id) => match Self::rows(conn, "log.id = ?1", [id]) {
                        Ok(logs) if !logs.is_empty() => {
                            found.logs.extend(logs);
                            (after, found.last) = (id, Some(id as u64));
                            continue;
                        }
                        Ok(_) => (id, id, "its row cannot be found".to_owned()),
                        Err(error) if salvage::is_damage(&error) => (id, id, error.to_string()),
                        Err(error) => return Err(error),
                    },
                };
                let (first, last) = (first as u64, last as u64);
                match found.unread.last_mut() {
                    Some(before) if before.last + 1 == first && before.reason == reason => before.last = last,
                    _ => found.unread.push(Unread { first, last, reason }),
                }
                (after, found.last) = (last as i64, Some(last));
            }
            Ok(found)
        })
    }

    /// Looks at everything and says what is wrong, at most `most` faults; empty when all is well. Takes some
    /// seconds for each hundred thousand logs, of up to four processors.
    pub fn check(&self, most: usize) -> Result<Vec<String>, StoreError> {
        let path = &self.path;
        Ok(check::faults(|| open::reader(path), most)?)
    }

    /// A read that looks logs up by their ids.
    pub(super) fn read_linked<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.read(|conn| {
            self.conn.slot.set(Some(Arc::new(View::load(conn)?)));
            read(conn)
        })
    }

    /// Outside of any transaction.
    pub(super) fn read_outside<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        Ok(read(&self.conn)?)
    }

    pub(super) fn read<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let work = || {
            let tx = self.conn.unchecked_transaction()?;
            functions::begin(&tx)?;
            let answer = read(&tx)?;
            tx.finish()?;
            Ok(answer)
        };
        work().map_err(|error: rusqlite::Error| error.into())
    }
}

/// An arrival as the key of a row.
fn place(arrival: u64) -> i64 {
    i64::try_from(arrival).unwrap_or(i64::MAX)
}
