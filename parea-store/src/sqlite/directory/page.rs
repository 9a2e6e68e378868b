//! Entries of the directory as bytes: sorted, each as its distance to the one before.

use std::io;

use crate::sqlite::{values, varint};

/// What a log is to an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// The id's.
    pub(super) place: u64,
    /// One bit.
    pub(super) kind: u8,
    pub(super) log: i64,
}

impl Entry {
    /// The least at a place.
    pub(super) fn first(place: u64) -> Self {
        Self { place, kind: 0, log: i64::MIN }
    }
}

/// Entries in order as a page.
pub(super) fn encode(entries: &[Entry]) -> Vec<u8> {
    let mut data = Vec::with_capacity(entries.len() * 8);
    let base = entries.iter().map(|entry| entry.log).min().unwrap_or_default();
    varint::push(&mut data, base as u64);
    let mut before = 0;
    for entry in entries {
        varint::push(&mut data, entry.place - before);
        before = entry.place;
        varint::push(&mut data, ((entry.log - base) as u64) << 2 | u64::from(entry.kind.trailing_zeros()));
    }
    data
}

/// The entries of a page.
struct Entries<'a> {
    data: &'a [u8],
    base: i64,
    before: u64,
}

impl<'a> Entries<'a> {
    fn of(mut data: &'a [u8]) -> Option<Self> {
        let base = if data.is_empty() { 0 } else { varint::take(&mut data)? };
        Some(Self { data, base, before: 0 })
    }

    fn next(&mut self) -> Option<Entry> {
        self.before = self.before.checked_add(varint::take(&mut self.data)?)?;
        let code: u64 = varint::take(&mut self.data)?;
        let log = self.base.checked_add(i64::try_from(code >> 2).ok()?)?;
        Some(Entry { place: self.before, kind: 1 << (code & 3), log })
    }
}

/// Adds all entries of a page.
pub(super) fn decode(data: &[u8], entries: &mut Vec<Entry>) -> rusqlite::Result<()> {
    let mut read = Entries::of(data).ok_or_else(damaged)?;
    while !read.data.is_empty() {
        entries.push(read.next().ok_or_else(damaged)?);
    }
    Ok(())
}

/// Adds the logs that are one of these to an id.
pub(super) fn find(data: &[u8], place: u64, kinds: u8, found: &mut Vec<i64>) -> rusqlite::Result<()> {
    let mut read = Entries::of(data).ok_or_else(damaged)?;
    while !read.data.is_empty() {
        let entry = read.next().ok_or_else(damaged)?;
        if entry.place > place || (entry.place == place && entry.kind > kinds) {
            break;
        }
        if entry.place == place && entry.kind & kinds != 0 {
            found.push(entry.log);
        }
    }
    Ok(())
}

fn damaged() -> rusqlite::Error {
    values::damaged(io::Error::other("a page of the directory is damaged"))
}
