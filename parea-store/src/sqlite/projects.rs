//! Projects: found by name or uuid, made when missing.

use parea_types::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::ingest::Ingest;
use crate::{Project, Scope};

/// The project of logs that name none.
const NAMELESS: &str = "default";

/// Reasons of losses that are told apart in one project; clients choose their words. Further ones count as `other`.
const REASONS: i64 = 64;

/// Reports of losses that are known again. A client repeats one within minutes, or when it is started again.
const REPORTS: i64 = 10_000;

const COLUMNS: &str = "SELECT uuid, name, created FROM project";

fn read(row: &Row<'_>) -> rusqlite::Result<Project> {
    Ok(Project {
        uuid: row.get(0)?,
        name: row.get(1)?,
        created_at: Timestamp::from_micros(row.get(2)?).unwrap_or_default(),
    })
}

pub(super) fn by_name(conn: &Connection, name: &str) -> rusqlite::Result<Option<Project>> {
    conn.prepare_cached(&format!("{COLUMNS} WHERE name = ?1"))?.query_row([name], read).optional()
}

pub(super) fn all(conn: &Connection) -> rusqlite::Result<Vec<Project>> {
    conn.prepare_cached(&format!("{COLUMNS} ORDER BY name"))?.query_map([], read)?.collect()
}

pub(super) fn losses(conn: &Connection, scope: &Scope) -> rusqlite::Result<Vec<(String, u64)>> {
    let sql = "SELECT reason, sum(count) FROM loss
        WHERE ?1 IS NULL OR project = (SELECT id FROM project WHERE uuid = ?1)
        GROUP BY reason ORDER BY reason";
    conn.prepare_cached(sql)?.query_map([&scope.project], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

impl Ingest<'_> {
    /// The project of a log. A uuid that is not known gets a placeholder, which the first name that comes with it
    /// replaces.
    pub(super) fn project_of(&mut self, uuid: Option<&str>, name: Option<&str>) -> rusqlite::Result<i64> {
        let Some(uuid) = uuid else {
            let name = name.unwrap_or(NAMELESS);
            if let Some(id) = self.memory.projects_by_name.get(name) {
                return Ok(*id);
            }
            let known = self.id_where("name", name)?;
            let id = known.map_or_else(|| self.insert_project(&uuid::Uuid::new_v4().to_string(), name, false), Ok)?;
            self.memory.projects_by_name.insert(name.to_owned(), id);
            return Ok(id);
        };
        if let Some((id, placeholder)) = self.memory.projects_by_uuid.get(uuid)
            && (!placeholder || name.is_none())
        {
            return Ok(*id);
        }
        let known: Option<(i64, bool)> = self
            .conn
            .prepare_cached("SELECT id, placeholder FROM project WHERE uuid = ?1")?
            .query_row([uuid], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let free = match name {
            Some(name) if self.id_where("name", name)?.is_none() => Some(name),
            _ => None,
        };
        let (id, placeholder) = match (known, free) {
            (Some((id, true)), Some(name)) => {
                self.conn
                    .prepare_cached("UPDATE project SET name = ?2, placeholder = 0 WHERE id = ?1")?
                    .execute(params![id, name])?;
                self.memory.projects_by_name.clear();
                (id, false)
            }
            (Some(known), _) => known,
            (None, Some(name)) => (self.insert_project(uuid, name, false)?, false),
            (None, None) => (self.insert_placeholder(uuid)?, true),
        };
        self.memory.projects_by_uuid.insert(uuid.to_owned(), (id, placeholder));
        Ok(id)
    }

    /// The project of that name, made if there is none, and whether it was.
    pub(super) fn project_named(&mut self, name: &str) -> rusqlite::Result<(Project, bool)> {
        if let Some(project) = by_name(self.conn, name)? {
            return Ok((project, false));
        }
        let uuid = uuid::Uuid::new_v4().to_string();
        let id = self.insert_project(&uuid, name, false)?;
        let project = self.conn.prepare_cached(&format!("{COLUMNS} WHERE id = ?1"))?.query_row([id], read)?;
        Ok((project, true))
    }

    /// Adds to the figures of a project, given by uuid or by name, unless a report of that id was counted before.
    pub(super) fn losses(
        &mut self,
        project: &str,
        losses: &[(String, u64)],
        report: Option<&str>,
    ) -> rusqlite::Result<bool> {
        if let Some(report) = report {
            let insert = "INSERT INTO loss_report (id) VALUES (?1) ON CONFLICT (id) DO NOTHING";
            if self.conn.prepare_cached(insert)?.execute([report])? == 0 {
                return Ok(false);
            }
            let number = self.conn.last_insert_rowid();
            let delete = "DELETE FROM loss_report WHERE number <= ?1";
            self.conn.prepare_cached(delete)?.execute([number - REPORTS])?;
        }
        let id = match self.id_where("uuid", project)? {
            Some(id) => id,
            None => self.project_of(None, Some(project))?,
        };
        let mut add = self.conn.prepare_cached(
            "INSERT INTO loss (project, reason, count) VALUES (?1, iif(
                EXISTS (SELECT 1 FROM loss WHERE project = ?1 AND reason = ?2)
                OR (SELECT count(*) FROM loss WHERE project = ?1) < ?4, ?2, 'other'), ?3)
             ON CONFLICT (project, reason) DO UPDATE SET count = min(count + excluded.count, 9007199254740992)",
        )?;
        for (reason, count) in losses {
            add.execute(params![id, reason, i64::try_from(*count).unwrap_or(i64::MAX).min(1 << 53), REASONS])?;
        }
        Ok(true)
    }

    fn id_where(&self, column: &str, text: &str) -> rusqlite::Result<Option<i64>> {
        let sql = format!("SELECT id FROM project WHERE {column} = ?1");
        self.conn.prepare_cached(&sql)?.query_row([text], |row| row.get(0)).optional()
    }

    fn insert_project(&self, uuid: &str, name: &str, placeholder: bool) -> rusqlite::Result<i64> {
        let created = Timestamp::from(chrono::Utc::now()).micros();
        self.conn
            .prepare_cached("INSERT INTO project (uuid, name, placeholder, created) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![uuid, name, placeholder, created])?;
        Ok(self.conn.last_insert_rowid())
    }

    /// Its name is the uuid, until somebody already chose that for a name.
    fn insert_placeholder(&self, uuid: &str) -> rusqlite::Result<i64> {
        let mut name = uuid.to_owned();
        while self.id_where("name", &name)?.is_some() {
            name.push('\'');
        }
        self.insert_project(uuid, &name, true)
    }
}
