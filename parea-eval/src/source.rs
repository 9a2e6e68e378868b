//! Where rows come from.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    sync::Arc,
};

#[cfg(feature = "http")]
use parea_runtime::types::DatasetName;
use parea_runtime::types::DatasetVersion;
use serde_json::{Map, Value};

use crate::{ExperimentError, Row};

/// Rows at hand, or the place to read them from when the experiment runs.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Rows(Vec<Row>),
    #[cfg(feature = "csv")]
    Csv(PathBuf),
    Jsonl(PathBuf),
    #[cfg(feature = "parquet")]
    Parquet(PathBuf),
    Dataset(String),
}

/// Reads a file of one JSON object a line; empty lines are left out.
pub(crate) fn jsonl(path: &Path) -> Result<Vec<Row>, ExperimentError> {
    let bad = |why: String| ExperimentError::Source { source: path.display().to_string(), why };
    let file = BufReader::new(File::open(path).map_err(|error| bad(error.to_string()))?);
    let source: Arc<str> = path.display().to_string().into();
    let mut rows = Vec::new();
    for (number, line) in file.lines().enumerate() {
        let number = number + 1;
        let line = line.map_err(|error| bad(format!("line {number}: {error}")))?;
        let text = line.trim_start_matches('\u{feff}').trim();
        if text.is_empty() {
            continue;
        }
        let values: Map<String, Value> =
            serde_json::from_str(text).map_err(|error| bad(format!("line {number} is no JSON object: {error}")))?;
        rows.push(Row::from_values(values, false).at(&source, number));
    }
    Ok(rows)
}

/// Reads a CSV file with a header line. All values are texts, which are read as numbers where those are wanted; `tags` is a
/// JSON array of texts, and an empty `target` is none.
#[cfg(feature = "csv")]
pub(crate) fn csv(path: &Path) -> Result<Vec<Row>, ExperimentError> {
    let bad = |why: String| ExperimentError::Source { source: path.display().to_string(), why };
    let mut reader = ::csv::ReaderBuilder::new().from_path(path).map_err(|error| bad(error.to_string()))?;
    let header = reader.headers().map_err(|error| bad(error.to_string()))?.clone();
    let columns: Vec<&str> = header.iter().map(|column| column.trim_start_matches('\u{feff}').trim()).collect();
    for (index, column) in columns.iter().enumerate() {
        if column.is_empty() {
            return Err(bad(format!("column {} has no name in the first line", index + 1)));
        }
        if columns[..index].contains(column) {
            return Err(bad(format!("two columns are named `{column}`")));
        }
    }
    let source: Arc<str> = path.display().to_string().into();
    let mut rows = Vec::new();
    for (index, record) in reader.records().enumerate() {
        let record = record.map_err(|error| bad(error.to_string()))?;
        let cells = columns.iter().zip(record.iter());
        let values = cells.map(|(column, text)| ((*column).to_owned(), cell(column, text))).collect();
        rows.push(Row::from_values(values, true).at(&source, index + 1));
    }
    Ok(rows)
}

#[cfg(feature = "csv")]
fn cell(column: &str, text: &str) -> Value {
    match column {
        "target" if text.is_empty() => Value::Null,
        "tags" => serde_json::from_str(text).unwrap_or_else(|_| Value::Array(Vec::new())),
        _ => Value::String(text.to_owned()),
    }
}

/// Rows of a dataset as a server keeps them: texts by column. Beside them the version that they are, if the server has such.
#[cfg(feature = "http")]
pub(crate) async fn dataset(wanted: &str) -> Result<(Vec<Row>, Option<DatasetVersion>), ExperimentError> {
    let bad = |why: String| ExperimentError::Source { source: format!("dataset `{wanted}`"), why };
    let api = match parea_runtime::connection::server() {
        Some((api, _)) => api,
        None => parea_runtime::ApiClient::from_env().map_err(|error| bad(error.to_string()))?,
    };
    let asked = |error: parea_runtime::ApiError| {
        let fix = if matches!(error, parea_runtime::ApiError::Unreachable(_)) {
            "; is it running? `parea serve` starts one, and PAREA_BASE_URL names another"
        } else {
            ""
        };
        bad(format!("{error} ({}){fix}", api.base_url()))
    };
    let none = || {
        format!(
            "the server at {} has none of that name or id; `parea dataset list` shows those that it has",
            api.base_url()
        )
    };
    let DatasetName { name, version } = DatasetName::parse(wanted);
    let (dataset, version) = match api.dataset_version(&name, version).await {
        Ok(Some(found)) => (found.dataset, Some(found.version)),
        Ok(None) => {
            let versions = api.dataset_versions(&name).await.map_err(asked)?.unwrap_or_default();
            return Err(bad(versions.first().map_or_else(none, |newest| {
                let newest = newest.version;
                format!("its newest version is {newest}: pin that as `{name}@{newest}`, or none")
            })));
        }
        // A server of the Parea API alone has no versions.
        Err(error) if matches!(error.status(), Some(404 | 405)) && version.is_none() => {
            match api.dataset(&name).await.map_err(asked)? {
                Some(dataset) => (dataset, None),
                None => return Err(bad(none())),
            }
        }
        Err(error) => return Err(asked(error)),
    };
    let source: Arc<str> = format!("dataset `{}`", dataset.name).into();
    let rows = dataset.test_cases.into_values().enumerate().map(|(index, case)| {
        let case = case.test_case;
        let mut values: Map<String, Value> =
            case.inputs.into_iter().map(|(column, text)| (column, Value::String(text))).collect();
        values.insert("target".to_owned(), case.target.map_or(Value::Null, Value::String));
        if !case.tags.is_empty() {
            values.insert("tags".to_owned(), case.tags.into());
        }
        Row::from_values(values, true).at(&source, index + 1)
    });
    Ok((rows.collect(), version))
}

#[cfg(not(feature = "http"))]
#[expect(clippy::unused_async, reason = "as the one whose place it takes")]
pub(crate) async fn dataset(wanted: &str) -> Result<(Vec<Row>, Option<DatasetVersion>), ExperimentError> {
    let why = "parea was built without its feature `http`".to_owned();
    Err(ExperimentError::Source { source: format!("dataset `{wanted}`"), why })
}

impl Source {
    /// What it is called where something is wrong with it; rows at hand have no name.
    pub(crate) fn name(&self) -> Option<String> {
        Some(match self {
            Self::Rows(_) => return None,
            #[cfg(feature = "csv")]
            Self::Csv(path) => path.display().to_string(),
            Self::Jsonl(path) => path.display().to_string(),
            #[cfg(feature = "parquet")]
            Self::Parquet(path) => path.display().to_string(),
            Self::Dataset(wanted) => format!("dataset `{wanted}`"),
        })
    }

    /// The rows, and of a dataset its version.
    pub(crate) async fn read(self) -> Result<(Vec<Row>, Option<DatasetVersion>), ExperimentError> {
        let rows = match self {
            Self::Dataset(wanted) => return dataset(&wanted).await,
            Self::Rows(rows) => Ok(rows),
            #[cfg(feature = "csv")]
            Self::Csv(path) => csv(&path),
            Self::Jsonl(path) => jsonl(&path),
            #[cfg(feature = "parquet")]
            Self::Parquet(path) => crate::parquet_file::rows(&path),
        };
        Ok((rows?, None))
    }
}
