//! The shape of the file and its history.

use rusqlite::Connection;

use super::{directory, erase, pack, rollup, terms, versions};

/// Marks the file as ours (`PRAGMA application_id`): "PARE".
pub(super) const APPLICATION: i32 = 0x5041_5245;

/// From each version of the schema to the next. The file's version (`PRAGMA user_version`) is how many were applied;
/// one that was released never changes.
const MIGRATIONS: &[Migration] = &[
    Migration { sql: include_str!("schema_1.sql"), fill: None },
    Migration { sql: include_str!("schema_experiments.sql"), fill: None },
    Migration { sql: include_str!("schema_datasets.sql"), fill: None },
    Migration { sql: include_str!("schema_terms.sql"), fill: Some(terms::fill) },
    // What is there is packed in the background.
    Migration { sql: concat!(include_str!("schema_blocks.sql"), include_str!("schema_words.sql")), fill: None },
    Migration { sql: include_str!("schema_keys.sql"), fill: None },
    Migration { sql: include_str!("schema_erased.sql"), fill: None },
    Migration { sql: include_str!("schema_scopes.sql"), fill: None },
    Migration { sql: include_str!("schema_tombstones.sql"), fill: Some(erase::bury) },
    Migration { sql: include_str!("schema_versions.sql"), fill: Some(versions::fill) },
    Migration { sql: include_str!("schema_directory.sql"), fill: Some(directory::rebuild) },
    Migration { sql: include_str!("schema_tallies.sql"), fill: None },
    Migration { sql: include_str!("schema_late.sql"), fill: None },
    Migration { sql: include_str!("schema_previews.sql"), fill: Some(previews_and_messages) },
    Migration { sql: include_str!("schema_reports.sql"), fill: None },
];

/// Lists show errors and what models were asked, and messages to them are searched.
fn previews_and_messages(conn: &Connection) -> rusqlite::Result<()> {
    rollup::fill(conn)?;
    pack::fill(conn)
}

/// One step.
struct Migration {
    sql: &'static str,
    /// What SQL alone cannot derive from what was there.
    fill: Option<fn(&Connection) -> rusqlite::Result<()>>,
}

/// The version that this build writes.
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;

/// The file's version, 0 for an empty one.
pub(super) fn version(conn: &Connection) -> rusqlite::Result<i64> {
    conn.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Brings the file from `version` to [`VERSION`], each step whole or not at all.
pub(super) fn migrate(conn: &mut Connection, version: i64) -> rusqlite::Result<()> {
    for (step, migration) in MIGRATIONS.iter().enumerate().skip(usize::try_from(version).unwrap_or_default()) {
        let tx = conn.transaction()?;
        tx.execute_batch(migration.sql)?;
        if let Some(fill) = migration.fill {
            fill(&tx)?;
        }
        tx.pragma_update(None, "application_id", APPLICATION)?;
        tx.pragma_update(None, "user_version", step as i64 + 1)?;
        tx.commit()?;
    }
    Ok(())
}
