//! Logs that are to be gone for good: from the tables, the indexes, the words, and from the file's unused parts.

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashSet},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use parea_types::TraceLog;
use rusqlite::{Connection, OptionalExtension, params, types::Value};
use sha2::{Digest, Sha256};

use super::{
    SqliteStore,
    block::Words,
    directory::{kind, linked},
    ingest::{Ingest, damaged},
    job::Work,
    key::{Key, key},
    removal::{self, Trace},
    retain,
    scrub::{self, Pages},
    terms::{self, Column, Word},
    values::{self, Blocks, Source},
};
use crate::{StoreError, text::Pieces};

/// What is to go. Traces go as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Erasure {
    /// The trace that has a log of this id, in every project.
    Trace(String),
    /// All traces in which a log names this end user.
    User(String),
    /// All of a project: its logs, its runs of experiments, its figures, the datasets that are its own. The name stays, so
    /// that clients who still have logs of it are known to send what was erased. Datasets that all projects share stay.
    Project(String),
}

/// Logs that are removed in one transaction.
const LOT: usize = 128;

/// How often the write-ahead log is tried to be emptied while others read, and the pause in between.
const TRIES: u32 = 600;
const PAUSE: Duration = Duration::from_millis(50);

/// How long the writer overwrites unused parts of the file before others have their turn.
const WHILE: Duration = Duration::from_millis(8);

thread_local! {
    /// The file that the thread which writes has overwritten last, kept open: see [`Pages`].
    static PAGES: RefCell<Option<(PathBuf, Pages)>> = const { RefCell::new(None) };
    /// What is under way on that thread.
    static ACTIVE: RefCell<Weak<Mutex<Progress>>> = const { RefCell::new(Weak::new()) };
}

/// Notes what a transaction has written while unused parts are overwritten. To be called before the next one begins, which may
/// begin the write-ahead log anew.
pub(super) fn note_written(conn: &Connection) {
    let Some(progress) = ACTIVE.with_borrow(Weak::upgrade) else { return };
    let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
    if progress.note(&path_of(conn)).is_err() {
        // Nobody knows what it was.
        *progress = Progress::default();
    }
}

fn path_of(conn: &Connection) -> PathBuf {
    conn.path().map(PathBuf::from).unwrap_or_default()
}

impl SqliteStore {
    /// Erases logs and answers how many. When this returns nothing of them is left in the file, nor beside it; hashes of
    /// their ids alone are kept, so that they are not taken in again. Copies of the file are not reached. Done again after
    /// it was broken off, it ends what was begun.
    ///
    /// Others work on meanwhile. At the end the unused parts of the whole file are overwritten, a few milliseconds of the
    /// writer at a time.
    pub async fn erase(&self, what: &Erasure) -> Result<u64, StoreError> {
        // What comes later is new.
        let until = self.read(removal::last).await?;
        let sought = what.clone();
        let traces = self.read(move |conn| find(conn, &sought, until)).await?;
        let (mut count, mut words) = (0, HashSet::new());
        for trace in traces {
            let id = if let Erasure::Trace(id) = what { Some(id.clone()) } else { None };
            loop {
                let (trace, id) = (trace.clone(), id.clone());
                let (gone, said) =
                    self.order(move |ingest| ingest.erase_some(&trace, id.as_deref(), until).map(Ok)).await?;
                count += gone as u64;
                words.extend(said.split(' ').map(ToOwned::to_owned));
                if gone < LOT {
                    break;
                }
            }
        }
        let of = what.clone();
        self.order(move |ingest| ingest.erase_beside(&of).map(Ok)).await?;
        loop {
            let orphans = self.read(orphans).await?;
            if orphans.is_empty() {
                break;
            }
            self.order(move |ingest| ingest.erase_words(&orphans).map(Ok)).await?;
        }
        self.tidy(words).await?;
        while self.order(|ingest| ingest.shrink(retain::PAGES, retain::SPARE).map(Ok)).await? {}
        self.scrub().await?;
        Ok(count)
    }

    /// Overwrites what the file has in its unused pages and parts of pages, and empties the write-ahead log.
    ///
    /// Each step begins with an empty log and an empty cache, so that what it overwrites cannot come back from there. Pages
    /// that were written again since are done again: what was not overwritten yet may have been copied into them.
    async fn scrub(&self) -> Result<(), StoreError> {
        let _alone = self.shared.tidying.lock().await;
        let progress = Arc::new(Mutex::new(Progress::default()));
        let mut tries = 0;
        loop {
            let progress = Arc::clone(&progress);
            let step = self.write(|reply| {
                Work::alone(reply, move |conn| {
                    ACTIVE.set(Arc::downgrade(&progress));
                    let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
                    progress.step(conn)
                })
            });
            match step.await? {
                Step::Done => return Ok(()),
                Step::More => tries = 0,
                Step::Busy if tries == TRIES => break,
                Step::Busy => {
                    tries += 1;
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        Err(StoreError::Engine(
            "it is erased, but for unused parts of the file and the write-ahead log, which someone keeps reading: end long \
             reads of the folder, such as a backup by another program, and do it again"
                .to_owned(),
        ))
    }
}

/// How far the unused parts of the file are overwritten.
#[derive(Debug, Default)]
struct Progress {
    /// The next page.
    next: u32,
    /// Pages that were written since it was their turn.
    again: BTreeSet<u32>,
}

/// What came of a step.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Done,
    More,
    /// Someone reads what the write-ahead log has.
    Busy,
}

impl Progress {
    fn step(&mut self, conn: &Connection) -> rusqlite::Result<Step> {
        let path = path_of(conn);
        if !is_emptied(conn)? {
            return Ok(Step::Busy);
        }
        // Pages in the cache are as they were.
        conn.release_memory()?;
        let done = PAGES.with_borrow_mut(|known| {
            let pages = match known {
                Some((of, pages)) if *of == path => {
                    pages.look()?;
                    pages
                }
                known => &mut known.insert((path.clone(), Pages::open(&path)?)).1,
            };
            self.overwrite(pages)
        });
        done.map(|is_done| if is_done { Step::Done } else { Step::More }).map_err(values::damaged)
    }

    /// Which pages are in the write-ahead log.
    fn note(&mut self, path: &Path) -> io::Result<()> {
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let next = self.next;
        self.again.extend(scrub::pages_in_log(Path::new(&log))?.into_iter().filter(|page| *page < next));
        Ok(())
    }

    /// Overwrites for a while; whether nothing is left to do.
    fn overwrite(&mut self, pages: &mut Pages) -> io::Result<bool> {
        let begun = Instant::now();
        self.next = self.next.max(1);
        while self.next <= pages.count() {
            pages.scrub(self.next)?;
            self.next += 1;
            if begun.elapsed() > WHILE {
                return Ok(false);
            }
        }
        while let Some(page) = self.again.pop_first() {
            let owner = pages.owner(page)?;
            pages.scrub(owner)?;
            if begun.elapsed() > WHILE {
                return Ok(false);
            }
        }
        pages.sync()?;
        Ok(true)
    }
}

/// Copies the write-ahead log into the file and empties it, without waiting for those who read: everyone else would wait
/// too. Whether it is empty.
fn is_emptied(conn: &Connection) -> rusqlite::Result<bool> {
    conn.busy_timeout(Duration::ZERO)?;
    let busy = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
    conn.busy_timeout(super::open::PATIENCE)?;
    Ok(busy? == 0)
}

fn find(conn: &Connection, what: &Erasure, until: i64) -> rusqlite::Result<BTreeSet<Trace>> {
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, Key>(1)?.0));
    match what {
        Erasure::Trace(id) => conn
            .prepare(&format!(
                "SELECT project, root FROM log WHERE id IN ({}) AND (trace_id = ?1 OR root = ?1)",
                linked("?1", kind::MEMBERS)
            ))?
            .query_map([key(id)], read)?
            .collect(),
        Erasure::Project(name) => conn
            .prepare("SELECT project, root FROM trace WHERE project = (SELECT id FROM project WHERE name = ?1)")?
            .query_map([name], read)?
            .collect(),
        Erasure::User(user) => {
            let word = Word::text(Column::User, "", user);
            if !word.is_short() {
                return having(conn, until, |log| log.end_user_identifier.as_ref() == Some(user));
            }
            let sql = format!(
                "SELECT project, root FROM log WHERE id IN (SELECT log FROM term WHERE word IN ({}))",
                terms::WORDS_OF_ALL
            );
            conn.prepare(&sql)?.query_map(params![Column::User as i64, "", word.value], read)?.collect()
        }
    }
}

/// Traces with such a log, by a look at each.
fn having(conn: &Connection, until: i64, is_wanted: impl Fn(&TraceLog) -> bool) -> rusqlite::Result<BTreeSet<Trace>> {
    let blocks = Blocks::default();
    let sql = format!(
        "SELECT {}, project, root FROM {} WHERE log.id <= ?1 ORDER BY log.id",
        values::COLUMNS,
        values::SOURCES
    );
    let mut read = conn.prepare(&sql)?;
    let mut rows = read.query([until])?;
    let mut found = BTreeSet::new();
    while let Some(row) = rows.next()? {
        let value = Source::read(row)?.value(conn, &blocks)?;
        let log: TraceLog = serde_json::from_str(&value.json).map_err(damaged)?;
        if is_wanted(&log) {
            found.insert((row.get(values::WIDTH)?, row.get::<_, Key>(values::WIDTH + 1)?.0));
        }
    }
    Ok(found)
}

/// A word as the file has it: field, key, value, project.
type Spelt = (i64, String, Value, i64);

/// Some of the words that no log has: values that were changed away.
fn orphans(conn: &Connection) -> rusqlite::Result<Vec<Spelt>> {
    conn.prepare(
        "SELECT field, key, value, project FROM word WHERE NOT EXISTS (SELECT 1 FROM term WHERE term.word = word.id)
         AND NOT EXISTS (SELECT 1 FROM score WHERE score.word = word.id) LIMIT 1000",
    )?
    .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
    .collect()
}

/// How many ids are kept of what was erased: whether any is.
pub(super) fn count(conn: &Connection) -> rusqlite::Result<i64> {
    conn.query_row("SELECT count(*) FROM (SELECT 1 FROM tombstone LIMIT 1)", [], |row| row.get(0))
}

/// What is kept of an id: nobody can tell from it what the id was, but by asking for that very id.
fn tombstone(id: &str) -> [u8; 16] {
    let mut kept = [0; 16];
    kept.copy_from_slice(&Sha256::digest(id.as_bytes())[..16]);
    kept
}

/// Brings over the ids that older files have in full.
pub(super) fn bury(conn: &Connection) -> rusqlite::Result<()> {
    let mut read = conn.prepare("SELECT id, project FROM erased")?;
    let mut rows = read.query([])?;
    while let Some(row) = rows.next()? {
        let Key(id) = row.get(0)?;
        conn.execute(
            "INSERT OR IGNORE INTO tombstone (id, project) VALUES (?1, ?2)",
            params![tombstone(&id), row.get::<_, i64>(1)?],
        )?;
    }
    drop(rows);
    drop(read);
    conn.execute_batch("DROP TABLE erased")
}

impl Ingest<'_> {
    /// Erases some logs of a trace, and has it stay away; `id` is one by which it was asked for. Answers how many, and the
    /// words that they said.
    fn erase_some(&mut self, trace: &Trace, id: Option<&str>, until: i64) -> rusqlite::Result<(usize, String)> {
        let doomed = self.some_of(trace, until, LOT)?;
        let ids = doomed.iter().map(|doomed| doomed.log.trace_id.as_str());
        for id in ids.chain([trace.1.as_str()]).chain(id) {
            self.conn
                .prepare_cached("INSERT OR IGNORE INTO tombstone (id, project) VALUES (?1, ?2)")?
                .execute(params![tombstone(id), trace.0])?;
            let pending = self.conn.prepare_cached("DELETE FROM pending WHERE trace_id = ?1")?.execute([id])?;
            self.memory.pending -= pending as i64;
        }
        self.memory.erased = 1;
        self.remove(trace.0, &doomed)?;
        let pieces: Vec<Pieces> = doomed.iter().map(|doomed| Pieces::of(&doomed.log)).collect();
        Ok((doomed.len(), Words::of(pieces.iter()).text))
    }

    /// What there is beside logs: updates of logs that have not come, and all that is a project's own.
    fn erase_beside(&mut self, what: &Erasure) -> rusqlite::Result<()> {
        let (waiting, value) = match what {
            Erasure::Trace(id) => ("trace_id = ?1", id),
            Erasure::User(name) => ("json_extract(fields, '$.end_user_identifier') = ?1", name),
            Erasure::Project(name) => ("project = (SELECT id FROM project WHERE name = ?1)", name),
        };
        let gone = self.conn.execute(&format!("DELETE FROM pending WHERE {waiting}"), [value])?;
        self.memory.pending -= gone as i64;
        if let Erasure::Project(name) = what { self.erase_project(name) } else { Ok(()) }
    }

    fn erase_project(&mut self, name: &str) -> rusqlite::Result<()> {
        let project: Option<i64> =
            self.conn.query_row("SELECT id FROM project WHERE name = ?1", [name], |row| row.get(0)).optional()?;
        for table in ["test_case", "test_case_past", "dataset_version"] {
            let own = "SELECT id FROM dataset WHERE project = ?1";
            self.conn.execute(&format!("DELETE FROM {table} WHERE dataset IN ({own})"), [project])?;
        }
        for table in ["experiment", "loss", "unsampled", "dataset"] {
            self.conn.execute(&format!("DELETE FROM {table} WHERE project = ?1"), [project])?;
        }
        self.memory.experiments.clear();
        self.memory.unsampled = super::sampling::count(self.conn)?;
        Ok(())
    }

    fn erase_words(&mut self, words: &[Spelt]) -> rusqlite::Result<()> {
        let mut erase = self.conn.prepare(
            "DELETE FROM word WHERE field = ?1 AND key = ?2 AND value = ?3 AND project = ?4
             AND NOT EXISTS (SELECT 1 FROM term WHERE term.word = word.id)
             AND NOT EXISTS (SELECT 1 FROM score WHERE score.word = word.id)",
        )?;
        for (field, key, value, project) in words {
            erase.execute(params![field, key, value, project])?;
        }
        self.memory.vocabulary.forget();
        Ok(())
    }

    /// Whether one of these ids was erased, in a project or in any.
    pub(super) fn is_erased(&self, project: Option<i64>, ids: &[&str]) -> rusqlite::Result<bool> {
        if self.memory.erased == 0 {
            return Ok(false);
        }
        let mut find =
            self.conn.prepare_cached("SELECT 1 FROM tombstone WHERE id = ?1 AND (?2 IS NULL OR project = ?2)")?;
        for id in ids {
            if find.exists(params![tombstone(id), project])? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
