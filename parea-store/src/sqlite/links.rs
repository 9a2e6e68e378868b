//! Roots that follow from parents.

use std::collections::HashSet;

use rusqlite::{OptionalExtension, params};

use super::ingest::Ingest;
use crate::row::Row;

/// The children of log `?2` that name no root and do not have the root `?3` yet.
pub(super) const ROOTLESS: &str =
    "SELECT id, trace_id, root FROM log WHERE project = ?1 AND parent = ?2 AND root_said = 0 AND root <> ?3";

impl Ingest<'_> {
    /// The root of a log: the one that it names, else its parent's, else the parent's id until that one comes. Where
    /// parents form a circle and none names a root, it is the smallest id of the circle.
    pub(super) fn root_of(&self, project: i64, trace_id: &str, row: &Row, is_new: bool) -> rusqlite::Result<String> {
        if let Some(root) = &row.root {
            return Ok(root.clone());
        }
        let mut find =
            self.conn.prepare_cached("SELECT parent, root, root_said FROM log WHERE trace_id = ?1 AND project = ?2")?;
        let mut way = vec![trace_id.to_owned()];
        let mut seen: HashSet<String> = way.iter().cloned().collect();
        let mut at = row.parent.clone();
        loop {
            if !seen.insert(at.clone()) {
                let circle = way.into_iter().skip_while(|id| *id != at);
                return Ok(circle.min().unwrap_or(at));
            }
            let found: Option<(String, String, bool)> =
                find.query_row(params![at, project], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
            match found {
                None => return Ok(at),
                Some((_, root, true)) => return Ok(root),
                // What is above the parent was followed when the parent came, unless it ended at this log.
                Some((_, root, false)) if is_new && root != trace_id => return Ok(root),
                Some((parent, _, false)) => way.push(std::mem::replace(&mut at, parent)),
            }
        }
    }

    /// Hands a log's root down to those below that name none.
    pub(super) fn hand_down(&mut self, project: i64, trace_id: &str, root: &str) -> rusqlite::Result<()> {
        let mut find = self.conn.prepare_cached(ROOTLESS)?;
        let mut mend = self.conn.prepare_cached("UPDATE log SET root = ?2 WHERE id = ?1")?;
        let mut parents = vec![trace_id.to_owned()];
        while let Some(parent) = parents.pop() {
            let children: Vec<(i64, String, String)> = find
                .query_map(params![project, parent, root], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                .collect::<Result<_, _>>()?;
            for (id, child, old) in children {
                mend.execute(params![id, root])?;
                self.rollups.recount(project, &old);
                self.rollups.recount(project, root);
                parents.push(child);
            }
        }
        Ok(())
    }
}
