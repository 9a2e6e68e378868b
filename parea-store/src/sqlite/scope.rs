//! What may be seen of a project, in SQL.

use rusqlite::{Connection, OptionalExtension};

use crate::Scope;

/// What a scope leaves of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Within {
    /// All projects.
    All,
    /// The one of this id.
    Project(i64),
    /// Nothing: there is no such project.
    Nothing,
}

impl Within {
    pub(super) fn of(conn: &Connection, scope: &Scope) -> rusqlite::Result<Self> {
        let Some(uuid) = &scope.project else { return Ok(Self::All) };
        let id = conn
            .prepare_cached("SELECT id FROM project WHERE uuid = ?1")?
            .query_row([uuid], |row| row.get(0))
            .optional()?;
        Ok(id.map_or(Self::Nothing, Self::Project))
    }

    /// A further condition on a column that names the project.
    pub(super) fn and(self, column: &str) -> String {
        match self {
            Self::All => String::new(),
            Self::Project(id) => format!(" AND {column} = {id}"),
            Self::Nothing => " AND 0".to_owned(),
        }
    }

    /// Whether what belongs to this project may be seen.
    pub(super) fn has(self, project: i64) -> bool {
        match self {
            Self::All => true,
            Self::Project(id) => id == project,
            Self::Nothing => false,
        }
    }
}
