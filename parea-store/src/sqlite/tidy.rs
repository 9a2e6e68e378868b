//! What logs leave behind that went or changed: the words of their blocks in the index, and how they were spelled.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use rusqlite::{Connection, params};

use super::{
    SqliteStore,
    block::{Opened, Words},
    index,
    ingest::Ingest,
    pack::Spelled,
    values,
};
use crate::StoreError;

/// Rows of spelled words that are written in one transaction.
const ROWS: usize = 64;

impl SqliteStore {
    /// Takes words out of the index and from among the spelled that no log has any more. In small steps; reads the
    /// whole index beside the writer. Of words that share their place in the index with others, only `suspects` are looked
    /// for in the logs themselves.
    ///
    /// One after the other: of a word that stands in two rows of the spelled each keeps one, and what one of them reads
    /// another may have judged before the word came again.
    pub(super) async fn tidy(&self, suspects: HashSet<String>) -> Result<(), StoreError> {
        let _alone = self.shared.tidying.lock().await;
        for (slab, places) in self.read(stale).await? {
            self.order(move |ingest| index::forget(ingest.conn, slab, places).map(Ok)).await?;
        }
        // From here on each word that comes is spelled again, so that what is judged by what is there now may go.
        let last = self.order(|ingest| respell(ingest).map(Ok)).await?;
        let gone = self.read(move |conn| unused(conn, last, &suspects)).await?;
        let mut known = HashSet::new();
        let mut after = 0;
        loop {
            let from = after;
            let rows = self.read(move |conn| spelled(conn, from, last)).await?;
            let Some((end, _)) = rows.last() else { return Ok(()) };
            after = *end;
            let rows: Vec<(i64, String)> = rows
                .into_iter()
                .filter_map(|(id, words)| {
                    let own = |word: &&str| !gone.contains(*word) && known.insert(crate::tree::fnv(word));
                    let kept: Vec<&str> = words.split_ascii_whitespace().filter(own).collect();
                    let kept = if kept.is_empty() { String::new() } else { format!(" {} ", kept.join(" ")) };
                    (kept != words).then_some((id, kept))
                })
                .collect();
            if !rows.is_empty() {
                self.order(move |ingest| rewrite(ingest.conn, &rows).map(Ok)).await?;
            }
        }
    }
}

/// Places in the index that lead to a block in vain, as bits of each slab: the block is gone, or its words were noted
/// again since.
fn stale(conn: &Connection) -> rusqlite::Result<Vec<(i64, u64)>> {
    let mut newest: HashSet<i64> =
        conn.prepare("SELECT block FROM word_list")?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut exists = conn.prepare("SELECT 1 FROM block WHERE id = ?1")?;
    let mut slabs = conn.prepare("SELECT id, blocks FROM slab ORDER BY id DESC")?;
    let mut rows = slabs.query([])?;
    let mut stale = Vec::new();
    while let Some(row) = rows.next()? {
        let mut places = 0_u64;
        let mut own = Vec::new();
        for (place, block) in index::blocks_of(row.get_ref(1)?.as_blob()?) {
            if block == index::NONE {
                continue;
            }
            if newest.contains(&block) || !exists.exists([block])? {
                places |= 1 << place;
            } else {
                own.push(block);
            }
        }
        newest.extend(&own);
        if places != 0 || own.is_empty() {
            stale.push((row.get(0)?, places));
        }
    }
    Ok(stale)
}

/// Forgets which words were spelled, and answers the last row of them.
fn respell(ingest: &mut Ingest<'_>) -> rusqlite::Result<i64> {
    // What others in this transaction have spelled.
    ingest.memory.spelled.write(ingest.conn)?;
    ingest.memory.spelled = Spelled::default();
    ingest.conn.query_row("SELECT coalesce(max(id), 0) FROM spelling", [], |row| row.get(0))
}

/// Spelled words up to a row that stand in no block. The index tells most; suspects that fall on one place in it with
/// others are looked for in the blocks that it names.
fn unused(conn: &Connection, last: i64, suspects: &HashSet<String>) -> rusqlite::Result<HashSet<String>> {
    let blocks = index::leading(conn)?;
    let at: HashSet<u32> = suspects.iter().map(|word| index::hash(word)).collect();
    let mut unsure: HashMap<u32, BTreeSet<String>> = HashMap::new();
    let mut gone = HashSet::new();
    let mut read = conn.prepare("SELECT words FROM spelling WHERE id <= ?1")?;
    let mut rows = read.query([last])?;
    while let Some(row) = rows.next()? {
        for word in row.get_ref(0)?.as_str()?.split_ascii_whitespace() {
            let hash = index::hash(word);
            if !blocks.contains(hash) {
                gone.insert(word.to_owned());
            } else if at.contains(&hash) {
                unsure.entry(hash).or_default().insert(word.to_owned());
            }
        }
    }
    // A word that is alone at its place is the one that is there: all words that are used were spelled.
    unsure.retain(|_, words| words.len() > 1);
    for words in unsure.values_mut() {
        words.retain(|word| suspects.contains(word));
    }
    let mut by_block: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
    for hash in unsure.keys() {
        for block in index::blocks(conn, &[BTreeSet::from([*hash])])? {
            by_block.entry(block).or_default().push(*hash);
        }
    }
    for (block, hashes) in by_block.into_iter().rev() {
        if hashes.iter().all(|hash| unsure.get(hash).is_none_or(BTreeSet::is_empty)) {
            continue;
        }
        let there = words_of(conn, block)?;
        for hash in hashes {
            if let Some(words) = unsure.get_mut(&hash) {
                words.retain(|word| !there.contains(word));
            }
        }
    }
    gone.extend(unsure.into_values().flatten());
    Ok(gone)
}

fn words_of(conn: &Connection, block: i64) -> rusqlite::Result<HashSet<String>> {
    let mut find = conn.prepare_cached("SELECT first, data FROM block WHERE id = ?1")?;
    let mut rows = find.query([block])?;
    let Some(row) = rows.next()? else { return Ok(HashSet::new()) };
    let opened = Opened::read(row.get(0)?, row.get_ref(1)?.as_blob()?).map_err(values::damaged)?;
    let pieces = opened.values().map(|(_, _, json)| values::pieces(json)).collect::<Result<Vec<_>, _>>()?;
    Ok(Words::of(pieces.iter()).text.split(' ').map(ToOwned::to_owned).collect())
}

fn spelled(conn: &Connection, after: i64, last: i64) -> rusqlite::Result<Vec<(i64, String)>> {
    conn.prepare("SELECT id, words FROM spelling WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3")?
        .query_map(params![after, last, ROWS], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

fn rewrite(conn: &Connection, rows: &[(i64, String)]) -> rusqlite::Result<()> {
    for (id, words) in rows {
        if words.is_empty() {
            conn.prepare_cached("DELETE FROM spelling WHERE id = ?1")?.execute([id])?;
        } else {
            conn.prepare_cached("UPDATE spelling SET words = ?2 WHERE id = ?1")?.execute(params![id, words])?;
        }
    }
    Ok(())
}
