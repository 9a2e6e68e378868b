//! Datasets over time: each change makes a version, which stays as it is.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{GetTestCaseCollectionResponse, Timestamp};

/// One version of a dataset. Not part of the published API, which shows the newest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DatasetVersion {
    /// From 1.
    pub version: u64,
    /// Stands for the rows: versions with the same columns and rows have the same, wherever they are.
    pub digest: String,
    /// Number of rows.
    pub rows: u64,
    /// Its columns.
    pub column_names: Vec<String>,
    /// When the change came.
    pub created_at: Timestamp,
}

/// A dataset in a list, without its rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DatasetSummary {
    /// The dataset.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// Its newest version.
    pub newest: DatasetVersion,
}

/// A dataset as it was in one version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VersionedDataset {
    /// The version.
    pub version: DatasetVersion,
    /// The dataset with that version's rows.
    pub dataset: GetTestCaseCollectionResponse,
}

/// What names a dataset: its name or number, and a version where one is meant, as in `questions@3`.
///
/// ```
/// use parea_types::DatasetName;
/// let pinned = DatasetName::parse("questions@3");
/// assert_eq!((pinned.name.as_str(), pinned.version), ("questions", Some(3)));
/// assert_eq!(DatasetName::parse("me@home").version, None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetName {
    /// Name or number.
    pub name: String,
    /// The version; `None` for the newest.
    pub version: Option<u64>,
}

impl DatasetName {
    /// Takes the text apart. Only digits behind the last `@` are a version.
    pub fn parse(text: &str) -> Self {
        let pinned = text.rsplit_once('@').filter(|(name, version)| {
            !name.is_empty() && !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit())
        });
        match pinned.and_then(|(name, version)| Some((name, version.parse().ok()?))) {
            Some((name, version)) => Self { name: name.to_owned(), version: Some(version) },
            None => Self { name: text.to_owned(), version: None },
        }
    }
}

impl fmt::Display for DatasetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            Some(version) => write!(f, "{}@{version}", self.name),
            None => f.write_str(&self.name),
        }
    }
}
