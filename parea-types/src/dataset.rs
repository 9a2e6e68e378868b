//! Datasets, which the wire calls test case collections.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Location, Timestamp, ValidationError, null};

/// One row of a dataset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestCase {
    /// Texts by column. A value that is no text is read as its JSON text.
    #[serde(deserialize_with = "null::texts")]
    pub inputs: BTreeMap<String, String>,
    /// The expected output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Free labels. Always written: the Python SDK fails on null.
    #[serde(default, deserialize_with = "null::as_default")]
    pub tags: Vec<String>,
}

/// The body of `POST /collection`: creates a dataset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateTestCaseCollectionRequest {
    /// The dataset's name.
    pub name: String,
    /// Its columns.
    pub column_names: Vec<String>,
    /// Its first rows.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "Vec::is_empty")]
    pub test_cases: Vec<TestCase>,
}

/// The answer of `POST /collection`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateTestCaseCollectionResponse {
    /// The dataset.
    pub id: i64,
    /// When it last changed.
    pub last_updated_at: Timestamp,
    /// Ids of the rows, in the order in which they were sent.
    pub test_case_ids: Vec<i64>,
}

/// The answer of `GET /collection/{id or name}`; for an unknown one the answer is `null`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetTestCaseCollectionResponse {
    /// The dataset.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Its columns.
    pub column_names: Vec<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub last_updated_at: Timestamp,
    /// Its rows by id.
    pub test_cases: BTreeMap<i64, GetTestCaseResponse>,
}

/// One row as it is read back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetTestCaseResponse {
    /// Its contents; on the wire they lie beside the ids.
    #[serde(flatten)]
    pub test_case: TestCase,
    /// The row.
    pub id: i64,
    /// Its dataset.
    pub test_case_collection_id: i64,
}

/// The body of `POST /testcases`: adds rows, and creates the dataset when there is none of that name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateTestCases {
    /// The dataset; this or `name` is needed.
    #[serde(default, deserialize_with = "null::optional_integer", skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The rows.
    pub test_cases: Vec<TestCase>,
}

impl CreateTestCases {
    /// What is wrong with it beyond its types; empty when it names a dataset.
    pub fn validate(&self) -> Vec<ValidationError> {
        if self.id.is_some() || self.name.as_ref().is_some_and(|name| !name.is_empty()) {
            return Vec::new();
        }
        let msg = "Field required: name the dataset by `id` or `name`".to_owned();
        vec![ValidationError {
            loc: vec![Location::from("body"), Location::from("id")],
            msg,
            kind: "missing".to_owned(),
        }]
    }
}

/// The body of `POST /update_test_case/{dataset_id}/{test_case_id}`. Only what is set changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateTestCasePublicRequest {
    /// New texts by column. A value that is no text is read as its JSON text.
    #[serde(default, deserialize_with = "null::optional_texts", skip_serializing_if = "Option::is_none")]
    pub inputs: Option<BTreeMap<String, String>>,
    /// New expected output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// New labels, in place of all old ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
}
