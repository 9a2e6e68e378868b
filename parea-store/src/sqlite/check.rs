//! What SQLite's own check cannot see: whether the tables agree with one another.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use parea_types::TraceLog;
use rusqlite::{Connection, OptionalExtension, Row as Columns, Transaction, params};

use super::{
    block::{Opened, Words},
    directory::{View, kind, linked},
    functions,
    index::Leads,
    ingest::status_of,
    key::{Key, key},
    open::Reader,
    salvage,
    terms::{Terms, Vocabulary},
    values::{self, Blocks, Source},
};
use crate::{
    merge::Form,
    row::{Head, Row},
};

/// Statements that find nothing in a sound file, and what it means if they do. Each row is an example.
const RULES: &[(&str, &str)] = &[
    (
        "the sums of a trace are not those of its logs",
        "SELECT trace.id FROM trace LEFT JOIN (
            SELECT project, root, count(*) AS spans, total(status = 2) AS errors, total(input_tokens) AS input,
                total(output_tokens) AS output, total(total_tokens) AS total, min(started) AS started
            FROM log GROUP BY project, root
        ) own ON own.project = trace.project AND own.root = trace.root
        WHERE trace.spans IS NOT own.spans OR trace.errors IS NOT own.errors OR trace.input_tokens IS NOT own.input
            OR trace.output_tokens IS NOT own.output OR trace.total_tokens IS NOT own.total
            OR trace.started IS NOT own.started",
    ),
    (
        "a log has no trace",
        "SELECT log.id FROM log LEFT JOIN trace ON trace.root = log.root AND trace.project = log.project
        WHERE trace.id IS NULL",
    ),
    (
        "the number of logs of an hour is not that of its logs",
        "SELECT project FROM (
            SELECT project, hour, logs, succeeded, failed FROM tally
            UNION ALL
            SELECT project, (started - iif(started < 0, 3599999999, 0)) / 3600000000, -count(*), -total(status = 1),
                -total(status = 2) FROM log GROUP BY 1, 2
        ) GROUP BY project, hour HAVING total(logs) <> 0 OR total(succeeded) <> 0 OR total(failed) <> 0",
    ),
    ("a value has no log", "SELECT doc.id FROM doc LEFT JOIN log ON log.id = doc.id WHERE log.id IS NULL"),
    (
        "a value and its log disagree on their block",
        "SELECT doc.id FROM doc JOIN log ON log.id = doc.id
        WHERE iif(doc.block > 0, doc.block, NULL) IS NOT log.block",
    ),
    (
        "something later was said of a log that is in no block, or changed as a whole",
        "SELECT late.log FROM late LEFT JOIN log ON log.id = late.log
        WHERE log.block IS NOT late.block OR late.log IN (SELECT id FROM doc)",
    ),
    (
        "a word leads to no log",
        "SELECT term.log FROM term LEFT JOIN log ON log.id = term.log
        WHERE log.id IS NULL OR log.started <> term.started",
    ),
    (
        "a score leads to no log",
        "SELECT score.log FROM score LEFT JOIN log ON log.id = score.log
        WHERE log.id IS NULL OR log.started <> score.started",
    ),
    (
        "the cost of a trace is not that of its logs",
        "SELECT trace.id FROM trace JOIN (SELECT project, root, total(cost) AS cost FROM log GROUP BY project, root) own
            ON own.project = trace.project AND own.root = trace.root
        WHERE abs(own.cost - coalesce(trace.cost, 0)) > 1e-6 * (1 + abs(own.cost))",
    ),
    (
        "the count of arrivals is behind a log, so that a new one would take its place",
        "SELECT log.id FROM log WHERE log.id > (SELECT arrivals FROM history)",
    ),
    (
        "the count of words is behind one, so that a new one would take its place",
        "SELECT word.id FROM word WHERE word.id > (SELECT words FROM history)",
    ),
    (
        "a log names a run of an experiment that is not known",
        "SELECT log.id FROM log WHERE experiment IS NOT NULL AND experiment NOT IN (SELECT uuid FROM experiment)",
    ),
    (
        "a part of the index of words belongs to nothing",
        "SELECT posting.id FROM posting WHERE posting.id / 128 NOT IN (SELECT id FROM slab)",
    ),
    (
        "a log's project is missing",
        "SELECT log.id FROM log LEFT JOIN project ON project.id = log.project
        WHERE project.id IS NULL",
    ),
    (
        "a row of a dataset has no dataset",
        "SELECT test_case.id FROM test_case LEFT JOIN dataset ON dataset.id = dataset
        WHERE dataset.id IS NULL",
    ),
];

/// Logs that are not found by their ids, their parents' or their roots'.
fn lost() -> String {
    format!(
        "SELECT log.id FROM log WHERE log.id NOT IN ({}) OR log.id NOT IN ({}) OR log.id NOT IN ({})",
        linked("log.trace_id", kind::OWN),
        linked("log.parent", kind::OWN | kind::CHILDREN),
        linked("log.root", kind::MEMBERS)
    )
}

/// More threads would wait for one another's pages.
const MOST_THREADS: usize = 4;

/// Parts in which blocks and logs are gone through.
const PARTS: i64 = 16;

/// A part of the check, which can be done by itself.
#[derive(Clone, Copy, Debug)]
enum Part {
    /// SQLite's own check.
    Engine,
    /// What a statement finds, and what it means if it does.
    Rule(&'static str, &'static str),
    /// Whether logs are found by their ids.
    Ids,
    /// The blocks of logs from one id on to before another.
    Blocks(i64, i64),
    /// Such logs.
    Logs(i64, i64),
}

/// Faults, at most so many. Where the file itself is damaged each check goes as far as it can. Parts are done side by side,
/// on a connection for each processor.
pub(super) fn faults(open: impl Fn() -> rusqlite::Result<Reader> + Sync, most: usize) -> rusqlite::Result<Vec<String>> {
    let first = open()?;
    // Where even this cannot be read, the parts will tell.
    let last = first.query_row("SELECT max(id) FROM log", [], |row| row.get::<_, Option<i64>>(0));
    let each = last.ok().flatten().unwrap_or_default() / PARTS + 1;
    let ranges = || {
        (0..PARTS).map(|part| {
            let from = if part == 0 { i64::MIN >> 8 } else { part * each };
            let to = if part == PARTS - 1 { i64::MAX >> 8 } else { (part + 1) * each };
            (from, to)
        })
    };
    let mut parts = vec![Part::Engine];
    parts.extend(RULES.iter().map(|(meaning, sql)| Part::Rule(meaning, sql)));
    parts.push(Part::Ids);
    parts.extend(ranges().map(|(from, to)| Part::Blocks(from, to)));
    parts.extend(ranges().map(|(from, to)| Part::Logs(from, to)));
    let next = AtomicUsize::new(0);
    let work = |reader: Reader| -> rusqlite::Result<Vec<(usize, Vec<String>)>> {
        let mut looker = Looker::new(&reader)?;
        let mut found = Vec::new();
        while let number = next.fetch_add(1, Ordering::Relaxed)
            && let Some(part) = parts.get(number)
        {
            found.push((number, looker.part(*part, most)?));
        }
        Ok(found)
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    let mut found = thread::scope(|scope| -> rusqlite::Result<_> {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(|| work(open()?))).collect();
        let mut found = work(first)?;
        for other in others {
            found.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Ok(found)
    })?;
    found.sort_unstable_by_key(|(number, _)| *number);
    let mut faults: Vec<String> = found.into_iter().flat_map(|(_, faults)| faults).collect();
    // Damage of the file may be met in several parts.
    faults.dedup();
    faults.truncate(most);
    Ok(faults)
}

/// One connection's side of a check, in one state of the file.
struct Looker<'a> {
    reader: &'a Reader,
    _state: Transaction<'a>,
    /// The words that are looked through for parts, by their hashes, and those that lead to blocks; read when first
    /// needed.
    words: Option<(HashSet<u64>, Leads)>,
    vocabulary: Vocabulary,
}

impl<'a> Looker<'a> {
    fn new(reader: &'a Reader) -> rusqlite::Result<Self> {
        let state = reader.unchecked_transaction()?;
        functions::begin(&state)?;
        Ok(Self { reader, _state: state, words: None, vocabulary: Vocabulary::default() })
    }

    fn part(&mut self, part: Part, most: usize) -> rusqlite::Result<Vec<String>> {
        let mut faults = Vec::new();
        let (done, what) = match part {
            Part::Engine => (engine(self.reader, &mut faults), "the database".to_owned()),
            Part::Rule(meaning, sql) => {
                (rule(self.reader, meaning, sql, most, &mut faults), format!("whether {meaning}"))
            }
            Part::Ids => (self.ids(most, &mut faults), "whether a log is not found by its ids".to_owned()),
            Part::Blocks(from, to) => (self.blocks(from, to, most, &mut faults), "a block of values".to_owned()),
            Part::Logs(from, to) => (self.logs(from, to, most, &mut faults), "a log".to_owned()),
        };
        done.or_else(|error| unless_damage(error, &what, &mut faults))?;
        Ok(faults)
    }
}

/// Notes that something cannot be read for damage of the file; any other error stays one.
fn unless_damage(error: rusqlite::Error, what: &str, faults: &mut Vec<String>) -> rusqlite::Result<()> {
    if !salvage::is_damage(&error) {
        return Err(error);
    }
    faults.push(format!("{what} cannot be read: {error}"));
    Ok(())
}

/// SQLite's own check.
fn engine(conn: &Connection, faults: &mut Vec<String>) -> rusqlite::Result<()> {
    let mut check = conn.prepare("PRAGMA integrity_check")?;
    let mut rows = check.query([])?;
    while let Some(row) = rows.next()? {
        let said: String = row.get(0)?;
        if said != "ok" {
            faults.push(said);
        }
    }
    Ok(())
}

fn rule(conn: &Connection, meaning: &str, sql: &str, most: usize, faults: &mut Vec<String>) -> rusqlite::Result<()> {
    let mut find = conn.prepare(&format!("{sql} LIMIT {}", most.max(1)))?;
    let mut rows = find.query([])?;
    while let Some(row) = rows.next()? {
        faults.push(format!("{meaning} (row {})", row.get::<_, i64>(0)?));
    }
    Ok(())
}

impl Looker<'_> {
    /// Logs are found by their ids, their parents' and their roots'.
    fn ids(&mut self, most: usize, faults: &mut Vec<String>) -> rusqlite::Result<()> {
        self.reader.slot.set(Some(Arc::new(View::load(self.reader)?)));
        rule(self.reader, "a log is not found by its ids", &lost(), most, faults)
    }

    /// Each block can be read, is that of its logs, and is found by all of its words, by parts of them too.
    fn blocks(&mut self, from: i64, to: i64, most: usize, faults: &mut Vec<String>) -> rusqlite::Result<()> {
        let conn: &Connection = self.reader;
        let (spelled, leads) = match &mut self.words {
            Some(words) => words,
            none => none.insert((spelled(conn)?, Leads::new(conn)?)),
        };
        let mut read = conn.prepare("SELECT id, first, data FROM block WHERE id >= ?1 AND id < ?2 ORDER BY id")?;
        let mut owner = conn.prepare("SELECT block, plain FROM log WHERE id = ?1")?;
        let mut rows = read.query([from << 8, to << 8])?;
        while let Some(row) = rows.next()? {
            if faults.len() >= most {
                break;
            }
            let id: i64 = row.get(0)?;
            let opened = match Opened::read(row.get(1)?, row.get_ref(2)?.as_blob()?) {
                Ok(opened) => opened,
                Err(error) => {
                    faults.push(format!("block {id}: {error}"));
                    continue;
                }
            };
            let mut pieces = Vec::new();
            for (log, stamps, json) in opened.values() {
                let row =
                    owner.query_row([log], |row| Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?)));
                match row.optional()? {
                    None => faults.push(format!("block {id} holds the value of log {log}, which has no row")),
                    Some((owner, _)) if owner != Some(id) => {
                        faults.push(format!("block {id} holds log {log}, which is not its own"));
                    }
                    Some((_, Some(_))) if stamps.is_some() => {
                        faults.push(format!("log {log} changed before it came into block {id}, and its row denies it"));
                    }
                    Some(_) => {}
                }
                pieces.extend(values::pieces(json));
            }
            let words = Words::of(pieces.iter());
            let missing = leads.missing(conn, id, &words.hashes)?;
            if missing > 0 {
                faults.push(format!("block {id} is not found by {missing} of its words"));
            }
            let missing = words.whole.iter().filter(|word| !spelled.contains(word)).count();
            if missing > 0 {
                faults.push(format!("block {id} is not found by parts of {missing} of its words"));
            }
        }
        Ok(())
    }

    /// Each log's value can be read, is what its row says, is found by what it is looked up by, and its trace shows it if it is
    /// the root.
    fn logs(&mut self, from: i64, to: i64, most: usize, faults: &mut Vec<String>) -> rusqlite::Result<()> {
        let conn: &Connection = self.reader;
        let sql = format!(
            "SELECT {}, project, trace_id, root, {ROW} FROM {} WHERE log.id >= ?1 AND log.id < ?2 ORDER BY log.id",
            values::COLUMNS,
            values::SOURCES
        );
        let mut read = conn.prepare(&sql)?;
        let mut rows = read.query([from, to])?;
        let blocks = Blocks::default();
        let mut broken = HashSet::new();
        while let Some(row) = rows.next()? {
            if faults.len() >= most {
                break;
            }
            let id: i64 = row.get(0)?;
            log(conn, &mut self.vocabulary, (row, id), &blocks, &mut broken, faults)
                .or_else(|error| unless_damage(error, &format!("log {id}"), faults))?;
        }
        Ok(())
    }
}

/// The words that are looked through for parts, by their hashes.
fn spelled(conn: &Connection) -> rusqlite::Result<HashSet<u64>> {
    let mut spelled = HashSet::new();
    let mut read = conn.prepare("SELECT words FROM spelling")?;
    let mut rows = read.query([])?;
    while let Some(row) = rows.next()? {
        spelled.extend(row.get_ref(0)?.as_str()?.split(' ').map(crate::tree::fnv));
    }
    Ok(spelled)
}

/// One of them. `broken` has the blocks that cannot be read, which are told once.
fn log(
    conn: &Connection,
    vocabulary: &mut Vocabulary,
    (row, id): (&Columns<'_>, i64),
    blocks: &Blocks,
    broken: &mut HashSet<i64>,
    faults: &mut Vec<String>,
) -> rusqlite::Result<()> {
    let source = Source::read(row)?;
    let block = source.block;
    if block.is_some_and(|block| broken.contains(&block)) {
        return Ok(());
    }
    let value = match source.value(conn, blocks) {
        Ok(value) => value,
        Err(error) => {
            faults.push(format!("log {id}: {error}"));
            broken.extend(block);
            return Ok(());
        }
    };
    if value.stamps.as_deref().is_some_and(|stamps| serde_json::from_str::<Form>(stamps).is_err()) {
        faults.push(format!("log {id}: what is known of its changes cannot be read"));
    }
    let log: TraceLog = match serde_json::from_str(&value.json) {
        Ok(log) => log,
        Err(error) => {
            faults.push(format!("log {id}: its value cannot be read: {error}"));
            return Ok(());
        }
    };
    let (project, Key(trace_id), Key(root)) =
        (row.get(values::WIDTH)?, row.get(values::WIDTH + 1)?, row.get(values::WIDTH + 2)?);
    if trace_id != log.trace_id || !is_row(row, values::WIDTH + 3, &log)? {
        faults.push(format!("log {id}: its row is not that of its value"));
    }
    let missing = Terms::of(&log).missing(conn, vocabulary, project, id)?;
    if missing > 0 {
        faults.push(format!("log {id} is not found by {missing} of its names, tags, metadata or scores"));
    }
    if trace_id == root && !is_head(conn, project, &log)? {
        faults.push(format!("log {id}: what lists show of its trace is not what it says"));
    }
    Ok(())
}

/// The columns of `log` that follow from its value.
pub(super) const ROW: &str =
    "parent, started, execution_order, status, input_tokens, output_tokens, total_tokens, cost,
    scores, experiment";

/// Whether these columns, from a place on, are those of the log.
pub(super) fn is_row(row: &Columns<'_>, at: usize, log: &TraceLog) -> rusqlite::Result<bool> {
    let said = Row::of(log);
    Ok(row.get::<_, Key>(at)?.0 == said.parent
        && row.get::<_, i64>(at + 1)? == said.started
        && row.get::<_, i64>(at + 2)? == said.execution_order
        && status_of(row.get(at + 3)?) == said.status
        && row.get::<_, i64>(at + 4)? == said.input_tokens
        && row.get::<_, i64>(at + 5)? == said.output_tokens
        && row.get::<_, i64>(at + 6)? == said.total_tokens
        && row.get::<_, Option<f64>>(at + 7)? == said.cost
        && row.get::<_, Option<String>>(at + 8)? == said.scores
        && row.get::<_, Option<String>>(at + 9)? == said.experiment)
}

/// Whether the trace of a root shows what the root says.
fn is_head(conn: &Connection, project: i64, log: &TraceLog) -> rusqlite::Result<bool> {
    let head = Head::of(log);
    let mut find = conn.prepare_cached(
        "SELECT has_root, name, latency, status, tags, session_id, end_user_identifier, inputs_preview, output_preview,
            error_preview
         FROM trace WHERE root = ?2 AND project = ?1",
    )?;
    let shown = find
        .query_row(params![project, key(&log.trace_id)], |row| {
            Ok(row.get(0)?
                && row.get::<_, Option<String>>(1)? == head.name
                && row.get::<_, Option<f64>>(2)? == head.latency
                && status_of(row.get(3)?) == head.status
                && row.get::<_, Option<String>>(4)? == head.tags
                && row.get::<_, Option<String>>(5)? == head.session_id
                && row.get::<_, Option<String>>(6)? == head.end_user_identifier
                && row.get::<_, Option<String>>(7)? == head.inputs_preview
                && row.get::<_, Option<String>>(8)? == head.output_preview
                && row.get::<_, Option<String>>(9)? == head.error_preview)
        })
        .optional()?;
    Ok(shown.unwrap_or(true))
}
