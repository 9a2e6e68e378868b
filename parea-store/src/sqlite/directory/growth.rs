//! From the tail to runs, and from runs to longer ones: a piece with each transaction, so that no caller waits long.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::{
    Directory, View, kind,
    page::{self, Entry},
    place_of,
    run::{BUILDING, DEAD, Filter, LIVE, Run, page_id},
    write_state,
};

/// Logs after which the tail becomes a run. All of them are read when the file is opened.
const TAIL: i64 = if cfg!(test) { 8 } else { 16_384 };

/// Logs whose links changed that may wait in the tail besides.
const LATE: i64 = if cfg!(test) { 3 } else { 4096 };

/// Runs of a level that make one of the next.
const FAN: usize = if cfg!(test) { 3 } else { 8 };

/// Entries that one step merges: two to four milliseconds.
const STEP: u64 = if cfg!(test) { 5 } else { 24_000 };

/// Pages of a dead run that one step removes.
const REMOVED: i64 = if cfg!(test) { 3 } else { 128 };

/// Logs of a run that is made of what is there already.
const BULK: usize = if cfg!(test) { 50 } else { 1 << 19 };

/// What is under way.
#[derive(Debug, Default)]
pub(super) struct Growth {
    /// The next run's id.
    next: i64,
    merge: Option<Merge>,
    /// Runs that nobody reads any more, their pages still there.
    dead: Vec<i64>,
    /// Logs whose links changed since they came into a run.
    pub(super) late: i64,
}

/// Runs that are becoming one.
#[derive(Debug)]
struct Merge {
    from: Vec<Arc<Run>>,
    to: Run,
    /// Bits of a place that tell the pieces, and the next of these.
    bits: u32,
    next: u64,
}

impl Growth {
    /// Runs that are read, the oldest first, and what is to be done. A run that was never finished is dead.
    pub(super) fn load(conn: &Connection) -> rusqlite::Result<(Vec<Arc<Run>>, Self)> {
        let mut growth = Self { next: 1, ..Self::default() };
        let mut runs = Vec::new();
        let mut find = conn.prepare("SELECT id, state, level, bits, entries, filter FROM directory_run ORDER BY id")?;
        let mut rows = find.query([])?;
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            growth.next = id + 1;
            if row.get::<_, i64>(1)? == LIVE {
                let filter = Filter::read(row.get_ref(5)?.as_blob()?);
                let (level, bits, entries) = (row.get(2)?, row.get(3)?, row.get(4)?);
                runs.push(Arc::new(Run { id, level, bits, entries, filter }));
            } else {
                growth.dead.push(id);
            }
        }
        growth.late = conn.query_row("SELECT count(*) FROM directory_late", [], |row| row.get(0))?;
        Ok((runs, growth))
    }

    fn id(&mut self) -> i64 {
        self.next += 1;
        self.next - 1
    }
}

impl Directory {
    /// Whether there is something to do. `arrivals` is the newest log's row, about.
    pub(in crate::sqlite) fn is_due(&self, arrivals: u64) -> bool {
        self.is_full(arrivals)
            || self.growth.merge.is_some()
            || !self.growth.dead.is_empty()
            || self.crowded().is_some()
    }

    fn is_full(&self, arrivals: u64) -> bool {
        arrivals as i64 - self.linked >= TAIL || self.growth.late >= LATE
    }

    /// A level that has too many runs.
    fn crowded(&self) -> Option<i64> {
        let mut levels: Vec<i64> = self.view.runs.iter().map(|run| run.level).collect();
        levels.sort_unstable();
        levels.chunk_by(|a, b| a == b).find(|same| same.len() >= FAN).map(|same| same[0])
    }

    /// Does a piece of it.
    pub(in crate::sqlite) fn grow(&mut self, conn: &Connection, arrivals: u64) -> rusqlite::Result<()> {
        if self.is_full(arrivals) {
            return self.flush(conn, arrivals);
        }
        if self.growth.merge.is_none()
            && let Some(level) = self.crowded()
        {
            self.begin(conn, level)?;
        }
        if self.growth.merge.is_some() {
            return self.merge(conn);
        }
        self.remove(conn)
    }

    /// Makes the tail a run.
    fn flush(&mut self, conn: &Connection, arrivals: u64) -> rusqlite::Result<()> {
        let entries: Vec<Entry> = self.view.tail.read().iter().copied().collect();
        let id = self.growth.id();
        let run = write(conn, id, 0, &entries)?;
        conn.prepare_cached("DELETE FROM directory_late")?.execute([])?;
        self.growth.late = 0;
        self.linked = arrivals as i64;
        let mut runs = self.view.runs.clone();
        runs.extend(run.map(Arc::new));
        self.turn(conn, runs)?;
        self.view.tail = Arc::default();
        Ok(())
    }

    /// Takes other runs into use.
    fn turn(&mut self, conn: &Connection, runs: Vec<Arc<Run>>) -> rusqlite::Result<()> {
        let version = self.view.version + 1;
        self.view = View { version, runs, tail: Arc::clone(&self.view.tail) };
        write_state(conn, version, self.linked)
    }

    fn begin(&mut self, conn: &Connection, level: i64) -> rusqlite::Result<()> {
        let from: Vec<_> = self.view.runs.iter().filter(|run| run.level == level).take(FAN).cloned().collect();
        let entries: i64 = from.iter().map(|run| run.entries).sum();
        let bits = from.iter().map(|run| run.bits).min().unwrap_or_default();
        let to = Run {
            id: self.growth.id(),
            level: level + 1,
            // At least those of the pieces, so that each is whole pages.
            bits: Run::bits_for(entries as u64).max(bits),
            entries,
            filter: Filter::for_entries(entries as u64),
        };
        to.write(conn, BUILDING)?;
        self.growth.merge = Some(Merge { from, to, bits, next: 0 });
        Ok(())
    }

    fn merge(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        let Some(merge) = &mut self.growth.merge else { return Ok(()) };
        let pieces = 1_u64 << merge.bits;
        let each = (merge.to.entries as u64 / pieces).max(1);
        let end = (merge.next + (STEP / each).max(1)).min(pieces);
        let mut entries = Vec::new();
        let mut read = conn.prepare_cached("SELECT data FROM directory WHERE id >= ?1 AND id < ?2")?;
        for run in &merge.from {
            let page = |piece: u64| page_id(run.id, (piece << (run.bits - merge.bits)) as i64);
            let mut rows = read.query(params![page(merge.next), page(end)])?;
            while let Some(row) = rows.next()? {
                page::decode(row.get_ref(0)?.as_blob()?, &mut entries)?;
            }
        }
        entries.sort_unstable();
        entries.dedup();
        merge.to.write_pages(conn, &entries)?;
        for entry in &entries {
            merge.to.filter.add(entry.place);
        }
        merge.next = end;
        if end < pieces {
            return Ok(());
        }
        let Some(Merge { from, to, .. }) = self.growth.merge.take() else { return Ok(()) };
        to.write(conn, LIVE)?;
        let mut bury = conn.prepare_cached("UPDATE directory_run SET state = ?2, filter = x'' WHERE id = ?1")?;
        for run in &from {
            bury.execute([run.id, DEAD])?;
            self.growth.dead.push(run.id);
        }
        let mut runs = self.view.runs.clone();
        runs.retain(|run| from.iter().all(|gone| gone.id != run.id));
        runs.push(Arc::new(to));
        self.turn(conn, runs)
    }

    /// Removes some pages that nobody reads.
    fn remove(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        let Some(run) = self.growth.dead.last().copied() else { return Ok(()) };
        let removed = conn
            .prepare_cached(
                "DELETE FROM directory WHERE id IN
                    (SELECT id FROM directory WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3)",
            )?
            .execute(params![page_id(run, 0), page_id(run + 1, 0), REMOVED])?;
        if (removed as i64) < REMOVED {
            conn.prepare_cached("DELETE FROM directory_run WHERE id = ?1")?.execute([run])?;
            self.growth.dead.pop();
        }
        Ok(())
    }
}

/// Writes a run of entries in order; none of nothing.
fn write(conn: &Connection, id: i64, level: i64, entries: &[Entry]) -> rusqlite::Result<Option<Run>> {
    if entries.is_empty() {
        return Ok(None);
    }
    let count = entries.len() as u64;
    let mut filter = Filter::for_entries(count);
    for entry in entries {
        filter.add(entry.place);
    }
    let run = Run { id, level, bits: Run::bits_for(count), entries: count as i64, filter };
    run.write_pages(conn, entries)?;
    run.write(conn, LIVE)?;
    Ok(Some(run))
}

/// Makes the directory anew from the logs.
pub(in crate::sqlite) fn rebuild(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch("DELETE FROM directory; DELETE FROM directory_run; DELETE FROM directory_late")?;
    let mut entries = Vec::new();
    let (mut count, mut id) = (0, 1);
    let mut flush = |entries: &mut Vec<Entry>| {
        entries.sort_unstable();
        entries.dedup();
        // As long as if it had been merged so often.
        let level = i64::from((entries.len() as u64 / TAIL as u64).max(1).ilog2() / FAN.ilog2());
        let written = write(conn, id, level, entries);
        entries.clear();
        id += 1;
        written
    };
    let mut find = conn.prepare("SELECT id, trace_id, parent, root FROM log ORDER BY id")?;
    let mut rows = find.query([])?;
    while let Some(row) = rows.next()? {
        let log = row.get(0)?;
        let [own, parent, root] = [place_of(row.get_ref(1)?)?, place_of(row.get_ref(2)?)?, place_of(row.get_ref(3)?)?];
        entries.push(Entry { place: own, kind: kind::OWN, log });
        if root != own {
            entries.push(Entry { place: root, kind: kind::ROOT, log });
        }
        if parent != own && parent != root {
            entries.push(Entry { place: parent, kind: kind::PARENT, log });
        }
        count += 1;
        if count % BULK == 0 {
            flush(&mut entries)?;
        }
    }
    flush(&mut entries)?;
    // What is read anew must not be taken for what was there.
    conn.execute("UPDATE history SET directory = directory + 1, linked = arrivals", [])?;
    Ok(())
}
