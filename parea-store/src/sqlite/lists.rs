//! Which rows a list shows: filter, order and place, along an index wherever there is one.

use std::fmt::Write as _;

use parea_types::{Status, Timestamp};
use rusqlite::{Connection, OptionalExtension, params_from_iter, types::Value};

use super::{
    directory::{kind, linked},
    ingest::status_code,
    key::{Key, key_value},
    plan::{Access, Plan, Planner, Run, Sql},
    tallies,
};
use crate::{After, Count, Cursor, LogFilter, Page, Scope};

/// So many are sorted in about a millisecond.
const FEW: i64 = 1000;

/// What is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Logs,
    Traces,
}

/// A list as it was asked for.
#[derive(Clone, Debug)]
pub(super) struct List {
    kind: Kind,
    scope: Scope,
    filter: LogFilter,
    /// Rows that are sorted when needed rather than looked for along the order of time.
    pub(super) few: i64,
}

/// Where the rows come from.
#[derive(Debug)]
enum Way {
    /// Along the list's own order, each looked at.
    Walk,
    /// Along an index that has the matches of one condition in the list's order.
    Run(Run),
    /// From all matches of one condition.
    Found(Sql),
}

/// A list's statement in pieces.
#[derive(Debug)]
struct Statement {
    way: Way,
    /// What must hold; the list's own conditions first.
    conditions: Vec<Sql>,
    /// How many are beside the one condition that [`Way`] goes by, where it goes by one.
    others: usize,
}

impl List {
    pub(super) fn new(kind: Kind, scope: &Scope, filter: &LogFilter) -> Self {
        Self { kind, scope: scope.clone(), filter: filter.clone(), few: FEW }
    }

    /// The table whose rows are listed, and its name for the log's id.
    fn table(&self) -> (&'static str, &'static str) {
        match self.kind {
            Kind::Logs => ("log", "trace_id"),
            Kind::Traces => ("trace", "root"),
        }
    }

    fn statement(&self, conn: &Connection, counts: bool) -> rusqlite::Result<Statement> {
        let mut conditions = self.own_conditions();
        let plan = self.plan(conn)?;
        let others = usize::from(self.filter.status.is_some()) + plan.conditions.len().saturating_sub(1);
        let way = self.way(conn, plan.accesses, counts)?;
        conditions.extend(plan.conditions);
        Ok(Statement { way, conditions, others })
    }

    /// The conditions beside the filter.
    fn own_conditions(&self) -> Vec<Sql> {
        let (table, _) = self.table();
        let mut conditions = Vec::new();
        if let Some(project) = &self.scope.project {
            let own = format!("{table}.project = (SELECT id FROM project WHERE uuid = ?)");
            conditions.push(Sql::new(own, [Value::Text(project.clone())]));
        }
        match self.filter.status {
            // Literally, so that the planner sees that the index of failures serves.
            Some(Status::Error) => conditions.push(Sql::new(format!("{table}.status = 2"), [])),
            Some(status) => {
                let status = Value::Integer(status_code(status));
                conditions.push(Sql::new(format!("{table}.status = ?"), [status]));
            }
            None => {}
        }
        if let Some(from) = self.filter.started_from {
            conditions.push(Sql::new(format!("{table}.started >= ?"), [Value::Integer(from.micros())]));
        }
        conditions
    }

    /// All conditions as one.
    pub(super) fn conditions(&self, conn: &Connection) -> rusqlite::Result<Sql> {
        let mut conditions = self.own_conditions();
        conditions.extend(self.plan(conn)?.conditions);
        Ok(Sql::join(conditions, " AND ", "1"))
    }

    fn plan(&self, conn: &Connection) -> rusqlite::Result<Plan> {
        let Some(filter) = &self.filter.filter else { return Ok(Plan::default()) };
        Planner { conn, project: self.project(conn)? }.plan(filter)
    }

    /// Row id of the scope's project.
    fn project(&self, conn: &Connection) -> rusqlite::Result<Option<i64>> {
        let Some(uuid) = &self.scope.project else { return Ok(None) };
        let mut find = conn.prepare_cached("SELECT id FROM project WHERE uuid = ?")?;
        // No project has this one.
        Ok(Some(find.query_row([uuid], |row| row.get(0)).optional()?.unwrap_or(-1)))
    }

    /// The shortest way. It costs little to find out: at most [`few`](Self::few) rows of each index are counted.
    fn way(&self, conn: &Connection, accesses: Vec<Access>, counts: bool) -> rusqlite::Result<Way> {
        let mut best: Option<(i64, Access)> = None;
        for access in accesses {
            let sql = format!("SELECT count(*) FROM ({} LIMIT {})", access.found.text, self.few + 1);
            let rows: i64 =
                conn.prepare_cached(&sql)?.query_row(params_from_iter(&access.found.values), |row| row.get(0))?;
            if best.as_ref().is_none_or(|(fewest, _)| rows < *fewest) {
                best = Some((rows, access));
            }
        }
        Ok(match best {
            Some((rows, access)) if rows <= self.few => Way::Found(access.found),
            Some((_, Access { run: Some(run), .. })) if self.kind == Kind::Logs => Way::Run(run),
            Some((_, access)) if counts => Way::Found(access.found),
            None | Some(_) => Way::Walk,
        })
    }

    /// The statement for one page.
    pub(super) fn sql(&self, conn: &Connection, after: &After, limit: u32) -> rusqlite::Result<Sql> {
        let (table, id) = self.table();
        let mut statement = self.statement(conn, false)?;
        let (order, distinct) = match &statement.way {
            Way::Run(run) => (run.table, if run.repeats { "DISTINCT " } else { "" }),
            _ => (table, ""),
        };
        if let After::Cursor(cursor) = after {
            let started = Value::Integer(cursor.started.micros());
            if let Way::Run(run) = &statement.way {
                // Where to begin along the index; the next condition is about two tables.
                let begin = format!("{}.started <= ?", run.table);
                statement.conditions.push(Sql::new(begin, [started.clone()]));
            }
            let place = format!("({order}.started, {table}.{id}) < (?, ?)");
            statement.conditions.push(Sql::new(place, [started, key_value(&cursor.id)]));
        }
        let columns = format!("{distinct}{table}.id, {order}.started, {table}.{id}");
        let mut sql = statement.select(self.kind, self.filter.filter.is_some(), &columns);
        let skip = match after {
            After::Skip(rows) => i64::try_from(*rows).unwrap_or(i64::MAX),
            _ => 0,
        };
        let _ = write!(sql.text, " ORDER BY {order}.started DESC, {table}.{id} DESC LIMIT ? OFFSET ?");
        // One more than asked for tells whether there is a next page.
        sql.values.extend([Value::Integer(i64::from(limit) + 1), Value::Integer(skip)]);
        Ok(sql)
    }

    /// Row ids of a page, newest first.
    pub(super) fn page(&self, conn: &Connection, after: &After, limit: u32) -> rusqlite::Result<Page<i64>> {
        let sql = self.sql(conn, after, limit)?;
        let mut rows: Vec<(i64, i64, Key)> = conn
            .prepare_cached(&sql.text)?
            .query_map(params_from_iter(sql.values), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<Result<_, _>>()?;
        let limit = limit as usize;
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| has_more).map(|(_, started, Key(id))| Cursor {
            started: Timestamp::from_micros(*started).unwrap_or_default(),
            id: id.clone(),
        });
        Ok(Page { rows: rows.into_iter().map(|(id, ..)| id).collect(), next })
    }

    /// The statement that counts up to some number of rows, which is its last value.
    pub(super) fn count_sql(&self, conn: &Connection, most: i64) -> rusqlite::Result<Sql> {
        let statement = self.statement(conn, true)?;
        let mut rows = match &statement.way {
            Way::Run(run) if statement.others == 0 => run.rows(self.filter.started_from),
            Way::Run(run) if run.repeats => statement.select(self.kind, true, "DISTINCT log.id"),
            _ => statement.select(self.kind, self.filter.filter.is_some(), "1"),
        };
        rows.values.push(Value::Integer(most));
        Ok(Sql { text: format!("SELECT count(*) FROM ({} LIMIT ?)", rows.text), values: rows.values })
    }

    /// The number of rows where nothing but project, status and time is asked for.
    fn tallied(&self, conn: &Connection) -> rusqlite::Result<Option<u64>> {
        if self.kind != Kind::Logs || !self.plan(conn)?.conditions.is_empty() {
            return Ok(None);
        }
        let from = self.filter.started_from.map(Timestamp::micros);
        tallies::count(conn, self.project(conn)?, self.filter.status, from).map(Some)
    }

    pub(super) fn count(&self, conn: &Connection, budget: u64) -> rusqlite::Result<Count> {
        let most = i64::try_from(budget).unwrap_or(i64::MAX).saturating_add(1);
        let count = if let Some(count) = self.tallied(conn)? {
            count
        } else {
            let sql = self.count_sql(conn, most)?;
            conn.prepare_cached(&sql.text)?.query_row(params_from_iter(sql.values), |row| row.get(0))?
        };
        Ok(if count > budget { Count::AtLeast(budget) } else { Count::Exact(count) })
    }
}

impl Run {
    /// The logs of a run without a look at the logs themselves.
    fn rows(&self, from: Option<Timestamp>) -> Sql {
        let table = self.table;
        if let (Some(unordered), None) = (&self.unordered, from) {
            return unordered.clone();
        }
        // With the time before it, which is the index's order.
        let logs = if self.repeats { format!("DISTINCT {table}.started, {table}.log") } else { "1".to_owned() };
        let Sql { text, mut values } = self.condition.clone();
        let mut text = format!("SELECT {logs} FROM {table} WHERE {text}");
        if let Some(from) = from {
            let _ = write!(text, " AND {table}.started >= ?");
            values.push(Value::Integer(from.micros()));
        }
        Sql { text, values }
    }
}

impl Statement {
    /// `SELECT columns FROM … WHERE …`. A filter of traces looks at their roots. `CROSS` keeps the tables in this
    /// order.
    fn select(&self, kind: Kind, is_filtered: bool, columns: &str) -> Sql {
        let root = format!(
            "log ON log.id IN ({}) AND +log.trace_id = trace.root AND +log.project = trace.project",
            linked("trace.root", kind::OWN)
        );
        let trace = "trace ON trace.root = log.trace_id AND trace.project = log.project";
        let mut values = Vec::new();
        let mut conditions: Vec<&str> = Vec::new();
        let from = match (&self.way, kind) {
            (Way::Walk, Kind::Logs) => "log".to_owned(),
            (Way::Walk, Kind::Traces) if is_filtered => format!("trace CROSS JOIN {root}"),
            (Way::Walk, Kind::Traces) => "trace".to_owned(),
            (Way::Run(run), _) => {
                conditions.push(&run.condition.text);
                values.extend_from_slice(&run.condition.values);
                format!("{0} CROSS JOIN log ON log.id = {0}.log", run.table)
            }
            (Way::Found(found), kind) => {
                values.extend_from_slice(&found.values);
                let logs =
                    format!("(SELECT DISTINCT log FROM ({})) found CROSS JOIN log ON log.id = found.log", found.text);
                if kind == Kind::Traces { format!("{logs} CROSS JOIN {trace}") } else { logs }
            }
        };
        for condition in &self.conditions {
            conditions.push(&condition.text);
            values.extend_from_slice(&condition.values);
        }
        let mut text = format!("SELECT {columns} FROM {from}");
        if !conditions.is_empty() {
            text.push_str(" WHERE ");
            text.push_str(&conditions.join(" AND "));
        }
        Sql { text, values }
    }
}

impl Page<i64> {
    /// The same page with what the row ids stand for.
    pub(super) fn try_map<T>(self, read: impl FnMut(i64) -> rusqlite::Result<T>) -> rusqlite::Result<Page<T>> {
        let rows = self.rows.into_iter().map(read).collect::<Result<_, _>>()?;
        Ok(Page { rows, next: self.next })
    }
}
