//! Which blocks have a word: an index by hash, of blocks rather than logs, so that it is small and quick to write.
//!
//! A block's words come as a sorted list of hashes. When [`SLAB`] such lists are there, they are turned over into a
//! slab: for each hash the blocks that have it, in [`PARTS`] rows by hash, of which a query reads one for each word and
//! slab. A hash of 24 bits takes one word in hundreds for another; every hit is looked at anyway. Nothing of the text
//! itself stands here.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use rusqlite::{Connection, OptionalExtension, params};

use super::{values, varint};

/// Blocks of a slab: their places are the bits of a `u64`.
pub(super) const SLAB: usize = 64;

/// Rows of a slab, of one to two kilobytes each with usual texts.
const PARTS: u32 = 128;

/// Bits of a hash.
const BITS: u32 = 24;

/// From here on the places of a word's blocks are written as 64 bits.
const MANY: u32 = 7;

/// The word's place in the index.
pub(super) fn hash(word: &str) -> u32 {
    of_whole(crate::tree::fnv(word))
}

/// The same by the word's whole hash (FNV-1a), of which the upper bits are the better ones.
pub(super) fn of_whole(hash: u64) -> u32 {
    (hash >> (64 - BITS)) as u32
}

fn part(hash: u32) -> u32 {
    hash / ((1 << BITS) / PARTS)
}

/// Notes the words of a block, in place of those that it had so far: a slab goes on to name those too, in vain.
pub(super) fn add(conn: &Connection, block: i64, hashes: &[u32]) -> rusqlite::Result<()> {
    let mut list = Vec::with_capacity(hashes.len() * 3);
    let mut before = 0;
    for hash in hashes {
        varint::push(&mut list, hash - before);
        before = *hash;
    }
    conn.prepare_cached("INSERT OR REPLACE INTO word_list (block, hashes) VALUES (?1, ?2)")?
        .execute(params![block, list])?;
    Ok(())
}

/// How many lists wait for a slab.
pub(super) fn waiting(conn: &Connection) -> rusqlite::Result<i64> {
    conn.query_row("SELECT count(*) FROM word_list", [], |row| row.get(0))
}

/// Turns lists over into a slab.
pub(super) fn turn_over(conn: &Connection) -> rusqlite::Result<()> {
    let lists: Vec<(i64, Vec<u8>)> = conn
        .prepare_cached(
            "DELETE FROM word_list WHERE block IN (SELECT block FROM word_list ORDER BY block LIMIT ?1)
             RETURNING block, hashes",
        )?
        .query_map([SLAB], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut pairs: Vec<u32> = Vec::new();
    let mut blocks = Vec::with_capacity(lists.len() * 8);
    for (place, (block, list)) in (0_u32..).zip(&lists) {
        blocks.extend_from_slice(&block.to_le_bytes());
        // 24 bits of hash and 6 of place.
        pairs.extend(Hashes::of(list).map(|hash| hash << 6 | place));
    }
    pairs.sort_unstable();
    let slab: i64 = conn
        .prepare_cached("INSERT INTO slab (blocks) VALUES (?1) RETURNING id")?
        .query_row([blocks], |row| row.get(0))?;
    let mut insert = conn.prepare_cached("INSERT INTO posting (id, data) VALUES (?1, ?2)")?;
    let mut rest = pairs.as_slice();
    for number in 0..PARTS {
        let end = rest.partition_point(|pair| part(pair >> 6) <= number);
        let (own, others) = rest.split_at(end);
        rest = others;
        if !own.is_empty() {
            insert.execute(params![slab * i64::from(PARTS) + i64::from(number), postings(own)])?;
        }
    }
    Ok(())
}

/// What stands in a slab for a block that it no longer leads to.
pub(super) const NONE: i64 = -1;

/// The blocks of a slab, by their places.
pub(super) fn blocks_of(ids: &[u8]) -> impl Iterator<Item = (usize, i64)> {
    ids.chunks_exact(8).map(|id| i64::from_le_bytes(id.try_into().unwrap_or_default())).enumerate()
}

/// Takes some places out of a slab, with the words that led there; without any left the slab goes.
pub(super) fn forget(conn: &Connection, slab: i64, places: u64) -> rusqlite::Result<()> {
    let blocks: Option<Vec<u8>> =
        conn.prepare_cached("SELECT blocks FROM slab WHERE id = ?1")?.query_row([slab], |row| row.get(0)).optional()?;
    let Some(mut blocks) = blocks else { return Ok(()) };
    for (place, id) in blocks.chunks_exact_mut(8).enumerate() {
        if places >> place & 1 == 1 {
            id.copy_from_slice(&NONE.to_le_bytes());
        }
    }
    let rows = slab * i64::from(PARTS)..(slab + 1) * i64::from(PARTS);
    if blocks_of(&blocks).all(|(_, block)| block == NONE) {
        conn.prepare_cached("DELETE FROM posting WHERE id >= ?1 AND id < ?2")?.execute([rows.start, rows.end])?;
        conn.prepare_cached("DELETE FROM slab WHERE id = ?1")?.execute([slab])?;
        return Ok(());
    }
    conn.prepare_cached("UPDATE slab SET blocks = ?2 WHERE id = ?1")?.execute(params![slab, blocks])?;
    let parts: Vec<(i64, Vec<u8>)> = conn
        .prepare_cached("SELECT id, data FROM posting WHERE id >= ?1 AND id < ?2")?
        .query_map([rows.start, rows.end], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (id, data) in parts {
        let mut pairs = Vec::new();
        for posting in Postings::of(&data) {
            let (hash, bits) = posting.ok_or_else(|| damaged("the index of words is damaged"))?;
            let kept = bits & !places;
            pairs.extend((0..64).filter(|place| kept >> place & 1 == 1).map(|place| hash << 6 | place));
        }
        let kept = postings(&pairs);
        if kept.is_empty() {
            conn.prepare_cached("DELETE FROM posting WHERE id = ?1")?.execute([id])?;
        } else if kept != data {
            conn.prepare_cached("UPDATE posting SET data = ?2 WHERE id = ?1")?.execute(params![id, kept])?;
        }
    }
    Ok(())
}

/// Which hashes lead anywhere.
pub(super) struct Leading(Vec<u64>);

impl Leading {
    pub(super) fn contains(&self, hash: u32) -> bool {
        self.0[(hash >> 6) as usize] >> (hash & 63) & 1 == 1
    }

    fn insert(&mut self, hash: u32) {
        if let Some(bits) = self.0.get_mut((hash >> 6) as usize) {
            *bits |= 1 << (hash & 63);
        }
    }
}

/// All hashes that lead to a block.
pub(super) fn leading(conn: &Connection) -> rusqlite::Result<Leading> {
    let mut leading = Leading(vec![0; 1 << (BITS - 6)]);
    let mut lists = conn.prepare("SELECT hashes FROM word_list")?;
    let mut rows = lists.query([])?;
    while let Some(row) = rows.next()? {
        Hashes::of(row.get_ref(0)?.as_blob()?).for_each(|hash| leading.insert(hash));
    }
    let mut parts = conn.prepare("SELECT data FROM posting")?;
    let mut rows = parts.query([])?;
    while let Some(row) = rows.next()? {
        for posting in Postings::of(row.get_ref(0)?.as_blob()?) {
            let (hash, _) = posting.ok_or_else(|| damaged("the index of words is damaged"))?;
            leading.insert(hash);
        }
    }
    Ok(leading)
}

/// The hashes of a part with their places; `None` where it is damaged, and then no more.
struct Postings<'a> {
    data: &'a [u8],
    hash: u32,
}

impl<'a> Postings<'a> {
    fn of(data: &'a [u8]) -> Self {
        Self { data, hash: 0 }
    }

    fn read(&mut self) -> Option<(u32, u64)> {
        self.hash += varint::take::<u32>(&mut self.data)?;
        let (&form, rest) = self.data.split_first()?;
        let (length, bits) = match form {
            0..64 => (0, 1 << form),
            64 => (8, u64::from_le_bytes(rest.get(..8)?.try_into().ok()?)),
            _ => {
                let length = usize::from(form - 64);
                (length, rest.get(..length)?.iter().fold(0, |bits, place| bits | 1 << (place & 63)))
            }
        };
        self.data = rest.get(length..)?;
        Some((self.hash, bits))
    }
}

impl Iterator for Postings<'_> {
    type Item = Option<(u32, u64)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.data.is_empty() {
            return None;
        }
        let read = self.read();
        if read.is_none() {
            self.data = &[];
        }
        Some(read)
    }
}

/// The pairs of one part: each hash as its distance to the one before, then the places.
fn postings(pairs: &[u32]) -> Vec<u8> {
    let mut data = Vec::with_capacity(pairs.len());
    let mut before = 0;
    for same in pairs.chunk_by(|a, b| a >> 6 == b >> 6) {
        let hash = same[0] >> 6;
        varint::push(&mut data, hash - before);
        before = hash;
        let places = same.iter().map(|pair| (pair & 63) as u8);
        match same.len() as u32 {
            // A byte below 64 is a single place.
            1 => data.extend(places),
            count if count <= MANY => {
                data.push(64 + count as u8);
                data.extend(places);
            }
            _ => {
                data.push(64);
                let bits = places.fold(0_u64, |bits, place| bits | 1 << place);
                data.extend_from_slice(&bits.to_le_bytes());
            }
        }
    }
    data
}

/// The places of a hash among the blocks of its slab.
fn places(data: &[u8], wanted: u32) -> Option<u64> {
    for posting in Postings::of(data) {
        let (hash, bits) = posting?;
        if hash >= wanted {
            return Some(if hash == wanted { bits } else { 0 });
        }
    }
    Some(0)
}

/// Words of which a block must have one.
pub(super) type Any = BTreeSet<u32>;

/// The blocks that have one of each, the newest last. Some may have gone meanwhile.
pub(super) fn blocks(conn: &Connection, all: &[Any]) -> rusqlite::Result<Vec<i64>> {
    let mut found = BTreeSet::new();
    let mut lists = conn.prepare_cached("SELECT block, hashes FROM word_list")?;
    let mut rows = lists.query([])?;
    while let Some(row) = rows.next()? {
        let mut missing: Vec<&Any> = all.iter().collect();
        for hash in Hashes::of(row.get_ref(1)?.as_blob()?) {
            missing.retain(|any| !any.contains(&hash));
        }
        if missing.is_empty() {
            found.insert(row.get(0)?);
        }
    }
    let mut slabs = conn.prepare_cached("SELECT id, blocks FROM slab")?;
    let mut read = conn.prepare_cached("SELECT data FROM posting WHERE id = ?1")?;
    let mut rows = slabs.query([])?;
    while let Some(row) = rows.next()? {
        let slab: i64 = row.get(0)?;
        let mut bits = u64::MAX;
        for any in all {
            let mut one = 0;
            for hash in any {
                let id = slab * i64::from(PARTS) + i64::from(part(*hash));
                let places = read
                    .query_row([id], |row| {
                        places(row.get_ref(0)?.as_blob()?, *hash)
                            .ok_or_else(|| damaged("the index of words is damaged"))
                    })
                    .optional()?;
                one |= places.unwrap_or_default();
            }
            bits &= one;
            if bits == 0 {
                break;
            }
        }
        for (place, block) in blocks_of(row.get_ref(1)?.as_blob()?) {
            if bits >> place & 1 == 1 && block != NONE {
                found.insert(block);
            }
        }
    }
    Ok(found.into_iter().collect())
}

/// Slabs of which a check keeps what it read: blocks are in order in nearly all of them.
const READ: usize = 8;

/// Which words lead to blocks, for who asks of one block after the other: a slab is read once for all of its blocks.
#[derive(Debug)]
pub(super) struct Leads {
    /// The slabs that name a block, with its place in each.
    slabs: HashMap<i64, Vec<(i64, usize)>>,
    /// What stands in those that were read last, in the order of hashes.
    read: VecDeque<(i64, Vec<(u32, u64)>)>,
}

impl Leads {
    pub(super) fn new(conn: &Connection) -> rusqlite::Result<Self> {
        let mut slabs: HashMap<i64, Vec<(i64, usize)>> = HashMap::new();
        let mut find = conn.prepare("SELECT id, blocks FROM slab")?;
        let mut rows = find.query([])?;
        while let Some(row) = rows.next()? {
            let slab = row.get(0)?;
            for (place, block) in blocks_of(row.get_ref(1)?.as_blob()?) {
                slabs.entry(block).or_default().push((slab, place));
            }
        }
        Ok(Self { slabs, read: VecDeque::new() })
    }

    /// How many of these words do not lead to a block.
    pub(super) fn missing(&mut self, conn: &Connection, block: i64, hashes: &[u32]) -> rusqlite::Result<usize> {
        let list: Option<Vec<u8>> = conn
            .prepare_cached("SELECT hashes FROM word_list WHERE block = ?1")?
            .query_row([block], |row| row.get(0))
            .optional()?;
        let listed: HashSet<u32> = list.iter().flat_map(|list| Hashes::of(list)).collect();
        let mut missing: Vec<u32> = hashes.iter().copied().filter(|hash| !listed.contains(hash)).collect();
        for (slab, place) in self.slabs.get(&block).cloned().unwrap_or_default() {
            let words = self.words(conn, slab)?;
            missing.retain(|hash| {
                let found = words.binary_search_by_key(hash, |(hash, _)| *hash);
                found.is_err() || found.is_ok_and(|at| words[at].1 >> place & 1 == 0)
            });
        }
        Ok(missing.len())
    }

    /// All hashes of a slab with their places; those of a part that is damaged as far as it can be read.
    fn words(&mut self, conn: &Connection, slab: i64) -> rusqlite::Result<&[(u32, u64)]> {
        if let Some(at) = self.read.iter().position(|(read, _)| *read == slab) {
            self.read.swap(at, 0);
        } else {
            let mut words = Vec::new();
            let mut parts = conn.prepare_cached("SELECT data FROM posting WHERE id >= ?1 AND id < ?2 ORDER BY id")?;
            let mut rows = parts.query([slab * i64::from(PARTS), (slab + 1) * i64::from(PARTS)])?;
            while let Some(row) = rows.next()? {
                words.extend(Postings::of(row.get_ref(0)?.as_blob()?).flatten());
            }
            // A damaged part may hold anything.
            words.sort_unstable();
            self.read.truncate(READ - 1);
            self.read.push_front((slab, words));
        }
        Ok(self.read.front().map_or(&[], |(_, words)| words))
    }
}

fn damaged(text: &str) -> rusqlite::Error {
    values::damaged(std::io::Error::other(text.to_owned()))
}

/// The hashes of a list.
struct Hashes<'a> {
    list: &'a [u8],
    before: u32,
}

impl<'a> Hashes<'a> {
    fn of(list: &'a [u8]) -> Self {
        Self { list, before: 0 }
    }
}

impl Iterator for Hashes<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        self.before += varint::take::<u32>(&mut self.list)?;
        Some(self.before)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::{collection::btree_set, prelude::*};

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn blocks_are_found_by_their_words(
            lists in prop::collection::vec(btree_set(prop_oneof![0..40_u32, 0..1_u32 << BITS], 0..60), 1..150),
            asked in prop::collection::vec(btree_set(0..60_u32, 1..4), 1..4),
            slabs in 0..3_usize,
        ) {
            let conn = Connection::open_in_memory().unwrap();
            conn.execute_batch(include_str!("schema_words.sql")).unwrap();
            let lists: BTreeMap<i64, Any> = (0..).map(|number| number * 256).zip(lists).collect();
            for (block, list) in &lists {
                add(&conn, *block, &list.iter().copied().collect::<Vec<_>>()).unwrap();
            }
            for _ in 0..slabs {
                turn_over(&conn).unwrap();
            }
            prop_assert_eq!(waiting(&conn).unwrap(), lists.len().saturating_sub(slabs * SLAB) as i64);
            let has = |list: &Any| asked.iter().all(|any| !any.is_disjoint(list));
            let expected: Vec<i64> = lists.iter().filter(|(_, list)| has(list)).map(|(block, _)| *block).collect();
            prop_assert_eq!(blocks(&conn, &asked).unwrap(), expected);
            let mut leads = Leads::new(&conn).unwrap();
            let words: Vec<u32> = (0..60).collect();
            for (block, list) in &lists {
                let missing = words.iter().filter(|word| !list.contains(word)).count();
                prop_assert_eq!(leads.missing(&conn, *block, &words).unwrap(), missing);
            }
        }
    }
}
