//! How many logs there are, by project and hour, kept with them: exact totals without a walk over all.

use std::collections::HashMap;

use parea_types::Status;
use rusqlite::{Connection, params};

/// Microseconds.
const HOUR: i64 = 3_600_000_000;

/// Changes of one transaction.
#[derive(Debug, Default)]
pub(super) struct Tallies(HashMap<(i64, i64), Tally>);

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    logs: i64,
    succeeded: i64,
    failed: i64,
}

impl Tallies {
    /// A log that came (1) or went (-1). One that changed went and came.
    pub(super) fn note(&mut self, change: i64, project: i64, started: i64, status: Option<Status>) {
        let tally = self.0.entry((project, started.div_euclid(HOUR))).or_default();
        tally.logs += change;
        match status {
            Some(Status::Success) => tally.succeeded += change,
            Some(Status::Error) => tally.failed += change,
            None => {}
        }
    }

    pub(super) fn write(self, conn: &Connection) -> rusqlite::Result<()> {
        for ((project, hour), tally) in self.0 {
            conn.prepare_cached(
                "INSERT INTO tally (project, hour, logs, succeeded, failed) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (project, hour) DO UPDATE SET logs = logs + excluded.logs,
                    succeeded = succeeded + excluded.succeeded, failed = failed + excluded.failed",
            )?
            .execute(params![project, hour, tally.logs, tally.succeeded, tally.failed])?;
            if tally.logs < 0 {
                conn.prepare_cached("DELETE FROM tally WHERE project = ?1 AND hour = ?2 AND logs = 0")?
                    .execute([project, hour])?;
            }
        }
        Ok(())
    }
}

/// Logs of a project, or of all, that ended so and started at or after a moment.
pub(super) fn count(
    conn: &Connection,
    project: Option<i64>,
    status: Option<Status>,
    from: Option<i64>,
) -> rusqlite::Result<u64> {
    let column = match status {
        None => "logs",
        Some(Status::Success) => "succeeded",
        Some(Status::Error) => "failed",
    };
    // Whole hours, and what is left of the first one by a look at the logs.
    let hour = from.map(|from| from.div_euclid(HOUR));
    let sql = format!(
        "SELECT CAST(total({column}) AS INTEGER) FROM tally WHERE (?1 IS NULL OR project = ?1) AND (?2 IS NULL OR hour > ?2)"
    );
    let whole: u64 = conn.prepare_cached(&sql)?.query_row(params![project, hour], |row| row.get(0))?;
    let (Some(from), Some(hour)) = (from, hour) else { return Ok(whole) };
    let own = if project.is_some() { "project = ?1" } else { "?1 IS NULL" };
    let ended = match status {
        None => "",
        Some(Status::Success) => " AND status = 1",
        Some(Status::Error) => " AND status = 2",
    };
    let sql = format!("SELECT count(*) FROM log WHERE {own} AND started >= ?2 AND started < ?3{ended}");
    let rest: u64 = conn
        .prepare_cached(&sql)?
        .query_row(params![project, from, hour.saturating_add(1).saturating_mul(HOUR)], |row| row.get(0))?;
    Ok(whole + rest)
}

/// Makes them anew from the logs.
pub(super) fn rebuild(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch(
        "DELETE FROM tally;
         INSERT INTO tally SELECT project, (started - iif(started < 0, 3599999999, 0)) / 3600000000, count(*),
            total(status = 1), total(status = 2) FROM log GROUP BY 1, 2",
    )
}
