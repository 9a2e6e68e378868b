//! Reading a store's folder beside the server that holds it: logs as they are kept, a copy of the file, a check of it.

use std::{
    fs::{self, File},
    path::Path,
};

use parea_types::TraceLog;
use rusqlite::{Connection, params};

use super::{
    check, functions,
    ingest::damaged,
    open::{self, OpenError},
    schema,
    values::{self, Blocks, Source},
};
use crate::StoreError;

/// A store's file, open for reading only; the server that holds the folder goes on writing.
#[derive(Debug)]
pub struct StoreFile {
    conn: Connection,
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
        let path = dir.join(open::FILE);
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
                log.project_uuid = row.get(4)?;
                log.project_name = row.get(5)?;
                logs.push(Exported { arrival: value.id as u64, log });
            }
            Ok(logs)
        })
    }

    /// Copies the whole store, as it is now, into a file that does not exist yet and is named as the file in a store's
    /// folder is to be opened from there (`parea.db`). The copy is on disk when this returns. Until then the
    /// write-ahead log keeps what is written meanwhile.
    pub fn backup(&self, to: &Path) -> Result<(), StoreError> {
        let fail = |error: &dyn std::fmt::Display| StoreError::Engine(format!("{}: {error}", to.display()));
        let mut options = File::options();
        options.write(true).create_new(true);
        // For the owner's eyes only, as the folder is.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(to).map_err(|error| fail(&error))?;
        let copied = || -> Result<(), String> {
            let path = to.to_str().ok_or("the path is not UTF-8")?;
            self.conn.execute("VACUUM INTO ?1", [path]).map_err(|error| error.to_string())?;
            File::open(to).and_then(|file| file.sync_all()).map_err(|error| error.to_string())
        };
        copied().map_err(|error| {
            // Half a copy is none.
            let _ = fs::remove_file(to);
            fail(&error)
        })
    }

    /// Looks at everything and says what is wrong, at most `most` faults; empty when all is well. Takes a second or
    /// more for each hundred thousand logs.
    pub fn check(&self, most: usize) -> Result<Vec<String>, StoreError> {
        self.read(|conn| check::faults(conn, most))
    }

    fn read<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
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
