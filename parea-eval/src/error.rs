//! Why an experiment did not run.

use std::fmt;

use parea_stats::CompareError;

use crate::RowError;

/// Why an experiment did not run, or has no report. Failed rows are no error: they are in the report.
#[non_exhaustive]
pub enum ExperimentError {
    /// There is no row.
    NoRows(String),
    /// A row does not fit the function.
    Row(RowError),
    /// Rows could not be read: from where, and why.
    Source {
        /// The file or dataset.
        source: String,
        /// What is wrong.
        why: String,
    },
    /// A setting makes no sense: its name, and what it has to be.
    Setting(&'static str, &'static str),
    /// The run's name is taken, or has letters that no name may have.
    RunName(String),
    /// A run that cannot be gone on with; the reason and what to do.
    Resume(String),
    /// The server refused the run.
    Server(String),
    /// The baseline cannot be had: which, and why.
    Baseline(String, String),
    /// The runs cannot be compared.
    Compare(CompareError),
    /// The journal cannot be written: the run could not be gone on with.
    Journal(String),
}

impl fmt::Display for ExperimentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRows(name) => write!(
                f,
                "experiment `{name}` has no rows: add them with `.rows([row! {{ .. }}])`, `.jsonl(path)` or `.dataset(name)`"
            ),
            Self::Row(error) => error.fmt(f),
            Self::Source { source, why } => write!(f, "{source}: {why}"),
            Self::Setting(name, must) => write!(f, "{name} must be {must}"),
            Self::RunName(why) | Self::Resume(why) | Self::Server(why) => f.write_str(why),
            Self::Baseline(name, why) => write!(f, "baseline `{name}`: {why}"),
            Self::Compare(error) => error.fmt(f),
            Self::Journal(why) => write!(f, "the journal cannot be written: {why}"),
        }
    }
}

/// The text of `Display`: a `main` or a test that returns the error prints this.
impl fmt::Debug for ExperimentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ExperimentError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Row(error) => Some(error),
            Self::Compare(error) => Some(error),
            _ => None,
        }
    }
}

impl From<CompareError> for ExperimentError {
    fn from(error: CompareError) -> Self {
        Self::Compare(error)
    }
}

impl From<RowError> for ExperimentError {
    fn from(error: RowError) -> Self {
        Self::Row(error)
    }
}
