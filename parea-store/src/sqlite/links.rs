//! Roots that follow from parents. They are mended once for each transaction: a chain that comes leaf first would
//! else be walked again for each of its links.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension, params};

use super::{
    directory::kind,
    ingest::Ingest,
    key::{Key, key},
};

/// The children of log `?2` that name no root.
pub(super) const ROOTLESS: &str =
    "SELECT id, trace_id, parent, root FROM log WHERE project = ?1 AND parent = ?2 AND root_said = 0";

/// The log `?2`, if it names no root; it is among the rows of the JSON array `?3`.
pub(super) const ITSELF: &str = "SELECT id, trace_id, parent, root FROM log
    WHERE id IN (SELECT value FROM json_each(?3)) AND trace_id = ?2 AND +project = ?1 AND root_said = 0";

/// Whether some log names no root.
pub(super) fn are_used(conn: &Connection) -> rusqlite::Result<bool> {
    conn.query_row("SELECT EXISTS (SELECT 1 FROM log WHERE root_said = 0)", [], |row| row.get(0))
}

/// A log by its project and id.
type Place = (i64, String);

/// Logs that came or changed their links in this transaction, and whether they name no root.
#[derive(Debug, Default)]
pub(super) struct Relinked(HashMap<Place, bool>);

/// A log that names no root.
#[derive(Clone, Debug)]
struct Loose {
    id: i64,
    trace_id: String,
    parent: String,
    /// As the file has it.
    root: String,
}

impl Relinked {
    pub(super) fn note(&mut self, project: i64, trace_id: &str, is_loose: bool) {
        self.0.insert((project, trace_id.to_owned()), is_loose);
    }
}

impl Ingest<'_> {
    /// Finds the root of each log that names none and whose way up may have changed: its parent's, or the parent's id
    /// until that one comes. Where parents form a circle and none names a root, it is the smallest id of the circle.
    pub(super) fn mend_roots(&mut self) -> rusqlite::Result<()> {
        let relinked = std::mem::take(&mut self.relinked).0;
        if !self.memory.is_linked {
            return Ok(());
        }
        let loose = self.loose(&relinked)?;
        let mut mend = self.conn.prepare_cached("UPDATE log SET root = ?2 WHERE id = ?1")?;
        let mut roots: HashMap<Place, String> = HashMap::new();
        for (place, log) in &loose {
            let root = self.root_of(place, &loose, &mut roots)?;
            if log.root != root {
                mend.execute(params![log.id, key(&root)])?;
                self.memory.directory.change(self.conn, log.id, &log.trace_id, &log.parent, &root)?;
                self.rollups.recount(place.0, &log.root);
            }
            if log.root != root || relinked.contains_key(place) {
                self.rollups.recount(place.0, &root);
            }
        }
        Ok(())
    }

    /// Those logs, and all below them by links that name no root either.
    fn loose(&self, relinked: &HashMap<Place, bool>) -> rusqlite::Result<HashMap<Place, Loose>> {
        let mut itself = self.conn.prepare_cached(ITSELF)?;
        let mut children = self.conn.prepare_cached(ROOTLESS)?;
        let mut loose = HashMap::new();
        let mut waiting: Vec<Place> = relinked.keys().cloned().collect();
        for (place, _) in relinked.iter().filter(|(_, is_loose)| **is_loose) {
            let rows = self.memory.directory.json(self.conn, &place.1, kind::OWN)?;
            if let Some(log) = itself.query_row(params![place.0, key(&place.1), rows], Loose::read).optional()? {
                loose.insert(place.clone(), log);
            }
        }
        while let Some((project, parent)) = waiting.pop() {
            let mut rows = children.query(params![project, key(&parent)])?;
            while let Some(row) = rows.next()? {
                let child = Loose::read(row)?;
                let place = (project, child.trace_id.clone());
                // What is known is waiting, or was.
                if !loose.contains_key(&place) {
                    loose.insert(place.clone(), child);
                    waiting.push(place);
                }
            }
        }
        Ok(loose)
    }

    /// Walks up as far as no root is known. All on the way have the same one.
    fn root_of(
        &self,
        place: &Place,
        loose: &HashMap<Place, Loose>,
        roots: &mut HashMap<Place, String>,
    ) -> rusqlite::Result<String> {
        let project = place.0;
        let mut way: Vec<Place> = Vec::new();
        let mut seen = HashSet::new();
        let mut at = place.clone();
        let root = loop {
            if let Some(root) = roots.get(&at) {
                break root.clone();
            }
            if !seen.insert(at.clone()) {
                let circle = way.iter().skip_while(|place| **place != at).map(|(_, id)| id);
                break circle.min().unwrap_or(&at.1).clone();
            }
            way.push(at.clone());
            let Some(log) = loose.get(&at) else {
                // Its way up has not changed, or it is still to come.
                let rows = self.memory.directory.json(self.conn, &at.1, kind::OWN)?;
                let stored = self
                    .conn
                    .prepare_cached(
                        "SELECT root FROM log WHERE id IN (SELECT value FROM json_each(?3)) AND trace_id = ?1 AND +project = ?2",
                    )?
                    .query_row(params![key(&at.1), project, rows], |row| row.get(0))
                    .optional()?
                    .map(|Key(root)| root);
                break stored.unwrap_or(at.1);
            };
            at = (project, log.parent.clone());
        };
        roots.extend(way.into_iter().map(|place| (place, root.clone())));
        Ok(root)
    }
}

impl Loose {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        let (Key(trace_id), Key(parent), Key(root)) = (row.get(1)?, row.get(2)?, row.get(3)?);
        Ok(Self { id: row.get(0)?, trace_id, parent, root })
    }
}
