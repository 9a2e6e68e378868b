//! Reading a store's folder beside the server that holds it: logs as they are kept, a check of the file.

use std::{fs::File, path::Path, sync::Arc};

use parea_types::TraceLog;
use rusqlite::{Connection, params};

use super::{
    check,
    directory::View,
    functions,
    ingest::damaged,
    open::{self, OpenError, Reader},
    schema,
    values::{self, Blocks, Source},
};
use crate::StoreError;

/// A store's file, open for reading only; the server that holds the folder goes on writing.
#[derive(Debug)]
pub struct StoreFile {
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
        Ok(Self { conn })
    }

    /// The next logs that arrived after one, at most so many. Each call is a read of its own, so that the write-ahead
    /// log does not grow while someone takes their time; a log that changes meanwhile is read once, before or after.
    pub fn logs(&self, after: u64, most: u32) -> Result<Vec<Exported>, StoreError> {
        self.read(|conn| {
            let blocks = Blocks::default();
            let sql = format!(
                "SELECT {}, project.uuid, project.name FROM {} CROSS JOIN project ON project.id = log.project
                 WHERE log.id > ?1 ORDER BY log.id LIMIT ?2",
                values::COLUMNS,
                values::SOURCES
            );
            let mut find = conn.prepare_cached(&sql)?;
            let mut rows = find.query(params![i64::try_from(after).unwrap_or(i64::MAX), most])?;
            let mut logs = Vec::new();
            while let Some(row) = rows.next()? {
                let value = Source::read(row)?.value(conn, &blocks)?;
                let mut log: TraceLog = serde_json::from_str(&value.json).map_err(damaged)?;
                log.project_uuid = row.get(values::WIDTH)?;
                log.project_name = row.get(values::WIDTH + 1)?;
                logs.push(Exported { arrival: value.id as u64, log });
            }
            Ok(logs)
        })
    }

    /// Looks at everything and says what is wrong, at most `most` faults; empty when all is well. Takes some
    /// seconds for each hundred thousand logs.
    pub fn check(&self, most: usize) -> Result<Vec<String>, StoreError> {
        self.read_linked(|conn| check::faults(conn, most))
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
