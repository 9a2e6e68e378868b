//! What logs are looked up by, kept beside them.

use std::collections::{BTreeSet, HashMap, HashSet};

use parea_types::{EvaluationScore, TraceLog};
use rusqlite::{Connection, OptionalExtension, params, types::Value};

use super::ingest::{Ingest, damaged};
use crate::query::flat;

/// Longer keys and values cannot be looked up; filters read the logs for them.
const LONGEST: usize = 256;

/// Words of which the id is remembered.
const KNOWN: usize = 1 << 16;

/// A field that can be looked up, as the file has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Column {
    Name = 1,
    User = 2,
    Session = 3,
    Tags = 4,
    Metadata = 5,
    Scores = 6,
}

impl Column {
    /// The column of a field of a log, if there is one.
    pub(super) fn of(field: &str) -> Option<Self> {
        match field {
            "trace_name" => Some(Self::Name),
            "end_user_identifier" => Some(Self::User),
            "session_id" => Some(Self::Session),
            "tags" => Some(Self::Tags),
            "metadata" => Some(Self::Metadata),
            _ => None,
        }
    }
}

/// A value that a field or key has.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Word {
    pub(super) column: Column,
    pub(super) key: String,
    pub(super) value: Value,
}

impl Word {
    pub(super) fn text(column: Column, key: &str, text: impl Into<String>) -> Self {
        Self { column, key: key.to_owned(), value: Value::Text(text.into()) }
    }

    /// What makes two words the same.
    fn identity(&self) -> (Column, String, Spelling) {
        (self.column, self.key.clone(), Spelling::of(&self.value))
    }

    pub(super) fn is_short(&self) -> bool {
        self.key.len() <= LONGEST && !matches!(&self.value, Value::Text(text) if text.len() > LONGEST)
    }
}

/// Ids of words: `?1` column, `?2` key, `?3` value, in all projects or that of `?4`.
pub(super) const WORDS: &str = "SELECT id FROM word WHERE field = ?1 AND key = ?2 AND value = ?3 AND project = ?4";
pub(super) const WORDS_OF_ALL: &str = "SELECT id FROM word WHERE field = ?1 AND key = ?2 AND value = ?3";

/// All of one log.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Terms {
    started: i64,
    words: Vec<Word>,
    scores: Vec<(Word, f64)>,
}

impl Terms {
    pub(super) fn of(log: &TraceLog) -> Self {
        let mut words = Vec::new();
        let fields = [
            (Column::Name, &log.trace_name),
            (Column::User, &log.end_user_identifier),
            (Column::Session, &log.session_id),
        ];
        for (column, value) in fields {
            words.extend(value.iter().map(|text| Word::text(column, "", text)));
        }
        words.extend(log.tags.iter().flatten().map(|tag| Word::text(Column::Tags, "", tag)));
        for (key, value) in log.metadata.iter().flatten() {
            let values = flat(value, None).into_iter().filter_map(|value| match value {
                serde_json::Value::Null => None,
                serde_json::Value::String(text) => Some(Value::Text(text.clone())),
                serde_json::Value::Number(number) => number.as_f64().map(Value::Real),
                other => Some(Value::Text(other.to_string())),
            });
            words.extend(values.map(|value| Word { column: Column::Metadata, key: key.clone(), value }));
        }
        words.retain(Word::is_short);
        Self { started: log.start_timestamp.micros(), words, scores: known(log.scores.as_deref().unwrap_or_default()) }
    }
}

/// Scores that can be looked up.
fn known(scores: &[EvaluationScore]) -> Vec<(Word, f64)> {
    let scores = scores.iter().filter(|score| score.score.is_finite());
    let scores = scores.map(|score| (Word::text(Column::Scores, &score.name, ""), score.score));
    scores.filter(|(word, _)| word.is_short()).collect()
}

/// A log whose scores change.
#[derive(Clone, Copy)]
pub(super) struct Scored {
    pub(super) project: i64,
    pub(super) started: i64,
    pub(super) log: i64,
}

impl Terms {
    /// By how many of these a log is not found. The ids of words that were looked up before are in `known`.
    pub(super) fn missing(
        &self,
        conn: &Connection,
        known: &mut Vocabulary,
        project: i64,
        log: i64,
    ) -> rusqlite::Result<usize> {
        let mut term = conn.prepare_cached("SELECT 1 FROM term WHERE word = ?1 AND started = ?2 AND log = ?3")?;
        let mut score =
            conn.prepare_cached("SELECT 1 FROM score WHERE word = ?1 AND started = ?2 AND log = ?3 AND score = ?4")?;
        let mut missing = 0;
        for word in &self.words {
            let id = known.find(conn, project, word)?;
            let is_found = id.map_or(Ok(false), |id| term.exists([id, self.started, log]))?;
            missing += usize::from(!is_found);
        }
        for (word, number) in &self.scores {
            let id = known.find(conn, project, word)?;
            let is_found = id.map_or(Ok(false), |id| score.exists(params![id, self.started, log, number]))?;
            missing += usize::from(!is_found);
        }
        Ok(missing)
    }
}

/// Ids of words by project.
#[derive(Debug, Default)]
pub(super) struct Vocabulary {
    /// How many words there are.
    pub(super) count: i64,
    /// Whether the file is older than the mark of words that repeat.
    is_old: bool,
    known: HashMap<(i64, Column, String, Spelling), i64>,
}

/// A word's value as a key of a map; numbers by their bits.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Spelling {
    Text(String),
    Number(u64),
}

impl Spelling {
    fn of(value: &Value) -> Self {
        match value {
            Value::Text(text) => Self::Text(text.clone()),
            Value::Real(number) => Self::Number(number.to_bits()),
            _ => Self::Text(String::new()),
        }
    }
}

impl Vocabulary {
    fn id(&mut self, conn: &Connection, project: i64, word: &Word) -> rusqlite::Result<i64> {
        if let Some(id) = self.find(conn, project, word)? {
            return Ok(id);
        }
        self.count += 1;
        conn.prepare_cached("INSERT INTO word (field, key, value, project, id) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![word.column as i64, word.key, word.value, project, self.count])?;
        self.note(project, word, self.count);
        Ok(self.count)
    }

    /// The id of a word, if there is such a word.
    fn find(&mut self, conn: &Connection, project: i64, word: &Word) -> rusqlite::Result<Option<i64>> {
        let key = (project, word.column, word.key.clone(), Spelling::of(&word.value));
        if let Some(id) = self.known.get(&key) {
            return Ok(Some(*id));
        }
        let found: Option<i64> = conn
            .prepare_cached(WORDS)?
            .query_row(params![word.column as i64, word.key, word.value, project], |row| row.get(0))
            .optional()?;
        if let Some(id) = found {
            self.note(project, word, id);
        }
        Ok(found)
    }

    fn note(&mut self, project: i64, word: &Word, id: i64) {
        if self.known.len() >= KNOWN {
            self.known.clear();
        }
        self.known.insert((project, word.column, word.key.clone(), Spelling::of(&word.value)), id);
    }

    /// Makes a new log known.
    pub(super) fn write(&mut self, conn: &Connection, project: i64, log: i64, terms: &Terms) -> rusqlite::Result<()> {
        for word in &terms.words {
            let word = self.id(conn, project, word)?;
            conn.prepare_cached("INSERT OR IGNORE INTO term (word, started, log) VALUES (?1, ?2, ?3)")?.execute([
                word,
                terms.started,
                log,
            ])?;
        }
        for (place, (word, score)) in terms.scores.iter().enumerate() {
            if !self.is_old && terms.scores[..place].iter().any(|(other, _)| other == word) {
                conn.prepare_cached(
                    "UPDATE word SET repeats = 1 WHERE field = ?1 AND key = ?2 AND value = ?3 AND project = ?4
                     AND repeats = 0",
                )?
                .execute(params![word.column as i64, word.key, word.value, project])?;
            }
            let word = self.id(conn, project, word)?;
            conn.prepare_cached("INSERT OR IGNORE INTO score (word, started, log, score) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![word, terms.started, log, score])?;
        }
        Ok(())
    }

    /// Removes the words that no log has any more.
    pub(super) fn drop_unused(&mut self, conn: &Connection, project: i64, terms: &Terms) -> rusqlite::Result<()> {
        for word in terms.words.iter().chain(terms.scores.iter().map(|(word, _)| word)) {
            let column = word.column as i64;
            let gone = conn
                .prepare_cached(
                    "DELETE FROM word WHERE field = ?1 AND key = ?2 AND value = ?3 AND project = ?4
                     AND NOT EXISTS (SELECT 1 FROM term WHERE term.word = word.id)
                     AND NOT EXISTS (SELECT 1 FROM score WHERE score.word = word.id)",
                )?
                .execute(params![column, word.key, word.value, project])?;
            if gone > 0 {
                self.forget();
            }
        }
        Ok(())
    }

    /// Forgets which words there are: some were removed.
    pub(super) fn forget(&mut self) {
        self.known.clear();
    }

    /// Makes the scores of a log known that were not, or are other ones than before.
    pub(super) fn change_scores(
        &mut self,
        conn: &Connection,
        place: Scored,
        old: &[EvaluationScore],
        new: &[EvaluationScore],
    ) -> rusqlite::Result<()> {
        let terms =
            |scores: &[EvaluationScore]| Terms { started: place.started, words: Vec::new(), scores: known(scores) };
        self.change(conn, place.project, place.log, terms(old), terms(new))
    }

    /// Brings what a log is found by up to date, as far as it differs.
    fn change(
        &mut self,
        conn: &Connection,
        project: i64,
        log: i64,
        mut old: Terms,
        mut new: Terms,
    ) -> rusqlite::Result<()> {
        if old.started == new.started {
            let both: HashSet<_> = {
                let before: HashSet<_> = old.words.iter().map(Word::identity).collect();
                new.words.iter().map(Word::identity).filter(|word| before.contains(word)).collect()
            };
            old.words.retain(|word| !both.contains(&word.identity()));
            new.words.retain(|word| !both.contains(&word.identity()));
            // All of a name together: a log may have several.
            let of = |terms: &Terms, name: &str| -> Vec<u64> {
                terms.scores.iter().filter(|(word, _)| word.key == name).map(|(_, score)| score.to_bits()).collect()
            };
            let names: BTreeSet<String> =
                old.scores.iter().chain(&new.scores).map(|(word, _)| word.key.clone()).collect();
            let same: BTreeSet<String> = names.into_iter().filter(|name| of(&old, name) == of(&new, name)).collect();
            old.scores.retain(|(word, _)| !same.contains(&word.key));
            new.scores.retain(|(word, _)| !same.contains(&word.key));
        }
        self.erase(conn, project, log, &old)?;
        self.write(conn, project, log, &new)
    }

    pub(super) fn erase(&mut self, conn: &Connection, project: i64, log: i64, terms: &Terms) -> rusqlite::Result<()> {
        for word in &terms.words {
            let word = self.id(conn, project, word)?;
            conn.prepare_cached("DELETE FROM term WHERE word = ?1 AND started = ?2 AND log = ?3")?.execute([
                word,
                terms.started,
                log,
            ])?;
        }
        for (word, _) in &terms.scores {
            let word = self.id(conn, project, word)?;
            conn.prepare_cached("DELETE FROM score WHERE word = ?1 AND started = ?2 AND log = ?3")?.execute([
                word,
                terms.started,
                log,
            ])?;
        }
        Ok(())
    }
}

impl Ingest<'_> {
    /// Makes known what changed in a log.
    pub(super) fn change_terms(
        &mut self,
        project: i64,
        id: i64,
        old: &TraceLog,
        new: &TraceLog,
    ) -> rusqlite::Result<()> {
        let (old, new) = (Terms::of(old), Terms::of(new));
        if old == new {
            return Ok(());
        }
        self.memory.vocabulary.change(self.conn, project, id, old, new)
    }

    /// Forgets a log that is being removed.
    pub(super) fn remove_terms(&mut self, project: i64, id: i64, log: &TraceLog) -> rusqlite::Result<()> {
        self.memory.vocabulary.erase(self.conn, project, id, &Terms::of(log))
    }
}

/// Makes known all logs of a file that was written before there were terms. Later writes need the count of words.
pub(super) fn fill(conn: &Connection) -> rusqlite::Result<()> {
    let mut vocabulary = Vocabulary { is_old: true, ..Vocabulary::default() };
    let mut find = conn.prepare("SELECT log.id, project, json FROM log JOIN doc USING (id)")?;
    let mut rows = find.query([])?;
    while let Some(row) = rows.next()? {
        let log: TraceLog = serde_json::from_str(row.get_ref(2)?.as_str()?).map_err(damaged)?;
        vocabulary.write(conn, row.get(1)?, row.get(0)?, &Terms::of(&log))?;
    }
    conn.execute("UPDATE history SET words = ?1", [vocabulary.count])?;
    Ok(())
}
