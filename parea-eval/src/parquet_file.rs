//! Rows of Parquet files.

use std::{path::Path, sync::Arc};

use parea_runtime::types::parquet_rows;

use crate::{ExperimentError, Row};

/// Reads a file, row by row.
pub(crate) fn rows(path: &Path) -> Result<Vec<Row>, ExperimentError> {
    let name = path.display().to_string();
    let rows = parquet_rows(path).map_err(|why| ExperimentError::Source { source: name.clone(), why })?;
    let source: Arc<str> = name.into();
    let numbered = rows.into_iter().enumerate();
    Ok(numbered.map(|(index, values)| Row::from_values(values, false).at(&source, index + 1)).collect())
}
