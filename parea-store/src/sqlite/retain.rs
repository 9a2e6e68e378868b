//! How long logs are kept, and the steps in which the rest goes while the store is at work.

use std::{
    collections::{BTreeMap, HashSet},
    time::{Duration, Instant},
};

use parea_types::{Timestamp, TraceLog};
use rusqlite::{Connection, params};

use super::{
    SqliteStore,
    directory::{kind, linked},
    export::StoreFile,
    ingest::{Ingest, damaged},
    key::{Key, key},
    removal::{self, Trace},
    values::{self, Blocks, Source},
};
use crate::StoreError;

/// How long logs are kept. Traces go as a whole, by their start. What someone may come back to stays whatever the rules
/// say: traces of experiments, and those that people annotated, commented or gave feedback on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Traces that started longer ago go. `None`: they stay.
    pub age: Option<Duration>,
    /// Projects with an age of their own, by name; `None` for those that stay for ever, also where room is short.
    pub projects: BTreeMap<String, Option<Duration>>,
    /// Bytes that the database may use; beyond it the oldest traces go, however young.
    pub size: Option<u64>,
}

/// What went, or would go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retained {
    /// Traces and logs of each project, by name. Where they go for room, a plan can only estimate them.
    pub gone: BTreeMap<String, (u64, u64)>,
    /// Traces that would have gone, but stay because someone may come back to them.
    pub kept: u64,
    /// The longest that one step took the writer.
    pub longest: Duration,
}

impl Retained {
    /// All traces and logs together.
    pub fn total(&self) -> (u64, u64) {
        self.gone.values().fold((0, 0), |sum, gone| (sum.0 + gone.0, sum.1 + gone.1))
    }
}

/// Traces that are looked at in one read.
const LOOK: usize = 256;

/// Logs that are removed together. Their blocks are written anew, about one for each step.
const LOT: usize = 8;

/// When a step ends although it has more to do. What it has begun and the commit come on top.
const ENOUGH: Duration = Duration::from_millis(3);

/// Pages that are given back in a step, and those that are kept for what comes.
pub(super) const PAGES: i64 = 16;
pub(super) const SPARE: i64 = 128;

/// A trace that the rules would let go.
#[derive(Clone, Debug)]
struct Old {
    trace: Trace,
    name: String,
    is_protected: bool,
    logs: u64,
}

/// A place in the list of traces, oldest first.
type Place = (i64, i64);

/// Rules as the file knows projects.
struct Rules {
    /// Of each project, its name and until when its traces go; none where they stay.
    until: BTreeMap<i64, (String, Option<i64>)>,
    latest: i64,
}

impl Retention {
    /// Whether there is any rule.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn rules(&self, conn: &Connection, now: Timestamp, is_for_room: bool) -> rusqlite::Result<Rules> {
        let before = |age: &Duration| now.micros().saturating_sub(i64::try_from(age.as_micros()).unwrap_or(i64::MAX));
        let mut until = BTreeMap::new();
        let mut find = conn.prepare("SELECT id, name FROM project")?;
        let mut rows = find.query([])?;
        while let Some(row) = rows.next()? {
            let name: String = row.get(1)?;
            let age = match self.projects.get(&name) {
                Some(None) => None,
                _ if is_for_room => Some(i64::MAX),
                Some(Some(age)) => Some(before(age)),
                None => self.age.as_ref().map(before),
            };
            until.insert(row.get(0)?, (name, age));
        }
        let latest = until.values().filter_map(|(_, until)| *until).max().unwrap_or(i64::MIN);
        Ok(Rules { until, latest })
    }
}

/// The next traces that the rules let go, behind a place, oldest first; `None` at the end.
fn old(conn: &Connection, rules: &Rules, after: Place) -> rusqlite::Result<(Vec<Old>, Option<Place>)> {
    let mut find = conn.prepare_cached(
        "SELECT project, root, started, id, spans FROM trace
         WHERE started < ?1 AND (started, id) > (?2, ?3) ORDER BY started, id LIMIT ?4",
    )?;
    let mut rows = find.query(params![rules.latest, after.0, after.1, LOOK])?;
    let (mut some, mut place, mut looked) = (Vec::new(), after, 0);
    let blocks = Blocks::default();
    while let Some(row) = rows.next()? {
        looked += 1;
        let (project, started) = (row.get(0)?, row.get(2)?);
        place = (started, row.get(3)?);
        let Some((name, Some(until))) = rules.until.get(&project) else { continue };
        if started < *until {
            let trace = (project, row.get::<_, Key>(1)?.0);
            let is_protected = is_protected(conn, &blocks, &trace)?;
            some.push(Old { trace, name: name.clone(), is_protected, logs: row.get(4)? });
        }
    }
    Ok((some, (looked == LOOK).then_some(place)))
}

/// Whether someone may come back to a trace.
fn is_protected(conn: &Connection, blocks: &Blocks, trace: &Trace) -> rusqlite::Result<bool> {
    let sql = format!(
        "SELECT {}, experiment FROM {} WHERE log.id IN ({}) AND +project = ?1 AND root = ?2",
        values::COLUMNS,
        values::SOURCES,
        linked("?2", kind::MEMBERS)
    );
    let mut find = conn.prepare_cached(&sql)?;
    let mut rows = find.query(params![trace.0, key(&trace.1)])?;
    while let Some(row) = rows.next()? {
        if row.get_ref(values::WIDTH)? != rusqlite::types::ValueRef::Null {
            return Ok(true);
        }
        let json = Source::read(row)?.value(conn, blocks)?.json;
        // Hardly any log has one of these, and reading all takes longest.
        let may = ["\"annotations\"", "\"comments\"", "\"feedback_score\""].iter().any(|name| json.contains(name));
        if may && is_kept(&serde_json::from_str(&json).map_err(damaged)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether someone may come back to a log.
fn is_kept(log: &TraceLog) -> bool {
    log.experiment_uuid.is_some()
        || log.annotations.is_some()
        || log.feedback_score.is_some()
        || log.comments.as_ref().is_some_and(|comments| !comments.is_empty())
}

/// What a step did.
struct Step {
    /// Logs that went of each trace that it came to.
    gone: Vec<u64>,
    /// Whether the last of these traces has more.
    is_open: bool,
    /// Traces that turned out to be protected.
    kept: u64,
    took: Duration,
    /// Whether there is room enough now.
    is_enough: bool,
}

/// Removes the first of some traces, as many as time allows. Someone may have said something of one meanwhile: then
/// what is left of it stays. Where it is for room, no more than it takes.
fn step(ingest: &mut Ingest<'_>, traces: &[Trace], until: i64, size: Option<u64>) -> rusqlite::Result<Step> {
    let begun = Instant::now();
    let mut step = Step { gone: Vec::new(), is_open: false, kept: 0, took: Duration::ZERO, is_enough: false };
    for trace in traces {
        let doomed = ingest.some_of(trace, until, LOT)?;
        let is_kept = doomed.iter().any(|doomed| is_kept(&doomed.log));
        step.kept += u64::from(is_kept);
        step.gone.push(if is_kept { 0 } else { doomed.len() as u64 });
        if !is_kept {
            ingest.remove(trace.0, &doomed)?;
        }
        step.is_open = !is_kept && doomed.len() == LOT;
        step.is_enough =
            size.map_or(Ok(false), |size| Ok::<_, rusqlite::Error>(removal::used(ingest.conn)? <= size))?;
        if step.is_open || step.is_enough || begun.elapsed() > ENOUGH {
            break;
        }
    }
    step.took = begun.elapsed();
    Ok(step)
}

impl SqliteStore {
    /// Lets go of what the rules do not keep, as of `now`, and gives its room back. Beside all other work: in steps that
    /// take the writer some milliseconds each, with as much time for others in between if `is_gentle`.
    pub async fn retain(&self, rules: &Retention, now: Timestamp, is_gentle: bool) -> Result<Retained, StoreError> {
        let mut done = Retained::default();
        let last = self.read(removal::last).await?;
        if rules.age.is_some() || rules.projects.values().any(Option::is_some) {
            self.let_go(rules, now, last, None, is_gentle, &mut done).await?;
        }
        if let Some(size) = rules.size
            && self.read(removal::used).await? > size
        {
            self.let_go(rules, now, last, Some(size), is_gentle, &mut done).await?;
        }
        while self.order(|ingest| ingest.shrink(PAGES, SPARE).map(Ok)).await? {
            if is_gentle {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
        Ok(done)
    }

    async fn let_go(
        &self,
        rules: &Retention,
        now: Timestamp,
        last: i64,
        size: Option<u64>,
        is_gentle: bool,
        done: &mut Retained,
    ) -> Result<(), StoreError> {
        let mut after = Some((i64::MIN, 0));
        while let Some(from) = after {
            let known = rules.clone();
            let (some, next) = self.read(move |conn| old(conn, &known.rules(conn, now, size.is_some())?, from)).await?;
            after = next;
            if size.is_none() {
                done.kept += some.iter().filter(|old| old.is_protected).count() as u64;
            }
            let going: Vec<Old> = some.into_iter().filter(|old| !old.is_protected).collect();
            let mut going = going.as_slice();
            while !going.is_empty() {
                let traces: Vec<Trace> = going.iter().map(|old| old.trace.clone()).collect();
                let step = self.order(move |ingest| step(ingest, &traces, last, size).map(Ok)).await?;
                done.longest = done.longest.max(step.took);
                done.kept += step.kept;
                for (old, logs) in going.iter().zip(&step.gone) {
                    if *logs > 0 {
                        done.gone.entry(old.name.clone()).or_default().1 += logs;
                    }
                }
                let finished = step.gone.len() - usize::from(step.is_open);
                for old in &going[..finished] {
                    if let Some(gone) = done.gone.get_mut(&old.name) {
                        gone.0 += 1;
                    }
                }
                going = &going[finished..];
                if step.is_enough {
                    // A trace that was begun goes as a whole.
                    going = &going[..usize::from(step.is_open).min(going.len())];
                    after = None;
                }
                if is_gentle {
                    tokio::time::sleep(step.took).await;
                }
            }
        }
        Ok(())
    }

    /// Whether so many logs went that the words that they leave behind are worth a look at the whole index, and that
    /// look.
    pub async fn retain_words(&self, gone: u64) -> Result<bool, StoreError> {
        let left: u64 = self
            .read(|conn| conn.query_row("SELECT total(spans) FROM trace", [], |row| row.get::<_, f64>(0)))
            .await? as u64;
        let is_worth_it = gone > 0 && gone.saturating_mul(20) >= left;
        if is_worth_it {
            self.tidy(HashSet::new()).await?;
        }
        Ok(is_worth_it)
    }
}

impl StoreFile {
    /// What [`SqliteStore::retain`] would let go. Where that is for room, an estimate by the average size of logs.
    pub fn retention(&self, rules: &Retention, now: Timestamp) -> Result<Retained, StoreError> {
        self.read_linked(|conn| {
            let mut plan = Retained::default();
            let walk = |by: &Rules, plan: &mut Retained, mut room: Option<u64>| -> rusqlite::Result<()> {
                let mut after = Some((i64::MIN, 0));
                while let Some(from) = after {
                    let (some, next) = old(conn, by, from)?;
                    after = next;
                    for old in some {
                        if room == Some(0) {
                            return Ok(());
                        }
                        if old.is_protected {
                            plan.kept += u64::from(room.is_none());
                            continue;
                        }
                        let gone = plan.gone.entry(old.name).or_default();
                        *gone = (gone.0 + 1, gone.1 + old.logs);
                        room = room.map(|room| room.saturating_sub(old.logs));
                    }
                }
                Ok(())
            };
            walk(&rules.rules(conn, now, false)?, &mut plan, None)?;
            if let Some(size) = rules.size {
                let (used, logs): (u64, u64) = (
                    removal::used(conn)?,
                    conn.query_row("SELECT total(spans) FROM trace", [], |row| row.get::<_, f64>(0))? as u64,
                );
                let average = (used / logs.max(1)).max(1);
                let aged = plan.total().1;
                let excess = (used.saturating_sub(size) / average).saturating_sub(aged);
                if excess > 0 {
                    // Those that go by age are among the oldest and would be met again.
                    let mut all = Retained { kept: plan.kept, ..Retained::default() };
                    walk(&rules.rules(conn, now, true)?, &mut all, Some(excess + aged))?;
                    plan.gone = all.gone;
                }
            }
            Ok(plan)
        })
    }
}
