//! Datasets, which the wire calls test case collections.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeStruct as _};
use serde_json::{Map, Value};

use crate::{Location, Timestamp, ValidationError, null};

/// One row of a dataset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "TestCaseSchema"))]
pub struct TestCase {
    /// Texts by column. A value that is no text is read as its JSON text.
    #[serde(deserialize_with = "null::texts")]
    pub inputs: BTreeMap<String, String>,
    /// The expected output. What is no text is read as its JSON text.
    #[serde(default, deserialize_with = "null::optional_text", skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Free labels. Always written: the Python SDK fails on null.
    #[serde(default, deserialize_with = "null::as_default")]
    pub tags: Vec<String>,
}

impl TestCase {
    /// A row with these columns: texts as they are, anything else as JSON text.
    ///
    /// ```
    /// use parea_types::TestCase;
    /// let row = TestCase::new([("question", "How many?"), ("lang", "en")]).target("42").tag("easy");
    /// assert_eq!(row.inputs["lang"], "en");
    /// ```
    pub fn new<N: Into<String>, V: Into<Value>>(inputs: impl IntoIterator<Item = (N, V)>) -> Self {
        let inputs = inputs.into_iter().map(|(name, value)| (name.into(), text(value.into()))).collect();
        Self { inputs, ..Self::default() }
    }

    /// A row as it stands in a file: its keys `target` and `tags` are what they say, all others are columns.
    pub fn from_row(mut row: Map<String, Value>) -> Self {
        let target = row.remove("target").filter(|target| !target.is_null()).map(text);
        let tags = match row.remove("tags") {
            Some(Value::Array(tags)) => tags.into_iter().map(text).collect(),
            None | Some(Value::Null) => Vec::new(),
            Some(one) => vec![text(one)],
        };
        Self { target, tags, ..Self::new(row) }
    }

    /// Sets the expected output.
    #[must_use]
    pub fn target(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// Adds a label.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// The body of `POST /collection`: creates a dataset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "CreateTestCaseCollectionRequestSchema")
)]
pub struct CreateTestCaseCollectionRequest {
    /// The dataset's name.
    pub name: String,
    /// Its columns.
    pub column_names: Vec<String>,
    /// Its first rows.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<TestCase>>"))]
    pub test_cases: Vec<TestCase>,
}

impl CreateTestCaseCollectionRequest {
    /// A dataset of these rows; its columns are all that occur in them.
    pub fn new(name: impl Into<String>, test_cases: impl IntoIterator<Item = TestCase>) -> Self {
        let test_cases: Vec<_> = test_cases.into_iter().collect();
        let columns: BTreeSet<_> = test_cases.iter().flat_map(|case| case.inputs.keys().cloned()).collect();
        Self { name: name.into(), column_names: columns.into_iter().collect(), test_cases }
    }
}

/// The answer of `POST /collection`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "CreateTestCaseCollectionResponseSchema")
)]
pub struct CreateTestCaseCollectionResponse {
    /// The dataset.
    pub id: i64,
    /// When it last changed.
    pub last_updated_at: Timestamp,
    /// Ids of the rows, in the order in which they were sent.
    pub test_case_ids: Vec<i64>,
}

/// The answer of `GET /collection/{id or name}`; for an unknown one the answer is `null`.
///
/// On the wire each row's inputs stand in the order of the columns: the TypeScript SDK passes them by position.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "GetTestCaseCollectionResponseSchema"))]
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
    #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, GetTestCaseResponse>"))]
    pub test_cases: BTreeMap<i64, GetTestCaseResponse>,
}

impl Serialize for GetTestCaseCollectionResponse {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { id, name, column_names, created_at, last_updated_at, test_cases } = self;
        let mut answer = serializer.serialize_struct("GetTestCaseCollectionResponse", 6)?;
        answer.serialize_field("id", id)?;
        answer.serialize_field("name", name)?;
        answer.serialize_field("column_names", column_names)?;
        answer.serialize_field("created_at", created_at)?;
        answer.serialize_field("last_updated_at", last_updated_at)?;
        answer.serialize_field("test_cases", &Rows { columns: column_names, rows: test_cases })?;
        answer.end()
    }
}

/// Rows whose inputs are written in the order of the columns.
struct Rows<'a> {
    columns: &'a [String],
    rows: &'a BTreeMap<i64, GetTestCaseResponse>,
}

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.rows.iter().map(|(key, row)| (key, Row { columns: self.columns, row })))
    }
}

struct Row<'a> {
    columns: &'a [String],
    row: &'a GetTestCaseResponse,
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let GetTestCaseResponse { test_case: TestCase { inputs, target, tags }, id, test_case_collection_id } =
            self.row;
        let mut row = serializer.serialize_struct("GetTestCaseResponse", 5)?;
        row.serialize_field("inputs", &InOrder { columns: self.columns, inputs })?;
        if target.is_some() {
            row.serialize_field("target", target)?;
        } else {
            row.skip_field("target")?;
        }
        row.serialize_field("tags", tags)?;
        row.serialize_field("id", id)?;
        row.serialize_field("test_case_collection_id", test_case_collection_id)?;
        row.end()
    }
}

struct InOrder<'a> {
    columns: &'a [String],
    inputs: &'a BTreeMap<String, String>,
}

impl Serialize for InOrder<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let named: BTreeSet<&String> = self.columns.iter().collect();
        let columns = self.columns.iter().filter_map(|column| self.inputs.get_key_value(column));
        serializer.collect_map(columns.chain(self.inputs.iter().filter(|(column, _)| !named.contains(column))))
    }
}

/// One row as it is read back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "GetTestCaseResponseSchema"))]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "CreateTestCasesSchema"))]
pub struct CreateTestCases {
    /// The dataset; this or `name` is needed.
    #[serde(default, deserialize_with = "null::optional_integer", skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The rows.
    pub test_cases: Vec<TestCase>,
    /// The order of the columns in a dataset that is created; columns that it lacks come behind by name. Not on the wire: it is
    /// read off the first row.
    #[serde(skip)]
    pub column_order: Vec<String>,
}

impl<'de> Deserialize<'de> for CreateTestCases {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Body {
            #[serde(default, deserialize_with = "null::optional_integer")]
            id: Option<i64>,
            name: Option<String>,
            test_cases: Vec<Row>,
        }
        #[derive(Deserialize)]
        struct Row {
            #[serde(deserialize_with = "null::texts_in_order")]
            inputs: Vec<(String, String)>,
            #[serde(default, deserialize_with = "null::optional_text")]
            target: Option<String>,
            #[serde(default, deserialize_with = "null::as_default")]
            tags: Vec<String>,
        }
        let Body { id, name, test_cases } = Body::deserialize(deserializer)?;
        let column_order =
            test_cases.first().map(|first| first.inputs.iter().map(|(column, _)| column.clone()).collect());
        let row = |row: Row| TestCase { inputs: row.inputs.into_iter().collect(), target: row.target, tags: row.tags };
        Ok(Self {
            id,
            name,
            test_cases: test_cases.into_iter().map(row).collect(),
            column_order: column_order.unwrap_or_default(),
        })
    }
}

impl CreateTestCases {
    /// The columns of a dataset that is created: those of the first row.
    pub fn columns(&self) -> Vec<String> {
        let Some(TestCase { inputs, .. }) = self.test_cases.first() else { return Vec::new() };
        let mut rest: BTreeSet<&String> = inputs.keys().collect();
        let ordered: Vec<&String> = self.column_order.iter().filter(|column| rest.remove(column)).collect();
        ordered.into_iter().chain(rest).cloned().collect()
    }

    /// Rows for the dataset of that id.
    pub fn to_id(id: i64, test_cases: impl IntoIterator<Item = TestCase>) -> Self {
        Self { id: Some(id), test_cases: test_cases.into_iter().collect(), ..Self::default() }
    }

    /// Rows for the dataset of that name.
    pub fn to_name(name: impl Into<String>, test_cases: impl IntoIterator<Item = TestCase>) -> Self {
        Self { name: Some(name.into()), test_cases: test_cases.into_iter().collect(), ..Self::default() }
    }

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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "UpdateTestCasePublicRequestSchema"))]
pub struct UpdateTestCasePublicRequest {
    /// New texts by column. A value that is no text is read as its JSON text.
    #[serde(default, deserialize_with = "null::optional_texts", skip_serializing_if = "Option::is_none")]
    pub inputs: Option<BTreeMap<String, String>>,
    /// New expected output. What is no text is read as its JSON text: the Python SDK sends numbers and booleans as they are.
    #[serde(default, deserialize_with = "null::optional_text", skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// New labels, in place of all old ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
}
