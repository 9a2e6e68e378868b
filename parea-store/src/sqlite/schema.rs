//! The shape of the file and its history.

use rusqlite::Connection;

/// Marks the file as ours (`PRAGMA application_id`): "PARE".
pub(super) const APPLICATION: i32 = 0x5041_5245;

/// From each version of the schema to the next. The file's version (`PRAGMA user_version`) is how many were applied;
/// one that was released never changes.
const MIGRATIONS: &[&str] =
    &[include_str!("schema_1.sql"), include_str!("schema_experiments.sql"), include_str!("schema_datasets.sql")];

/// The version that this build writes.
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;

/// The file's version, 0 for an empty one.
pub(super) fn version(conn: &Connection) -> rusqlite::Result<i64> {
    conn.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Brings the file from `version` to [`VERSION`], each step whole or not at all.
pub(super) fn migrate(conn: &mut Connection, version: i64) -> rusqlite::Result<()> {
    for (step, sql) in MIGRATIONS.iter().enumerate().skip(usize::try_from(version).unwrap_or_default()) {
        let tx = conn.transaction()?;
        tx.execute_batch(sql)?;
        tx.pragma_update(None, "application_id", APPLICATION)?;
        tx.pragma_update(None, "user_version", step as i64 + 1)?;
        tx.commit()?;
    }
    Ok(())
}
