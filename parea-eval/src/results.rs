//! The results of a run: what figures are made of in memory, all else in the run's journal on disk.

use std::{
    collections::BTreeMap,
    fmt,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io,
    sync::Arc,
};

use parea_runtime::types::EvaluationScore;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{journal::Source, report::RowResult};

/// Every row of a run in every trial, in this order.
///
/// A run keeps about a hundred bytes of each in memory, whatever it was given and returned; [`iter`](Self::iter) and
/// [`get`](Self::get) read the rest back from the run's journal.
#[derive(Clone, Default)]
pub struct Results {
    cells: Vec<Cell>,
    /// Names of scores, by the numbers that cells know them by.
    names: Vec<String>,
    journal: Option<Arc<Source>>,
}

/// One row in one trial: what figures are made of, and where the rest is.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    row: usize,
    trial: u32,
    /// The same for rows of the same content.
    content: u64,
    pub(crate) failed: bool,
    /// An evaluation of it failed.
    pub(crate) complains: bool,
    pub(crate) latency: f64,
    pub(crate) cost: Option<f64>,
    pub(crate) total_tokens: i64,
    scores: Box<[(u32, f64)]>,
    place: Place,
}

/// Where a result lies.
#[derive(Clone, Debug)]
enum Place {
    /// A line of the journal: its first byte and its length.
    Journal(u64, usize),
    /// Here: it was read from a report, or the journal could not take it.
    Memory(Box<RowResult>),
}

impl Results {
    /// None yet, of a run with that journal.
    pub(crate) fn of(journal: Arc<Source>) -> Self {
        Self { journal: Some(journal), ..Self::default() }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// The result at that place, from 0.
    pub fn get(&self, index: usize) -> Option<RowResult> {
        self.cells.get(index).map(|cell| self.read(cell))
    }

    /// All of them, one after the other.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = RowResult> + '_ {
        self.cells.iter().map(|cell| self.read(cell))
    }

    /// Those of the cells that are asked for.
    pub(crate) fn those<'a>(&'a self, wanted: impl Fn(&Cell) -> bool + 'a) -> impl Iterator<Item = RowResult> + 'a {
        self.cells.iter().filter(move |cell| wanted(cell)).map(|cell| self.read(cell))
    }

    pub(crate) fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// Each score's name with its values, each beside its cell.
    pub(crate) fn by_score(&self) -> BTreeMap<&str, Vec<(&Cell, f64)>> {
        let mut all: BTreeMap<&str, Vec<(&Cell, f64)>> = BTreeMap::new();
        for cell in &self.cells {
            for (name, score) in &cell.scores {
                all.entry(&self.names[*name as usize]).or_default().push((cell, *score));
            }
        }
        all
    }

    pub(crate) fn read(&self, cell: &Cell) -> RowResult {
        let lost = |why: io::Error| RowResult {
            latency: cell.latency,
            cost: cell.cost,
            total_tokens: cell.total_tokens,
            error: Some(format!("what came of it cannot be read from the journal: {why}")),
            scores: self.scores_of(cell),
            ..RowResult::default()
        };
        let result = match (&cell.place, &self.journal) {
            (Place::Memory(result), _) => (**result).clone(),
            (Place::Journal(at, length), Some(journal)) => journal.result(*at, *length).unwrap_or_else(lost),
            (Place::Journal(..), None) => lost(io::ErrorKind::NotFound.into()),
        };
        RowResult { row: cell.row, trial: cell.trial, ..result }
    }

    fn scores_of(&self, cell: &Cell) -> Vec<EvaluationScore> {
        let score = |(name, score): &(u32, f64)| EvaluationScore {
            name: self.names[*name as usize].clone(),
            score: *score,
            ..EvaluationScore::default()
        };
        cell.scores.iter().map(score).collect()
    }

    /// Adds a result that the journal has as the line at that place, or that it could not take.
    pub(crate) fn add(&mut self, result: RowResult, line: Option<(u64, usize)>) {
        let scores = result.scores.iter().map(|score| (self.number_of(&score.name), score.score)).collect();
        let mut content = DefaultHasher::new();
        result.key.hash(&mut content);
        self.cells.push(Cell {
            row: result.row,
            trial: result.trial,
            content: content.finish(),
            failed: result.error.is_some(),
            complains: !result.evaluation_errors.is_empty(),
            latency: result.latency,
            cost: result.cost,
            total_tokens: result.total_tokens,
            scores,
            place: match line {
                Some((at, length)) => Place::Journal(at, length),
                None => Place::Memory(Box::new(result)),
            },
        });
    }

    fn number_of(&mut self, name: &str) -> u32 {
        let known = self.names.iter().position(|known| known == name);
        known.unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        }) as u32
    }

    /// Puts them in the order of rows and trials.
    pub(crate) fn sort(&mut self) {
        self.cells.sort_by_key(|cell| (cell.row, cell.trial));
    }
}

impl Cell {
    pub(crate) fn content(&self) -> u64 {
        self.content
    }

    pub(crate) fn place(&self) -> (usize, u32) {
        (self.row, self.trial)
    }
}

impl<'a> IntoIterator for &'a Results {
    type Item = RowResult;
    type IntoIter = Box<dyn ExactSizeIterator<Item = RowResult> + 'a>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.iter())
    }
}

impl FromIterator<RowResult> for Results {
    fn from_iter<I: IntoIterator<Item = RowResult>>(results: I) -> Self {
        let mut all = Self::default();
        results.into_iter().for_each(|result| all.add(result, None));
        all
    }
}

impl fmt::Debug for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl PartialEq for Results {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Serialize for Results {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Results {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<RowResult>::deserialize(deserializer).map(|results| results.into_iter().collect())
    }
}
