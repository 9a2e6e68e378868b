//! From a folder to connections.

use std::{
    fs::{File, TryLockError},
    io,
    ops::{Deref, DerefMut},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{directory::Slot, functions, salvage, schema};
use crate::private;

/// The database in a store's folder.
pub(super) const FILE: &str = "parea.db";
const LOCK: &str = "parea.lock";

/// How long a connection waits for another that holds the file.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Why a folder could not be opened as a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The folder could not be made or read.
    #[error("cannot use the folder {}: {source}", path.display())]
    Folder {
        /// The folder, or the file in it that failed.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No store was ever in the folder.
    #[error("there is no parea database at {}; name the folder of the server with `--data`", path.display())]
    Missing {
        /// Where it would be.
        path: PathBuf,
    },
    /// Another store holds the folder, most likely another server.
    #[error(
        "the folder {} is in use by another parea process; stop that one or choose another folder for the data",
        path.display()
    )]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The file was written by a later version.
    #[error(
        "{} has schema version {found}, this parea knows versions up to {known}; use the newer parea that wrote it",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// The file is no SQLite database, or that of another program.
    #[error("{} is not a parea database; move it away or choose another folder for the data", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// The file can be read only.
    #[error("{} cannot be written; check its permissions and those of its folder", path.display())]
    NotWritable {
        /// The file.
        path: PathBuf,
    },
    /// The file is damaged beyond what follows from its logs.
    #[error(
        "{} is damaged ({reason}): restore a backup into an empty folder, or save what can still be read with `parea \
         doctor --salvage`",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the engine said.
        reason: String,
    },
    /// The engine refused for another reason.
    #[error("cannot open {}: {reason}", path.display())]
    Engine {
        /// The file.
        path: PathBuf,
        /// What it said.
        reason: String,
    },
}

/// A folder that is ours until this is dropped.
#[derive(Debug)]
pub(super) struct Folder {
    /// The database in it.
    pub(super) file: PathBuf,
    _lock: File,
}

/// The database of a folder that has one.
pub(super) fn existing(dir: &Path) -> Result<PathBuf, OpenError> {
    let path = dir.join(FILE);
    match path.try_exists() {
        Ok(true) => Ok(path),
        Ok(false) => Err(OpenError::Missing { path }),
        Err(source) => Err(OpenError::Folder { path, source }),
    }
}

impl Folder {
    pub(super) fn lock(path: &Path) -> Result<Self, OpenError> {
        let fail = |path: &Path, source| OpenError::Folder { path: path.to_owned(), source };
        private::folder(path).map_err(|source| fail(path, source))?;
        let lock_path = path.join(LOCK);
        let lock = private::file(&lock_path).map_err(|source| fail(&lock_path, source))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { file: path.join(FILE), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(fail(&lock_path, source)),
        }
    }
}

/// The connection that writes, with the schema brought up to date.
pub(super) fn writer(path: &Path) -> Result<Connection, OpenError> {
    let fail = |error: rusqlite::Error| refusal(path, &error);
    let is_new = !path.exists();
    let mut conn = Connection::open(path).map_err(fail)?;
    if is_new {
        // SQLite lets everyone read it, empty as it is yet; the files beside it will get the permissions that it has.
        private::restrict(path).map_err(|source| OpenError::Folder { path: path.to_owned(), source })?;
    }
    if conn.is_readonly("main").map_err(fail)? {
        return Err(OpenError::NotWritable { path: path.to_owned() });
    }
    let version = schema::version(&conn).map_err(fail)?;
    if version > schema::VERSION {
        return Err(OpenError::Newer { path: path.to_owned(), found: version, known: schema::VERSION });
    }
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(fail)?;
    let owner: i32 = conn.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(fail)?;
    if (tables > 0 || version > 0) && owner != schema::APPLICATION {
        return Err(OpenError::NotADatabase { path: path.to_owned() });
    }
    // What does not fit into memory goes where the rest is, for the system's own place may be small, or not ours to write.
    if let Some(folder) = path.parent().and_then(Path::to_str).filter(|folder| !folder.is_empty()) {
        conn.pragma_update(None, "temp_store_directory", folder).map_err(fail)?;
    }
    prepare(&conn).map_err(fail)?;
    schema::migrate(&mut conn, version).map_err(fail)?;
    Ok(conn)
}

/// Sets up the connection; `docs/adr/006-how-sqlite-is-set-up.md` has all of it in one table.
fn prepare(conn: &Connection) -> rusqlite::Result<()> {
    // Only a tool in someone's hand can hold the file besides us: wait for it rather than fail.
    conn.busy_timeout(PATIENCE)?;
    // Both count only before the first table. Space that retention frees can be handed back piece by piece;
    // two or three typical logs share a page, and long ones need fewer pages in a chain.
    conn.pragma_update(None, "page_size", 8192)?;
    conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    // Readers never wait for the writer nor it for them.
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    // Acknowledged means on disk: the log is synced in each commit, not only at checkpoints.
    conn.pragma_update(None, "synchronous", "FULL")?;
    // Fewer, larger checkpoints than by default (4 MB): under load a page is copied back once, not many times.
    conn.pragma_update(None, "wal_autocheckpoint", 4096)?;
    // A burst leaves a large write-ahead log behind; after the next checkpoint it is cut down to this.
    conn.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    // Terms are written all over their index: keep its pages at hand (KiB, hence negative).
    conn.pragma_update(None, "cache_size", -48 * 1024)?;
    // Rows refer to projects only, which are never removed; checking would cost a look-up for each log.
    conn.pragma_update(None, "foreign_keys", false)?;
    functions::register(conn, &Slot::default())?;
    // No `mmap_size`: an error of the disk would then be a signal that ends the process instead of an error.
    conn.set_prepared_statement_cache_capacity(128);
    Ok(())
}

/// A connection that reads, and the view of the directory that its functions look into.
#[derive(Debug)]
pub(super) struct Reader {
    conn: Connection,
    pub(super) slot: Slot,
}

impl Deref for Reader {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.conn
    }
}

impl DerefMut for Reader {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.conn
    }
}

/// A connection that reads, beside any number of others. It has no view of the directory yet.
pub(super) fn reader(path: &Path) -> rusqlite::Result<Reader> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(Duration::from_secs(5))?;
    conn.pragma_update(None, "cache_size", -16 * 1024)?;
    let slot = Slot::default();
    functions::register(&conn, &slot)?;
    conn.set_prepared_statement_cache_capacity(64);
    Ok(Reader { conn, slot })
}

pub(super) fn refusal(path: &Path, error: &rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::NotADatabase { path },
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => OpenError::NotWritable { path },
        _ if salvage::is_damage(error) => OpenError::Damaged { path, reason: error.to_string() },
        _ => OpenError::Engine { path, reason: error.to_string() },
    }
}
