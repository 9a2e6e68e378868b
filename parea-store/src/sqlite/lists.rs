//! Which rows a list shows: filter, order and place, always along an index.

use parea_types::{Status, Timestamp};
use rusqlite::{Connection, params_from_iter, types::Value};

use super::ingest::status_code;
use crate::{After, Count, Cursor, LogFilter, Page, Scope};

/// What is listed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Logs,
    Traces,
}

/// A list as it was asked for.
#[derive(Clone, Debug)]
pub(super) struct List {
    table: &'static str,
    id: &'static str,
    conditions: Vec<&'static str>,
    values: Vec<Value>,
}

impl List {
    pub(super) fn new(kind: Kind, scope: &Scope, filter: &LogFilter) -> Self {
        let (table, id) = match kind {
            Kind::Logs => ("log", "trace_id"),
            Kind::Traces => ("trace", "root"),
        };
        let mut list = Self { table, id, conditions: Vec::new(), values: Vec::new() };
        if let Some(project) = &scope.project {
            list.conditions.push("project = (SELECT id FROM project WHERE uuid = ?)");
            list.values.push(Value::Text(project.clone()));
        }
        match filter.status {
            // Literally, so that the planner sees that the index of failures serves.
            Some(Status::Error) => list.conditions.push("status = 2"),
            Some(status) => {
                list.conditions.push("status = ?");
                list.values.push(Value::Integer(status_code(status)));
            }
            None => {}
        }
        if let Some(from) = filter.started_from {
            list.conditions.push("started >= ?");
            list.values.push(Value::Integer(from.micros()));
        }
        list
    }

    /// The statement for one page and its values.
    pub(super) fn sql(&self, after: &After, limit: u32) -> (String, Vec<Value>) {
        let (table, id) = (self.table, self.id);
        let mut conditions: Vec<String> = self.conditions.iter().map(ToString::to_string).collect();
        let mut values = self.values.clone();
        if let After::Cursor(cursor) = after {
            conditions.push(format!("(started, {id}) < (?, ?)"));
            values.push(Value::Integer(cursor.started.micros()));
            values.push(Value::Text(cursor.id.clone()));
        }
        let skip = match after {
            After::Skip(rows) => i64::try_from(*rows).unwrap_or(i64::MAX),
            _ => 0,
        };
        // One more than asked for tells whether there is a next page.
        values.extend([Value::Integer(i64::from(limit) + 1), Value::Integer(skip)]);
        let wanted = wanted(&conditions);
        let sql =
            format!("SELECT id, started, {id} FROM {table}{wanted} ORDER BY started DESC, {id} DESC LIMIT ? OFFSET ?");
        (sql, values)
    }

    /// Row ids of a page, newest first.
    pub(super) fn page(&self, conn: &Connection, after: &After, limit: u32) -> rusqlite::Result<Page<i64>> {
        let (sql, values) = self.sql(after, limit);
        let mut rows: Vec<(i64, i64, String)> = conn
            .prepare_cached(&sql)?
            .query_map(params_from_iter(values), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<Result<_, _>>()?;
        let limit = limit as usize;
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| has_more).map(|(_, started, id)| Cursor {
            started: Timestamp::from_micros(*started).unwrap_or_default(),
            id: id.clone(),
        });
        Ok(Page { rows: rows.into_iter().map(|(id, ..)| id).collect(), next })
    }

    /// The statement that counts.
    pub(super) fn count_sql(&self) -> String {
        let conditions: Vec<String> = self.conditions.iter().map(ToString::to_string).collect();
        format!("SELECT count(*) FROM (SELECT 1 FROM {}{} LIMIT ?)", self.table, wanted(&conditions))
    }

    pub(super) fn count(&self, conn: &Connection, budget: u64) -> rusqlite::Result<Count> {
        let most = i64::try_from(budget).unwrap_or(i64::MAX).saturating_add(1);
        let mut values = self.values.clone();
        values.push(Value::Integer(most));
        let count: u64 =
            conn.prepare_cached(&self.count_sql())?.query_row(params_from_iter(values), |row| row.get(0))?;
        Ok(if count > budget { Count::AtLeast(budget) } else { Count::Exact(count) })
    }
}

fn wanted(conditions: &[String]) -> String {
    if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) }
}

impl Page<i64> {
    /// The same page with what the row ids stand for.
    pub(super) fn try_map<T>(self, read: impl FnMut(i64) -> rusqlite::Result<T>) -> rusqlite::Result<Page<T>> {
        let rows = self.rows.into_iter().map(read).collect::<Result<_, _>>()?;
        Ok(Page { rows, next: self.next })
    }
}
