//! Where a log is: from an id to the rows of the logs that have it as their own, as their parent's or as their root's.
//!
//! Ids are random as a rule, so that an index of them would write a page of the file for each. Here those of new logs
//! wait in memory, in the *tail*, which is read back from the logs themselves when the file is opened. A tail that is full
//! becomes a *run*: its entries sorted by a hash of the id, packed into pages that are written once. Runs of one size are
//! merged into a longer one, a piece with each transaction ([`growth`]). A filter in memory tells for each run which ids it
//! cannot have, so that a look-up reads one page as a rule and that of a new id none.
//!
//! What is found is a row that may have the id: hashes may agree, logs may have gone or have other links since. Who
//! looks up compares the row itself.

mod growth;
mod page;
mod run;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use rusqlite::{Connection, params, types::ValueRef};

use self::{growth::Growth, page::Entry, run::Run};
use super::key;

pub(super) use self::growth::rebuild;

/// What a log may be to an id: bits of a set.
pub(super) mod kind {
    /// It has the id.
    pub(in crate::sqlite) const OWN: u8 = 1;
    /// The id is its parent's, and neither its own nor its root's.
    pub(in crate::sqlite) const PARENT: u8 = 2;
    /// The id is its root's, and not its own.
    pub(in crate::sqlite) const ROOT: u8 = 4;
    /// Logs of a trace, by its root's id.
    pub(in crate::sqlite) const MEMBERS: u8 = OWN | ROOT;
    /// Logs that may name the id as their parent.
    pub(in crate::sqlite) const CHILDREN: u8 = PARENT | ROOT;
}

/// Row ids of logs that may be that to the id `X` (an expression) in SQL: `log.id IN (…)`. The connection must have a
/// [`View`].
pub(super) fn linked(id: &str, kinds: u8) -> String {
    format!(
        "SELECT found.value FROM json_each(pages_of({id})) page LEFT JOIN directory ON directory.id = page.value
         JOIN json_each(logs_in(directory.data, {id}, {kinds})) found"
    )
}

/// An id's place among all: 48 bits of a hash.
fn place(id: &str) -> u64 {
    // FNV leaves ids that differ in their last letter close together.
    let hash = crate::tree::fnv(id);
    (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16
}

fn place_of(value: ValueRef<'_>) -> rusqlite::Result<u64> {
    Ok(place(&key::text(value)?))
}

/// The entries of logs that are in no run yet. The writer adds to it, also what is not committed: a reader does not find
/// the rows of that.
#[derive(Debug, Default)]
struct Tail(RwLock<BTreeSet<Entry>>);

impl Tail {
    fn read(&self) -> RwLockReadGuard<'_, BTreeSet<Entry>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeSet<Entry>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The directory as of one state of the file.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    /// Counts the changes of runs.
    version: i64,
    runs: Vec<Arc<Run>>,
    tail: Arc<Tail>,
}

impl View {
    /// What a connection that the writer does not know reads from the file.
    pub(super) fn load(conn: &Connection) -> rusqlite::Result<Self> {
        Ok(Directory::load(conn)?.view)
    }

    /// Whether it is that of the state that a connection reads.
    pub(super) fn is_of(&self, conn: &Connection) -> rusqlite::Result<bool> {
        conn.prepare_cached("SELECT directory = ?1 FROM history")?.query_row([self.version], |row| row.get(0))
    }

    fn waiting(&self, place: u64, kinds: u8, found: &mut Vec<i64>) {
        let tail = self.tail.read();
        let entries = tail.range(Entry::first(place)..=Entry { place, kind: kinds, log: i64::MAX });
        found.extend(entries.filter(|entry| entry.kind & kinds != 0).map(|entry| entry.log));
    }
}

/// The view that readers are to take, as the writer last left it.
#[derive(Debug, Default)]
pub(super) struct Published(RwLock<Arc<View>>);

impl Published {
    pub(super) fn view(&self) -> Arc<View> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes over the writer's, which is that of the file as it was last committed.
    pub(super) fn publish(&self, directory: &Directory) {
        let own = &directory.view;
        let known = self.view();
        if known.version != own.version || !Arc::ptr_eq(&known.tail, &own.tail) {
            *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(own.clone());
        }
    }
}

/// The writer's side.
#[derive(Debug, Default)]
pub(super) struct Directory {
    pub(super) is_loaded: bool,
    view: View,
    /// All logs up to this one are in runs.
    linked: i64,
    growth: Growth,
}

impl Directory {
    pub(super) fn load(conn: &Connection) -> rusqlite::Result<Self> {
        let (version, linked) =
            conn.query_row("SELECT directory, linked FROM history", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut directory = Self { is_loaded: true, linked, ..Self::default() };
        let (runs, growth) = Growth::load(conn)?;
        directory.growth = growth;
        directory.view = View { version, runs, tail: Arc::default() };
        let mut find = conn.prepare(
            "SELECT id, trace_id, parent, root FROM log WHERE id > ?1
             UNION ALL SELECT id, trace_id, parent, root FROM log WHERE id IN (SELECT log FROM directory_late)",
        )?;
        let mut rows = find.query([linked])?;
        while let Some(row) = rows.next()? {
            directory.note(
                row.get(0)?,
                [place_of(row.get_ref(1)?)?, place_of(row.get_ref(2)?)?, place_of(row.get_ref(3)?)?],
            );
        }
        drop(rows);
        drop(find);
        Ok(directory)
    }

    /// A new log.
    pub(super) fn add(&mut self, log: i64, trace_id: &str, parent: &str, root: &str) {
        let own = place(trace_id);
        let of = |id: &str| if id == trace_id { own } else { place(id) };
        let root_place = of(root);
        self.note(log, [own, if parent == root { root_place } else { of(parent) }, root_place]);
    }

    /// A log that has other links than before.
    pub(super) fn change(
        &mut self,
        conn: &Connection,
        log: i64,
        trace_id: &str,
        parent: &str,
        root: &str,
    ) -> rusqlite::Result<()> {
        self.add(log, trace_id, parent, root);
        if log <= self.linked {
            let added =
                conn.prepare_cached("INSERT OR IGNORE INTO directory_late (log) VALUES (?1)")?.execute([log])?;
            self.growth.late += added as i64;
        }
        Ok(())
    }

    fn note(&mut self, log: i64, [own, parent, root]: [u64; 3]) {
        let mut tail = self.view.tail.write();
        tail.insert(Entry { place: own, kind: kind::OWN, log });
        if root != own {
            tail.insert(Entry { place: root, kind: kind::ROOT, log });
        }
        if parent != own && parent != root {
            tail.insert(Entry { place: parent, kind: kind::PARENT, log });
        }
    }

    /// Rows of logs that may be that to the id, in order.
    pub(super) fn find(&self, conn: &Connection, id: &str, kinds: u8) -> rusqlite::Result<Vec<i64>> {
        let place = place(id);
        let mut found = Vec::new();
        self.view.waiting(place, kinds, &mut found);
        for run in &self.view.runs {
            if run.may_have(place) {
                let data = run::page(conn, run.page_of(place))?;
                page::find(&data, place, kinds, &mut found)?;
            }
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// The same as a JSON array, for `json_each`.
    pub(super) fn json(&self, conn: &Connection, id: &str, kinds: u8) -> rusqlite::Result<String> {
        Ok(array(&self.find(conn, id, kinds)?))
    }
}

fn array(numbers: &[i64]) -> String {
    crate::row::json(numbers)
}

/// The view that the functions of a connection look into.
#[derive(Clone, Debug, Default)]
pub(super) struct Slot(Arc<Mutex<Option<Arc<View>>>>);

impl Slot {
    pub(super) fn set(&self, view: Option<Arc<View>>) {
        *self.lock() = view;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<View>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, read: impl FnOnce(&View) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let slot = self.lock();
        let Some(view) = slot.as_deref() else {
            return Err(rusqlite::Error::UserFunctionError("no view of the directory was taken".into()));
        };
        read(view)
    }

    /// `pages_of(id)`: the pages that may have the id as a JSON array, 0 for the tail. `logs_in(page, id, kinds)`: what is
    /// found there; in the tail where there is no page.
    pub(super) fn register(&self, conn: &Connection) -> rusqlite::Result<()> {
        use rusqlite::functions::FunctionFlags;
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY;
        let slot = self.clone();
        conn.create_scalar_function("pages_of", 1, flags, move |context| {
            let place = place_of(context.get_raw(0))?;
            slot.with(|view| {
                let runs = view.runs.iter().filter(|run| run.may_have(place)).map(|run| run.page_of(place));
                Ok(array(&runs.chain([0]).collect::<Vec<_>>()))
            })
        })?;
        let slot = self.clone();
        conn.create_scalar_function("logs_in", 3, flags, move |context| {
            let place = place_of(context.get_raw(1))?;
            let kinds: u8 = context.get(2)?;
            let mut found = Vec::new();
            match context.get_raw(0) {
                ValueRef::Blob(data) => page::find(data, place, kinds, &mut found)?,
                _ => slot.with(|view| {
                    view.waiting(place, kinds, &mut found);
                    Ok(())
                })?,
            }
            Ok(array(&found))
        })
    }
}

/// Notes in the file up to where logs are in runs, and that these changed.
fn write_state(conn: &Connection, version: i64, linked: i64) -> rusqlite::Result<()> {
    conn.prepare_cached("UPDATE history SET directory = ?1, linked = ?2")?.execute(params![version, linked])?;
    Ok(())
}
