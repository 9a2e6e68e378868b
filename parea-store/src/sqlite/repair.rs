//! What follows from the logs, made anew from them.

use std::path::Path;

use parea_types::TraceLog;
use rusqlite::{Connection, TransactionBehavior};

use super::{
    SqliteStore,
    block::{Opened, Packed, Words},
    index,
    ingest::{Ingest, Memory, damaged},
    key::Key,
    open::{self, Folder, OpenError},
    pack::Spelled,
    terms::{Terms, Vocabulary},
    values::{self, Blocks, Source},
};

impl SqliteStore {
    /// Makes anew what follows from the logs of a folder that no server holds: the sums of traces, what logs are looked
    /// up by, the index of words. The logs themselves stay as they are. All of it or nothing; takes some seconds for
    /// each hundred thousand logs.
    pub fn repair(dir: &Path) -> Result<(), OpenError> {
        let folder = Folder::lock(dir)?;
        let mut conn = open::writer(&folder.file)?;
        rebuild(&mut conn).map_err(|error| open::refusal(&folder.file, &error))
    }
}

fn rebuild(conn: &mut Connection) -> rusqlite::Result<()> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute_batch("REINDEX")?;
    words(&tx)?;
    terms(&tx)?;
    let mut memory = Memory::default();
    let mut ingest = Ingest::new(&tx, &mut memory)?;
    for sql in ["SELECT project, root FROM trace", "SELECT DISTINCT project, root FROM log"] {
        let mut find = tx.prepare(sql)?;
        let mut rows = find.query([])?;
        while let Some(row) = rows.next()? {
            let Key(root) = row.get(1)?;
            ingest.rollups.recount(row.get(0)?, &root);
        }
    }
    ingest.finish()?;
    tx.commit()?;
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

/// The words of every block.
pub(super) fn words(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch("DELETE FROM word_list; DELETE FROM slab; DELETE FROM posting; DELETE FROM spelling")?;
    let mut spelled = Spelled::default();
    let mut read = conn.prepare("SELECT id, first, data FROM block ORDER BY id")?;
    let mut rows = read.query([])?;
    while let Some(row) = rows.next()? {
        let opened = Opened::read(row.get(1)?, row.get_ref(2)?.as_blob()?).map_err(values::damaged)?;
        let pieces = opened.values().map(|(_, _, json)| values::pieces(json)).collect::<Result<Vec<_>, _>>()?;
        let packed = Packed { data: Vec::new(), words: Words::of(pieces.iter()) };
        spelled.note(&packed);
        spelled.write(conn)?;
        index::add(conn, row.get(0)?, &packed.words.hashes)?;
        if index::waiting(conn)? >= index::SLAB as i64 {
            index::turn_over(conn)?;
        }
    }
    Ok(())
}

/// What logs are looked up by.
fn terms(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch("DELETE FROM term; DELETE FROM score; DELETE FROM word")?;
    let mut vocabulary = Vocabulary::default();
    let blocks = Blocks::default();
    let sql = format!("SELECT {}, project FROM {} ORDER BY log.id", values::COLUMNS, values::SOURCES);
    let mut read = conn.prepare(&sql)?;
    let mut rows = read.query([])?;
    while let Some(row) = rows.next()? {
        let project = row.get(4)?;
        let value = Source::read(row)?.value(conn, &blocks)?;
        let log: TraceLog = serde_json::from_str(&value.json).map_err(damaged)?;
        vocabulary.write(conn, project, value.id, &Terms::of(&log))?;
    }
    conn.execute("UPDATE history SET words = ?1", [vocabulary.count])?;
    Ok(())
}
