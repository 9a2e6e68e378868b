//! A damaged file written anew, from all of it that can be read.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rusqlite::{
    Connection, params_from_iter,
    types::{Value, ValueRef},
};

use super::{
    SqliteStore,
    open::{self, Folder, OpenError},
    repair,
    salvage::{self, Next},
    schema,
    values::{self, Blocks},
};

/// What follows from the rest and is made anew.
const DERIVED: &[&str] = &[
    "directory",
    "directory_late",
    "directory_run",
    "posting",
    "score",
    "slab",
    "spelling",
    "tally",
    "term",
    "trace",
    "word",
    "word_list",
];

/// Rows that are read together where nothing is damaged.
const STEP: usize = 500;

/// What became of a damaged file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recast {
    /// Where the damaged file lies now, whole.
    pub kept: PathBuf,
    /// What could not be read, in words.
    pub lost: Vec<String>,
}

impl SqliteStore {
    /// Writes all that can still be read of a folder's file into a new one, which takes its place, and makes anew what
    /// follows from it. The damaged file stays beside it under another name. Takes the room of both, and some seconds for
    /// each hundred thousand logs; no server may hold the folder.
    pub fn salvage(dir: &Path) -> Result<Recast, OpenError> {
        open::existing(dir)?;
        let folder = Folder::lock(dir)?;
        let fresh = folder.file.with_extension("db.new");
        remove(&fresh).map_err(|source| OpenError::Folder { path: fresh.clone(), source })?;
        let recast = recast(&folder.file, &fresh);
        if recast.is_err() {
            // The next attempt takes away what this leaves.
            let _ = remove(&fresh);
        }
        recast
    }
}

fn recast(file: &Path, fresh: &Path) -> Result<Recast, OpenError> {
    let fail = |error: rusqlite::Error| match open::refusal(file, &error) {
        OpenError::Damaged { path, reason } => {
            let reason = format!("{reason}; too little is left of it to save anything, so restore a backup");
            OpenError::Engine { path, reason }
        }
        other => other,
    };
    let failed = |source: io::Error| OpenError::Folder { path: file.to_owned(), source };
    let old = Connection::open(file).map_err(fail)?;
    old.busy_timeout(open::PATIENCE).map_err(fail)?;
    // A file that has lost its end is refused otherwise.
    old.pragma_update(None, "writable_schema", true).map_err(fail)?;
    let owner: i32 = old.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(fail)?;
    let found = schema::version(&old).map_err(fail)?;
    if owner != schema::APPLICATION {
        return Err(OpenError::NotADatabase { path: file.to_owned() });
    }
    if found != schema::VERSION {
        let reason =
            format!("it has schema version {found}, and only files of version {} can be saved", schema::VERSION);
        return Err(OpenError::Engine { path: file.to_owned(), reason });
    }
    // What was written last belongs to the file, and must not be found beside the new one.
    old.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(fail)?;
    let mut new = open::writer(fresh)?;
    let mut lost = Vec::new();
    fill(&old, &mut new, &mut lost).map_err(fail)?;
    drop(old);
    repair::rebuild(&mut new).map_err(fail)?;
    if drop_unreadable(&new, &mut lost).map_err(fail)? {
        repair::rebuild(&mut new).map_err(fail)?;
    }
    new.close().map_err(|(_, error)| fail(error))?;
    let kept = free_name(file);
    fs::hard_link(file, &kept).map_err(failed)?;
    for ending in ["-wal", "-shm"] {
        absent(fs::remove_file(beside(file, ending))).map_err(failed)?;
    }
    fs::rename(fresh, file).map_err(failed)?;
    if let Some(folder) = file.parent() {
        fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    }
    Ok(Recast { kept, lost })
}

/// Copies every table that does not follow from others.
fn fill(old: &Connection, new: &mut Connection, lost: &mut Vec<String>) -> rusqlite::Result<()> {
    let tx = new.transaction()?;
    let tables: Vec<String> = tx
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for table in tables.iter().filter(|table| !DERIVED.contains(&table.as_str())) {
        tx.execute(&format!("DELETE FROM {table}"), [])?;
        let key: Option<String> = tx
            .prepare(
                "SELECT min(name) FROM pragma_table_info(?1) WHERE pk > 0 GROUP BY 1 = 1
                 HAVING count(*) = 1 AND min(type) = 'INTEGER'",
            )?
            .query_map([table], |row| row.get(0))?
            .next()
            .transpose()?;
        match key {
            Some(key) => by_key(old, &tx, (table, &key), lost)?,
            None => from_both_ends(old, &tx, table, lost)?,
        }
    }
    // Rows of a dataset that is lost; none that all projects share.
    tx.execute(
        "INSERT INTO dataset (id, name, columns, created, updated, project)
         SELECT dataset, 'recovered-' || dataset, (SELECT json_group_array(key) FROM json_each(min(inputs))), 0, 0, 0
         FROM test_case WHERE dataset NOT IN (SELECT id FROM dataset) GROUP BY dataset",
        [],
    )?;
    tx.commit()
}

type Columns = Vec<Value>;

/// The rows that a statement finds, until it ends or fails.
fn rows(old: &Connection, sql: &str, after: Option<i64>, found: &mut Vec<Columns>) -> rusqlite::Result<()> {
    let mut read = old.prepare_cached(sql)?;
    let width = read.column_count();
    let mut rows = read.query(params_from_iter(after))?;
    while let Some(row) = rows.next()? {
        let columns = (0..width).map(|column| {
            Ok(match row.get_ref(column)? {
                // One character that is none costs a text no more than itself.
                ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
                other => other.try_into()?,
            })
        });
        found.push(columns.collect::<rusqlite::Result<_>>()?);
    }
    Ok(())
}

/// A row that contradicts others, which damage alone can bring about, is passed over.
fn write(new: &Connection, table: &str, columns: &Columns) -> rusqlite::Result<bool> {
    let places = vec!["?"; columns.len()].join(", ");
    let sql = format!("INSERT OR IGNORE INTO {table} VALUES ({places})");
    Ok(new.prepare_cached(&sql)?.execute(params_from_iter(columns))? > 0)
}

/// A table with a key that is an integer: around what cannot be reached.
fn by_key(
    old: &Connection,
    new: &Connection,
    (table, key): (&str, &str),
    lost: &mut Vec<String>,
) -> rusqlite::Result<()> {
    let many = format!("SELECT *, {key} FROM {table} NOT INDEXED WHERE {key} > ?1 ORDER BY {key} LIMIT {STEP}");
    let one = format!("SELECT *, {key} FROM {table} NOT INDEXED WHERE {key} = ?1");
    // Keys are counted from 0 or 1.
    let mut after = -1;
    loop {
        let mut found = Vec::new();
        match rows(old, &many, Some(after), &mut found) {
            Ok(()) if found.is_empty() => return Ok(()),
            Ok(()) if is_ascending(after, &found) => {}
            Ok(()) => found.clear(),
            Err(error) if salvage::is_damage(&error) => found.clear(),
            Err(error) => return Err(error),
        }
        let is_sound = !found.is_empty();
        for columns in found {
            after = put(new, table, columns, lost)?.unwrap_or(after);
        }
        if is_sound {
            continue;
        }
        for _ in 0..STEP {
            match salvage::next(old, table, key, after)? {
                Next::End => return Ok(()),
                Next::Gap(last) => {
                    lost.push(format!(
                        "rows of `{table}` behind {after}, up to {last} at most: the file is damaged there"
                    ));
                    after = last;
                }
                Next::Row(id) => {
                    let mut found = Vec::new();
                    match rows(old, &one, Some(id), &mut found) {
                        Ok(()) => {}
                        Err(error) if salvage::is_damage(&error) => {
                            lost.push(format!("row {id} of `{table}`: {error}"));
                            found.clear();
                        }
                        Err(error) => return Err(error),
                    }
                    for columns in found {
                        put(new, table, columns, lost)?;
                    }
                    after = id;
                }
            }
        }
    }
}

/// Whether each key, the last column, is behind the one before: those of a damaged tree need not be.
fn is_ascending(mut after: i64, found: &[Columns]) -> bool {
    found.iter().all(|columns| match columns.last() {
        Some(Value::Integer(id)) if *id > after => {
            after = *id;
            true
        }
        _ => false,
    })
}

/// Writes a row, behind whose columns its key stands, which is answered.
fn put(new: &Connection, table: &str, mut columns: Columns, lost: &mut Vec<String>) -> rusqlite::Result<Option<i64>> {
    let Some(Value::Integer(id)) = columns.pop() else { return Ok(None) };
    if !write(new, table, &columns)? {
        lost.push(format!("row {id} of `{table}`: it contradicts others"));
    }
    Ok(Some(id))
}

/// Any other table: as far as it can be read, then the same from its end.
fn from_both_ends(old: &Connection, new: &Connection, table: &str, lost: &mut Vec<String>) -> rusqlite::Result<()> {
    let key: Vec<String> = new
        .prepare("SELECT name || ' DESC' FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk")?
        .query_map([table], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let backwards = if key.is_empty() { "rowid DESC".to_owned() } else { key.join(", ") };
    for (way, sql) in
        [format!("SELECT * FROM {table}"), format!("SELECT * FROM {table} ORDER BY {backwards}")].iter().enumerate()
    {
        let mut found = Vec::new();
        let read = rows(old, sql, None, &mut found);
        for columns in &found {
            write(new, table, columns)?;
        }
        match read {
            Ok(()) => return Ok(()),
            Err(error) if !salvage::is_damage(&error) => return Err(error),
            Err(error) if way == 1 => lost.push(format!("rows of `{table}`: {error}")),
            Err(_) => {}
        }
    }
    Ok(())
}

/// Lets go of logs without a value that can be read: each list that comes upon one would fail. Answers whether anything
/// went.
fn drop_unreadable(new: &Connection, lost: &mut Vec<String>) -> rusqlite::Result<bool> {
    let blocks = Blocks::default();
    let unreadable = |condition: &str| -> rusqlite::Result<Vec<i64>> {
        let mut read =
            new.prepare(&format!("SELECT {} FROM {} WHERE {condition}", values::COLUMNS, values::SOURCES))?;
        let mut rows = read.query([])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            if repair::readable(new, row, &blocks)?.is_none() {
                found.push(row.get(0)?);
            }
        }
        Ok(found)
    };
    // What was said later is the lesser loss.
    let said = unreadable("late.log IS NOT NULL")?;
    for id in &said {
        new.prepare_cached("DELETE FROM late WHERE log = ?1")?.execute([id])?;
        lost.push(format!("scores and verdicts that came later to log {id}"));
    }
    let gone = unreadable("true")?;
    for id in &gone {
        for table in ["log", "doc"] {
            new.prepare_cached(&format!("DELETE FROM {table} WHERE id = ?1"))?.execute([id])?;
        }
    }
    // Those that cannot be read: every other one still has its logs.
    let emptied =
        new.execute("DELETE FROM block WHERE id NOT IN (SELECT block FROM log WHERE block IS NOT NULL)", [])?;
    if !gone.is_empty() {
        lost.push(format!("{} logs, whose values cannot be read any more", gone.len()));
    }
    Ok(!said.is_empty() || !gone.is_empty() || emptied > 0)
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// `parea.db.damaged`, `parea.db.damaged-2`, …
fn free_name(file: &Path) -> PathBuf {
    let first = beside(file, ".damaged");
    let others = (2..).map(|number| beside(file, &format!(".damaged-{number}")));
    std::iter::once(first).chain(others).find(|name| !name.exists()).unwrap_or_else(|| file.to_owned())
}

fn remove(fresh: &Path) -> io::Result<()> {
    ["", "-wal", "-shm"].iter().try_for_each(|ending| absent(fs::remove_file(beside(fresh, ending))))
}

/// What is not there need not be removed.
fn absent(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
