//! Entries that were written together, in pages by place.

use rusqlite::{Connection, OptionalExtension, params};

use super::page::{self, Entry};

/// Bits of a place.
pub(super) const BITS: u32 = 48;

/// Entries of a page, about. It is read as a whole.
const PAGE: u64 = if cfg!(test) { 4 } else { 256 };

/// Bits of a page's number within its run.
const NUMBER: u32 = 24;

/// How a run stands.
pub(super) const BUILDING: i64 = 0;
pub(super) const LIVE: i64 = 1;
/// Its pages are being removed.
pub(super) const DEAD: i64 = 2;

/// A run.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) id: i64,
    /// How often its entries were merged.
    pub(super) level: i64,
    /// Bits of a place that tell the page.
    pub(super) bits: u32,
    pub(super) entries: i64,
    pub(super) filter: Filter,
}

impl Run {
    /// How many bits tell the pages of so many entries.
    pub(super) fn bits_for(entries: u64) -> u32 {
        (entries / PAGE).max(1).ilog2().min(NUMBER)
    }

    pub(super) fn page_of(&self, place: u64) -> i64 {
        page_id(self.id, (place >> (BITS - self.bits)) as i64)
    }

    pub(super) fn may_have(&self, place: u64) -> bool {
        self.filter.may_have(place)
    }

    /// Adds its row.
    pub(super) fn write(&self, conn: &Connection, state: i64) -> rusqlite::Result<()> {
        conn.prepare_cached(
            "INSERT OR REPLACE INTO directory_run (id, state, level, bits, entries, filter)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![self.id, state, self.level, self.bits, self.entries, self.filter.bytes()])?;
        Ok(())
    }

    /// Adds pages with entries in order, which are all of these pages.
    pub(super) fn write_pages(&self, conn: &Connection, entries: &[Entry]) -> rusqlite::Result<()> {
        let mut insert = conn.prepare_cached("INSERT INTO directory (id, data) VALUES (?1, ?2)")?;
        let page = |entry: &Entry| entry.place >> (BITS - self.bits);
        for own in entries.chunk_by(|a, b| page(a) == page(b)) {
            insert.execute(params![self.page_of(own[0].place), page::encode(own)])?;
        }
        Ok(())
    }
}

/// The pages of a run from one number to another.
pub(super) fn page_id(run: i64, number: i64) -> i64 {
    run << NUMBER | number
}

/// A page, empty where there is none.
pub(super) fn page(conn: &Connection, id: i64) -> rusqlite::Result<Vec<u8>> {
    let read = conn.prepare_cached("SELECT data FROM directory WHERE id = ?1")?.query_row([id], |row| row.get(0));
    Ok(read.optional()?.unwrap_or_default())
}

/// Which places a run cannot have: three bits for each in a word by its place (a Bloom filter in blocks), so that one of
/// some thirty others passes.
#[derive(Debug, Default)]
pub(super) struct Filter(Vec<u64>);

impl Filter {
    /// For so many entries. About half of them are to a place that another one has too.
    pub(super) fn for_entries(entries: u64) -> Self {
        Self(vec![0; (entries * 6 / 64) as usize + 1])
    }

    fn word(&self, place: u64) -> usize {
        ((u128::from(place) * self.0.len() as u128) >> BITS) as usize
    }

    fn mask(place: u64) -> u64 {
        1 << (place & 63) | 1 << (place >> 6 & 63) | 1 << (place >> 12 & 63)
    }

    pub(super) fn add(&mut self, place: u64) {
        let word = self.word(place);
        self.0[word] |= Self::mask(place);
    }

    fn may_have(&self, place: u64) -> bool {
        let mask = Self::mask(place);
        self.0.get(self.word(place)).is_none_or(|word| word & mask == mask)
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// One that is cut short or missing lets everything pass.
    pub(super) fn read(bytes: &[u8]) -> Self {
        Self(bytes.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().unwrap_or_default())).collect())
    }
}
