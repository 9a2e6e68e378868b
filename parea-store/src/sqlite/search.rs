//! The search for words: blocks that may have a hit by the index, every hit looked at, the newest first.
//!
//! Logs are listed in the order in which they arrived. Unpacked values are read one after the other beside the blocks;
//! there are few. What a search may read is bounded, and it goes on where it stopped.

use std::collections::BTreeSet;

use memchr::memmem;
use parea_types::{Timestamp, TraceLog};
use rusqlite::{Connection, OptionalExtension, params_from_iter, types::Value};

use super::{
    block::Opened,
    index::{self, Any},
    lists::{Kind, List},
    trees,
    values::{self, Blocks},
};
use crate::{
    LogFilter, Scope, TextCursor, TextPage,
    text::{Term, TextQuery, lowercase, pair},
};

/// Words that one part of a word may stand for. When there are more, the newest blocks have hits as a rule.
const VARIANTS: usize = 64;

/// Bytes of values that one search reads, at about a gigabyte in a second.
const BUDGET: usize = 24 << 20;

/// A search as it was asked for.
#[derive(Clone, Debug)]
pub(super) struct Search {
    query: TextQuery,
    list: List,
    is_filtered: bool,
}

impl Search {
    pub(super) fn new(query: &TextQuery, scope: &Scope, filter: &LogFilter) -> Self {
        let is_filtered = scope.project.is_some() || *filter != LogFilter::default();
        Self { query: query.clone(), list: List::new(Kind::Logs, scope, filter), is_filtered }
    }

    /// The next hits behind a place, at most `limit`.
    pub(super) fn run(&self, conn: &Connection, after: Option<TextCursor>, limit: u32) -> rusqlite::Result<TextPage> {
        self.run_within(conn, after, limit, BUDGET)
    }

    pub(super) fn run_within(
        &self,
        conn: &Connection,
        after: Option<TextCursor>,
        limit: u32,
        budget: usize,
    ) -> rusqlite::Result<TextPage> {
        let below = after.map_or(i64::MAX, |cursor| i64::try_from(cursor.0).unwrap_or(i64::MAX));
        let limit = limit as usize;
        let check = self.check(conn)?;
        let likely = Likely::new(&self.query);
        let mut loose = Loose::new(conn, below);
        let mut blocks = BlockList::new(conn, self.candidates(conn)?);
        let (mut next_loose, mut next_block) = (loose.next()?, blocks.next(below)?);
        // Hits that wait until nothing newer can come.
        let mut waiting = BTreeSet::new();
        let mut hits = Vec::new();
        let mut spent = 0;
        let next = loop {
            // Nothing that is still to come is newer than this.
            let bound = next_loose.as_ref().map(|(id, _)| *id).max(next_block.map(|block| block >> 8));
            while hits.len() < limit
                && let Some(newest) = waiting.last().copied()
                && bound.is_none_or(|bound| newest >= bound)
            {
                waiting.pop_last();
                hits.push(newest);
            }
            if hits.len() == limit {
                let more = !waiting.is_empty() || bound.is_some();
                break hits.last().filter(|_| more).copied();
            }
            let Some(bound) = bound else { break None };
            if spent >= budget {
                break Some(bound + 1);
            }
            if let Some((id, json)) = next_loose.take_if(|(id, _)| *id == bound) {
                spent += json.len();
                if likely.may_match(&json) && self.is_hit(&json)? && check.admits(id)? {
                    waiting.insert(id);
                }
                next_loose = loose.next()?;
            } else if let Some(block) = next_block {
                let opened = blocks.open(block)?;
                let changed = loose.changed(block)?;
                for (id, _, json) in opened.values().rev() {
                    spent += json.len();
                    if id < below
                        && !changed.contains(&id)
                        && likely.may_match(json)
                        && self.is_hit(json)?
                        && check.admits(id)?
                    {
                        waiting.insert(id);
                    }
                }
                next_block = blocks.next(below)?;
            }
        };
        let reached = match next {
            Some(next) if hits.len() < limit => started(conn, next)?,
            _ => None,
        };
        let trace_names = hits.iter().map(|hit| trace_name(conn, *hit)).collect::<rusqlite::Result<_>>()?;
        let rows = Self::read(conn, &hits)?;
        Ok(TextPage { rows, trace_names, next: next.map(|id| TextCursor(id as u64)), reached })
    }

    fn is_hit(&self, json: &str) -> rusqlite::Result<bool> {
        Ok(self.query.matches_pieces(&values::pieces(json)?))
    }

    fn read(conn: &Connection, hits: &[i64]) -> rusqlite::Result<Vec<TraceLog>> {
        let sql = format!("{} WHERE log.id = ?1", trees::LOG);
        let blocks = Blocks::default();
        let mut rows = Vec::with_capacity(hits.len());
        for id in hits {
            for mut log in trees::logs(conn, &blocks, &sql, [id], &mut 0)? {
                log.latency = crate::row::latency(&log);
                rows.push(log);
            }
        }
        Ok(rows)
    }

    fn check<'a>(&self, conn: &'a Connection) -> rusqlite::Result<Check<'a>> {
        if !self.is_filtered {
            return Ok(Check { conn, conditions: None });
        }
        let conditions = self.list.conditions(conn)?;
        Ok(Check { conn, conditions: Some(conditions) })
    }

    /// The blocks that are worth a look, the newest last; `None` when the index cannot tell.
    fn candidates(&self, conn: &Connection) -> rusqlite::Result<Option<Vec<i64>>> {
        let mut all: Vec<Any> = Vec::new();
        let mut open = Vec::new();
        for Term { tokens } in &self.query.terms {
            let mut before = "";
            for token in tokens {
                if token.is_open() {
                    open.push(token);
                } else {
                    all.push([index::hash(&token.text)].into());
                }
                if !token.text.is_ascii() {
                    all.extend(pair(before, &token.text).map(|pair| Any::from([index::hash(&pair)])));
                }
                before = &token.text;
            }
        }
        for token in open {
            let variants = spelled(conn, token)?;
            if variants.is_empty() {
                return Ok(Some(Vec::new()));
            }
            if variants.len() <= VARIANTS {
                all.push(variants.iter().map(|word| index::hash(word)).collect());
            }
        }
        if all.is_empty() { Ok(None) } else { index::blocks(conn, &all).map(Some) }
    }
}

/// When the first of the logs from a place on began.
fn started(conn: &Connection, place: i64) -> rusqlite::Result<Option<Timestamp>> {
    conn.prepare_cached("SELECT started FROM log WHERE id >= ?1 ORDER BY id LIMIT 1")?
        .query_row([place], |row| row.get(0))
        .optional()
        .map(|micros| micros.and_then(Timestamp::from_micros))
}

/// The name of the root of a log's trace.
fn trace_name(conn: &Connection, log: i64) -> rusqlite::Result<Option<String>> {
    conn.prepare_cached(
        "SELECT trace.name FROM log CROSS JOIN trace ON trace.root = log.root AND trace.project = log.project
         WHERE log.id = ?1",
    )?
    .query_row([log], |row| row.get(0))
    .optional()
    .map(Option::flatten)
}

/// The words of blocks that a token with an open end stands for; one more than [`VARIANTS`] where there are too many.
fn spelled(conn: &Connection, token: &crate::text::Token) -> rusqlite::Result<BTreeSet<String>> {
    let part =
        format!("{}{}{}", if token.open_start { "" } else { " " }, token.text, if token.open_end { "" } else { " " });
    let finder = memmem::Finder::new(part.as_bytes());
    let mut found = BTreeSet::new();
    let mut read = conn.prepare_cached("SELECT words FROM spelling")?;
    let mut rows = read.query([])?;
    while let Some(row) = rows.next()? {
        let words = row.get_ref(0)?.as_str()?;
        let mut from = 0;
        while let Some(at) = words.as_bytes().get(from..).and_then(|rest| finder.find(rest)) {
            // Inside the word, behind the space that the part may begin with.
            let inside = from + at + usize::from(!token.open_start);
            let begin = words[..inside].rfind(' ').map_or(0, |space| space + 1);
            let end = words[inside..].find(' ').map_or(words.len(), |space| inside + space);
            found.insert(words[begin..end].to_owned());
            if found.len() > VARIANTS {
                return Ok(found);
            }
            from = end;
        }
    }
    Ok(found)
}

/// A quick look at a value before it is taken apart: whether every word of the query stands somewhere in its JSON.
/// Letters and digits are never escaped there.
struct Likely {
    words: Vec<memmem::Finder<'static>>,
}

impl Likely {
    fn new(query: &TextQuery) -> Self {
        let tokens = query.terms.iter().flat_map(|term| &term.tokens);
        Self { words: tokens.map(|token| memmem::Finder::new(token.text.as_bytes()).into_owned()).collect() }
    }

    fn may_match(&self, json: &str) -> bool {
        let json = lowercase(json);
        self.words.iter().all(|word| word.find(json.as_bytes()).is_some())
    }
}

/// The conditions beside the words.
struct Check<'a> {
    conn: &'a Connection,
    /// `None` without any.
    conditions: Option<super::plan::Sql>,
}

impl Check<'_> {
    fn admits(&self, id: i64) -> rusqlite::Result<bool> {
        let Some(conditions) = &self.conditions else { return Ok(true) };
        let sql = format!("SELECT 1 FROM log WHERE {} AND log.id = ?", conditions.text);
        let values = conditions.values.iter().cloned().chain([Value::Integer(id)]);
        let found = self.conn.prepare_cached(&sql)?.query_row(params_from_iter(values), |_| Ok(())).optional()?;
        Ok(found.is_some())
    }
}

/// Unpacked values from the newest on.
struct Loose<'a> {
    conn: &'a Connection,
    below: i64,
    read: Vec<(i64, String)>,
}

impl<'a> Loose<'a> {
    fn new(conn: &'a Connection, below: i64) -> Self {
        Self { conn, below, read: Vec::new() }
    }

    fn next(&mut self) -> rusqlite::Result<Option<(i64, String)>> {
        if self.read.is_empty() {
            // In pieces, for there are many after an older file was opened.
            self.read = self
                .conn
                .prepare_cached("SELECT id, json FROM doc WHERE id < ?1 ORDER BY id DESC LIMIT 64")?
                .query_map([self.below], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<Result<_, _>>()?;
            self.read.reverse();
            if let Some((last, _)) = self.read.first() {
                self.below = *last;
            }
        }
        Ok(self.read.pop())
    }

    /// The logs of a block that changed since it was packed.
    fn changed(&self, block: i64) -> rusqlite::Result<BTreeSet<i64>> {
        self.conn
            .prepare_cached("SELECT id FROM doc WHERE block = ?1 AND block > 0")?
            .query_map([block], |row| row.get(0))?
            .collect()
    }
}

/// Blocks from the newest on.
struct BlockList<'a> {
    conn: &'a Connection,
    /// The newest last.
    ids: Vec<i64>,
    /// Where to go on when these are through, if the index could not tell.
    above: Option<i64>,
}

/// Blocks that are read ahead.
const AHEAD: i64 = 64;

impl<'a> BlockList<'a> {
    fn new(conn: &'a Connection, candidates: Option<Vec<i64>>) -> Self {
        let above = candidates.is_none().then_some(i64::MAX);
        Self { conn, ids: candidates.unwrap_or_default(), above }
    }

    /// The next one that has logs below a place.
    fn next(&mut self, below: i64) -> rusqlite::Result<Option<i64>> {
        let mut find = self.conn.prepare_cached("SELECT first FROM block WHERE id = ?1")?;
        loop {
            while let Some(block) = self.ids.pop() {
                let first: Option<i64> = find.query_row([block], |row| row.get(0)).optional()?;
                if first.is_some_and(|first| first < below) {
                    return Ok(Some(block));
                }
            }
            let Some(above) = self.above else { return Ok(None) };
            self.ids = self
                .conn
                .prepare_cached("SELECT id FROM block WHERE id < ?1 ORDER BY id DESC LIMIT ?2")?
                .query_map([above, AHEAD], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            self.ids.reverse();
            self.above = self.ids.first().copied();
        }
    }

    fn open(&self, block: i64) -> rusqlite::Result<Opened> {
        self.conn
            .prepare_cached("SELECT first, data FROM block WHERE id = ?1")?
            .query_row([block], |row| Opened::read(row.get(0)?, row.get_ref(1)?.as_blob()?).map_err(values::damaged))
    }
}
