//! Values that came singly, or changed, into blocks: a little with each transaction, the rest when nothing else waits.

use memchr::memmem;
use rusqlite::{Connection, params};

use super::{
    block::{FULL, LEAST, LONGEST, Opened, SIZE, Value, Words},
    index,
    ingest::Ingest,
    values,
};
use crate::text::Pieces;

/// Values that stay unpacked, for a while: updates, scores and feedback mostly come for the newest logs. A search reads
/// them all.
pub(super) const FRESH: i64 = 512;

/// Changed values that wait for more of their blocks.
pub(super) const CHANGED: i64 = 1024;

/// Logs of which something was said since they were packed, before their blocks are written anew for it. They are read as
/// quickly as others but for 50 microseconds each, and take some 200 bytes; a block takes a millisecond for, often, one of
/// them.
const LATE: i64 = if cfg!(test) { 8 } else { 1 << 17 };

/// Blocks written in one transaction. Each takes two to four milliseconds, and callers wait for the writer.
const BLOCKS: usize = 3;

/// Values among which those of a block are chosen: logs that come singly come mixed with those of other traces.
const POOL: usize = FRESH as usize + BLOCKS * SIZE;

/// Places for words that are remembered to have been spelled: 2 MB.
const KNOWN: usize = 1 << 19;

/// How many values wait for a block.
#[derive(Debug, Default)]
pub(super) struct Loose {
    /// That were never in one.
    pub(super) fresh: i64,
    /// That changed since.
    pub(super) changed: i64,
    /// Of which something was said since, beside them.
    pub(super) late: i64,
    /// Lists of words that wait to be turned over.
    pub(super) lists: i64,
    /// One of them cannot be read, so nothing is packed until the next start. A search reads them all the same.
    pub(super) is_stuck: bool,
}

impl Loose {
    pub(super) fn count(conn: &Connection) -> rusqlite::Result<Self> {
        let count = |condition: &str| {
            conn.query_row(&format!("SELECT count(*) FROM doc WHERE {condition}"), [], |row| row.get(0))
        };
        Ok(Self {
            fresh: count("block IS NULL")?,
            changed: count("block > 0")?,
            late: conn.query_row("SELECT count(*) FROM late", [], |row| row.get(0))?,
            lists: index::waiting(conn)?,
            is_stuck: false,
        })
    }

    /// Whether it is time to pack.
    pub(super) fn is_due(&self) -> bool {
        let is_full = self.fresh >= FRESH + (BLOCKS * SIZE) as i64 || self.changed > CHANGED || self.late > LATE;
        !self.is_stuck && (is_full || self.lists >= index::SLAB as i64)
    }
}

/// Which words were spelled: for each of [`KNOWN`] places the last word that fell there, by its hash. A word that gave
/// way to another is spelled again, which costs a search little.
#[derive(Debug, Default)]
pub(super) struct Spelled {
    known: Vec<u32>,
    /// New ones, with spaces around each.
    text: String,
}

impl Spelled {
    pub(super) fn note(&mut self, words: &Words) {
        self.known.resize(KNOWN, 0);
        for (word, hash) in words.text.split(' ').zip(&words.whole) {
            let place = &mut self.known[*hash as usize % KNOWN];
            let tag = (hash >> 32) as u32;
            if *place != tag {
                *place = tag;
                self.text.push(' ');
                self.text.push_str(word);
            }
        }
    }

    pub(super) fn write(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        if self.text.is_empty() {
            return Ok(());
        }
        self.text.push(' ');
        conn.prepare_cached("INSERT INTO spelling (words) VALUES (?1)")?.execute([&self.text])?;
        self.text.clear();
        Ok(())
    }
}

/// Makes the blocks of an older file known by the words of messages.
pub(super) fn fill(conn: &Connection) -> rusqlite::Result<()> {
    let messages = memmem::Finder::new(br#""messages":["#);
    note_words(conn, |block| block.values().any(|(.., json)| messages.find(json.as_bytes()).is_some()))
}

/// Notes the words of all blocks that are wanted, but for what is damaged, which the doctor tells.
pub(super) fn note_words(conn: &Connection, wanted: impl Fn(&Opened) -> bool) -> rusqlite::Result<()> {
    let mut spelled = Spelled::default();
    let mut read = conn.prepare("SELECT id, first, data FROM block ORDER BY id")?;
    let mut rows = read.query([])?;
    while let Some(row) = rows.next()? {
        let Ok(opened) = Opened::read(row.get(1)?, row.get_ref(2)?.as_blob()?) else { continue };
        if !wanted(&opened) {
            continue;
        }
        let pieces: Vec<Pieces> = opened.values().filter_map(|(.., json)| values::pieces(json).ok()).collect();
        let words = Words::of(pieces.iter());
        spelled.note(&words);
        spelled.write(conn)?;
        index::add(conn, row.get(0)?, &words.hashes)?;
        if index::waiting(conn)? >= index::SLAB as i64 {
            index::turn_over(conn)?;
        }
    }
    Ok(())
}

impl Ingest<'_> {
    /// Whether there is something that can be done in the background.
    pub(super) fn is_due(&self) -> bool {
        self.memory.loose.is_due() || self.memory.directory.is_due(self.memory.arrivals)
    }

    /// Packs some of what waits, if it is enough.
    pub(super) fn pack(&mut self) -> rusqlite::Result<()> {
        if self.memory.directory.is_due(self.memory.arrivals) {
            self.memory.directory.grow(self.conn, self.memory.arrivals)?;
        }
        if !self.memory.loose.is_due() {
            return Ok(());
        }
        self.conn.execute_batch("SAVEPOINT pack")?;
        match self.pack_some() {
            // What is damaged concerns none of the jobs in this transaction.
            Err(rusqlite::Error::FromSqlConversionFailure(..)) => {
                self.memory.loose = Loose { is_stuck: true, ..Loose::default() };
                self.conn.execute_batch("ROLLBACK TO pack; RELEASE pack")
            }
            Err(error) => Err(error),
            Ok(()) => self.conn.execute_batch("RELEASE pack"),
        }
    }

    fn pack_some(&mut self) -> rusqlite::Result<()> {
        if self.memory.loose.lists >= index::SLAB as i64 {
            self.memory.loose.lists = index::waiting(self.conn)?;
            if self.memory.loose.lists >= index::SLAB as i64 {
                index::turn_over(self.conn)?;
                self.memory.loose.lists -= index::SLAB as i64;
            }
            return Ok(());
        }
        let mut pool = Vec::new();
        for _ in 0..BLOCKS {
            if self.memory.loose.fresh >= FRESH + SIZE as i64 {
                if pool.is_empty() {
                    pool = self.pool()?;
                }
                self.pack_fresh(&mut pool)?;
            } else if self.memory.loose.changed > CHANGED {
                self.pack_changed()?;
            } else if self.memory.loose.late > LATE {
                self.pack_late()?;
            }
        }
        Ok(())
    }

    /// Values that are in no block, as far as one block chooses among them, the oldest first.
    fn pool(&self) -> rusqlite::Result<Vec<Loner>> {
        self.conn
            .prepare_cached(
                "SELECT doc.id, root, octet_length(json) FROM doc CROSS JOIN log ON log.id = doc.id
                 WHERE doc.block IS NULL ORDER BY doc.id LIMIT ?1",
            )?
            .query_map([POOL], |row| {
                let root = row.get_ref(1)?.as_bytes()?.to_vec();
                Ok(Loner { id: row.get(0)?, root, length: row.get(2)? })
            })?
            .collect()
    }

    /// The oldest of the pool, with those of its trace, and so on: they have most in common.
    fn pack_fresh(&mut self, pool: &mut Vec<Loner>) -> rusqlite::Result<()> {
        let ids = choose(pool);
        let size: usize = ids.iter().map(|(_, length)| length).sum();
        let mut values: Vec<Value> = Vec::with_capacity(ids.len());
        {
            let mut read = self.conn.prepare_cached("SELECT id, stamps, json FROM doc WHERE id = ?1")?;
            for (id, _) in &ids {
                values.push(
                    read.query_row([id], |row| Ok(Value { id: row.get(0)?, stamps: row.get(1)?, json: row.get(2)? }))?,
                );
            }
        }
        let (Some(first), Some(last)) = (values.first(), values.last()) else {
            // Whatever was counted, there is none.
            self.memory.loose.fresh = 0;
            return Ok(());
        };
        self.memory.loose.fresh -= values.len() as i64;
        if size > LONGEST {
            self.conn.prepare_cached("UPDATE doc SET block = -1 WHERE id = ?1")?.execute([last.id])?;
            return Ok(());
        }
        let packed = values::pack(&values)?;
        let block = values::free_id(self.conn, last.id)?;
        self.memory.spelled.note(&packed.words);
        self.memory.loose.lists += 1;
        values::add(self.conn, block, first.id, &packed)?;
        for value in &values {
            self.conn.prepare_cached("UPDATE log SET block = ?2, plain = ?3 WHERE id = ?1")?.execute(params![
                value.id,
                block,
                value.stamps.is_none().then_some(1)
            ])?;
            self.conn.prepare_cached("DELETE FROM doc WHERE id = ?1")?.execute([value.id])?;
        }
        Ok(())
    }

    /// The block of one that changed, with all that changed in it.
    fn pack_changed(&mut self) -> rusqlite::Result<()> {
        let block: i64 = self
            .conn
            .prepare_cached("SELECT block FROM doc WHERE block > 0 ORDER BY block LIMIT 1")?
            .query_row([], |row| row.get(0))?;
        let before: i64 = self
            .conn
            .prepare_cached("SELECT count(*) FROM doc WHERE block = ?1 AND block > 0")?
            .query_row([block], |row| row.get(0))?;
        let late = self.late_of(block)?;
        let values = values::take_changes(self.conn, block)?;
        let packed = values::replace(self.conn, block, &values)?;
        values::mark(self.conn, &values)?;
        self.blocks.clear();
        if let Some(packed) = packed {
            self.memory.spelled.note(&packed.words);
            self.memory.loose.lists += 1;
        }
        self.memory.loose.changed -= before;
        self.memory.loose.late -= late;
        Ok(())
    }

    /// A block with what was said of its logs since it was written. No word changes by that.
    fn pack_late(&mut self) -> rusqlite::Result<()> {
        let Some(block) = self.block_of_late()? else {
            // Whatever was counted, there is none.
            self.memory.loose.late = 0;
            return Ok(());
        };
        let late = self.late_of(block)?;
        // Values that changed as a whole have changed their words too, and wait for more of their block.
        let values = values::take_late(self.conn, block)?;
        values::restate(self.conn, block, &values)?;
        values::mark(self.conn, &values)?;
        self.blocks.clear();
        self.memory.loose.late -= late;
        Ok(())
    }

    fn late_of(&self, block: i64) -> rusqlite::Result<i64> {
        self.conn.prepare_cached("SELECT count(*) FROM late WHERE block = ?1")?.query_row([block], |row| row.get(0))
    }
}

/// A value that is in no block.
#[derive(Debug)]
struct Loner {
    id: i64,
    /// As the file has it.
    root: Vec<u8>,
    length: usize,
}

/// Takes the ids and lengths of one block's values out of the pool.
fn choose(pool: &mut Vec<Loner>) -> Vec<(i64, usize)> {
    let mut chosen: Vec<(i64, usize)> = Vec::with_capacity(SIZE);
    let mut size = 0;
    while chosen.len() < SIZE
        && let Some(root) = pool.first().map(|first| first.root.clone())
    {
        let begun = chosen.len();
        pool.retain(|loner| {
            let fits = chosen.is_empty() || (size + loner.length <= FULL && loner.length <= LONGEST);
            let takes = loner.root == root && chosen.len() < SIZE && fits;
            if takes {
                chosen.push((loner.id, loner.length));
                size += loner.length;
            }
            !takes
        });
        if chosen.len() == begun {
            break;
        }
    }
    chosen.sort_unstable();
    chosen
}

/// Whether a batch of so many logs is packed as it comes.
pub(super) fn is_enough(logs: usize) -> bool {
    logs >= LEAST
}
