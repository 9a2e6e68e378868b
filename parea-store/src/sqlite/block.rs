//! Values of many logs as one: compressed together, and found by the words of all of them.

use std::{
    collections::HashSet,
    hash::{BuildHasherDefault, Hasher},
    io,
};

use super::{index, varint};
use crate::text::{Pieces, each_token, pair};

/// Logs in a block. More compress hardly better, and a tree or a page is read in whole blocks.
pub(super) const SIZE: usize = 64;

/// Fewer are not worth a block.
pub(super) const LEAST: usize = 16;

/// Bytes of JSON after which a block is full, so that reading one log stays cheap where logs are long.
pub(super) const FULL: usize = 512 << 10;

/// A value that is longer stays as it is: it would hold the writer while it is compressed.
pub(super) const LONGEST: usize = 4 << 20;

/// zstd's. A span of a trace took 595 B at level 1, 569 B at this one in twice the time, and 541 B at level 9.
const LEVEL: i32 = 3;

/// The form of a block's bytes, their first one.
const FORM: u8 = 1;

/// The value of a log.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Value {
    pub(super) id: i64,
    /// Null when it was sent once.
    pub(super) stamps: Option<String>,
    pub(super) json: String,
}

/// A block that is not stored yet.
#[derive(Debug)]
pub(super) struct Packed {
    pub(super) data: Vec<u8>,
    pub(super) words: Words,
}

/// The words of a block, each once.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// All of them, with a space between.
    pub(super) text: String,
    /// The hash of each.
    pub(super) whole: Vec<u64>,
    /// Their places in the index, sorted.
    pub(super) hashes: Vec<u32>,
}

/// Writes a block of values with ids from `first` on, in order; a block that does not know its ids yet has them from 0
/// on.
pub(super) fn encode<'a>(
    first: i64,
    values: impl Iterator<Item = (i64, Option<&'a str>, &'a str)> + Clone,
) -> io::Result<Vec<u8>> {
    let mut raw = Vec::new();
    varint::push(&mut raw, values.clone().count() as u64);
    let mut before = first;
    for (id, stamps, json) in values.clone() {
        varint::push(&mut raw, (id - before) as u64);
        varint::push(&mut raw, stamps.map_or(0, |stamps| stamps.len() as u64 + 1));
        varint::push(&mut raw, json.len() as u64);
        before = id;
    }
    for (_, stamps, json) in values {
        raw.extend_from_slice(stamps.unwrap_or_default().as_bytes());
        raw.extend_from_slice(json.as_bytes());
    }
    let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
    // A bit that turned on the disk is told from what was written.
    compressor.include_checksum(true)?;
    let mut data = vec![FORM];
    data.extend(compressor.compress(&raw)?);
    Ok(data)
}

/// A block that was read: where each value lies in one text.
#[derive(Debug)]
pub(super) struct Opened {
    text: String,
    /// Id, then where the stamps begin, where the JSON does, and where it ends; by id.
    places: Vec<(i64, usize, usize, usize)>,
}

impl Opened {
    pub(super) fn read(first: i64, data: &[u8]) -> io::Result<Self> {
        let damaged = || io::Error::other("a block of values is damaged");
        let Some((&FORM, frame)) = data.split_first() else { return Err(damaged()) };
        let mut raw = zstd::stream::decode_all(frame)?;
        let mut rest = raw.as_slice();
        let count: u64 = varint::take(&mut rest).ok_or_else(damaged)?;
        let mut places = Vec::new();
        let (mut id, mut at) = (first, 0_usize);
        for _ in 0..count {
            let mut next = || varint::take::<usize>(&mut rest).ok_or_else(damaged);
            id = id.checked_add_unsigned(next()? as u64).ok_or_else(damaged)?;
            let (stamps, json) = (next()?, next()?);
            let begin = at.checked_add(stamps.saturating_sub(1)).ok_or_else(damaged)?;
            let end = begin.checked_add(json).ok_or_else(damaged)?;
            // Without stamps their end lies before their begin.
            places.push((id, if stamps == 0 { usize::MAX } else { at }, begin, end));
            at = end;
        }
        let head = raw.len() - rest.len();
        raw.drain(..head);
        let text = String::from_utf8(raw).map_err(|_| damaged())?;
        let is_sound = places.iter().all(|(_, stamps, begin, end)| {
            (*stamps == usize::MAX || text.get(*stamps..*begin).is_some()) && text.get(*begin..*end).is_some()
        });
        if is_sound { Ok(Self { text, places }) } else { Err(damaged()) }
    }

    /// Id, stamps and JSON of each value.
    pub(super) fn values(&self) -> impl DoubleEndedIterator<Item = (i64, Option<&str>, &str)> + Clone {
        self.places.iter().map(|(id, stamps, begin, end)| {
            (*id, (*stamps != usize::MAX).then(|| &self.text[*stamps..*begin]), &self.text[*begin..*end])
        })
    }

    pub(super) fn value(&self, id: i64) -> Option<(Option<&str>, &str)> {
        let place = self.places.binary_search_by_key(&id, |place| place.0).ok()?;
        self.values().nth(place).map(|(_, stamps, json)| (stamps, json))
    }
}

impl Words {
    /// Those of some logs.
    pub(super) fn of<'a>(logs: impl Iterator<Item = &'a Pieces> + Clone) -> Self {
        let mut seen: HashSet<&str, BuildHasherDefault<Quick>> =
            HashSet::with_capacity_and_hasher(4096, BuildHasherDefault::default());
        let mut pairs: HashSet<String, BuildHasherDefault<Quick>> = HashSet::default();
        for text in logs.flat_map(Pieces::texts) {
            let mut before = "";
            each_token(text, |range| {
                let token = &text[range];
                seen.insert(token);
                if !token.is_ascii() {
                    pairs.extend(pair(before, token));
                }
                before = token;
            });
        }
        let words: Vec<&str> = seen.into_iter().chain(pairs.iter().map(String::as_str)).collect();
        let whole: Vec<u64> = words.iter().map(|word| crate::tree::fnv(word)).collect();
        let mut hashes: Vec<u32> = whole.iter().map(|hash| index::of_whole(*hash)).collect();
        hashes.sort_unstable();
        hashes.dedup();
        Self { text: words.join(" "), whole, hashes }
    }
}

/// A hash for words that come from nobody's hands but those of who owns the file (FNV-1a by eights).
#[derive(Default)]
struct Quick(u64);

impl Hasher for Quick {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 = (self.0.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x517c_c1b7_2722_0a95);
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.0 = (self.0.rotate_left(5) ^ u64::from(byte)).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn what_is_packed_is_read(
            gaps in vec((1..1000_i64, option::of("[a-zé]{0,5}"), "\\PC{0,40}"), 1..80),
            first in 0..1_000_000_i64,
            cut in any::<prop::sample::Index>(),
            bit in 0..8_u32,
        ) {
            let mut id = first - gaps[0].0;
            let values: Vec<Value> = gaps.into_iter().map(|(gap, stamps, json)| {
                id += gap;
                Value { id, stamps, json }
            }).collect();
            let each = || values.iter().map(|value| (value.id, value.stamps.as_deref(), value.json.as_str()));
            let data = encode(first, each()).unwrap();
            let opened = Opened::read(first, &data).unwrap();
            prop_assert!(opened.values().eq(each()));
            for (id, stamps, json) in each() {
                prop_assert_eq!(opened.value(id), Some((stamps, json)));
            }
            prop_assert_eq!(opened.value(id + 1), None);
            // What is damaged is told, and never reads as something else.
            let place = cut.index(data.len());
            prop_assert!(Opened::read(first, &data[..place]).is_err());
            let mut turned = data.clone();
            turned[place] ^= 1_u8 << bit;
            // A bit of the frame's head may mean nothing.
            if let Ok(opened) = Opened::read(first, &turned) {
                prop_assert!(opened.values().eq(each()));
            }
        }
    }

    #[test]
    fn words_stand_once() {
        let log = |text: &str| parea_types::TraceLog { output: Some(text.to_owned()), ..Default::default() };
        let logs = [log("b A b 退款"), log("a_c")];
        let pieces: Vec<Pieces> = logs.iter().map(Pieces::of).collect();
        let words = Words::of(pieces.iter());
        let mut each: Vec<&str> = words.text.split(' ').collect();
        each.sort_unstable();
        assert_eq!(each, ["a", "b", "c", "款", "退", "退款"]);
        assert!(words.hashes.is_sorted() && each.iter().all(|word| words.hashes.contains(&index::hash(word))));
    }
}
