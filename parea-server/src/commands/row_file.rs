//! Files of rows: CSV, one JSON object a line, Parquet.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    path::Path,
    sync::Arc,
};

use parea_types::{TestCase, parquet_rows};
use parquet::{
    basic::{Compression, LogicalType, Repetition, Type as Physical, ZstdLevel},
    data_type::{ByteArray, ByteArrayType},
    errors::Result as Written,
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::types::Type,
};
use serde_json::{Map, Value};

use super::CommandError;

/// The ways in which rows lie in a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Csv,
    Lines,
    Parquet,
}

impl Form {
    /// What the file's ending says.
    fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_string_lossy().to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "jsonl" | "ndjson" => Some(Self::Lines),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }
}

/// Whether the name says that a file of rows is meant, be it there or not.
pub(super) fn is_named_as_one(path: &Path) -> bool {
    Form::of(path).is_some()
}

/// A row as one JSON object: inputs beside `target` and `tags`, keys in order.
pub(super) fn line(case: &TestCase) -> String {
    let mut members: Map<String, Value> =
        case.inputs.iter().map(|(column, text)| (column.clone(), Value::String(text.clone()))).collect();
    if let Some(target) = &case.target {
        members.insert("target".to_owned(), target.clone().into());
    }
    if !case.tags.is_empty() {
        members.insert("tags".to_owned(), case.tags.clone().into());
    }
    Value::Object(members).to_string()
}

pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Reads a file as the server keeps rows: every input as text. All rows need the same columns.
pub(super) fn read(path: &Path) -> Result<Vec<TestCase>, CommandError> {
    let bad = |why: String| CommandError::new(format!("{}: {why}", path.display()));
    let cases = match Form::of(path) {
        Some(Form::Csv) => csv_cases(path).map_err(bad)?,
        Some(Form::Lines) => {
            let lines = fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
            let mut cases = Vec::new();
            for (number, line) in lines.trim_start_matches('\u{feff}').lines().enumerate() {
                if line.trim().is_empty() {
                    continue;
                }
                let row: Map<String, Value> = serde_json::from_str(line)
                    .map_err(|error| bad(format!("line {} is no JSON object: {error}", number + 1)))?;
                cases.push(case(row));
            }
            cases
        }
        Some(Form::Parquet) => parquet_rows(path).map_err(bad)?.into_iter().map(case).collect(),
        None => return Err(bad("a file of rows ends in `.csv`, `.jsonl` or `.parquet`".to_owned())),
    };
    let Some(first) = cases.first() else { return Err(bad("it has no rows".to_owned())) };
    for (number, case) in cases.iter().enumerate() {
        if !case.inputs.keys().eq(first.inputs.keys()) {
            let columns = |case: &TestCase| case.inputs.keys().cloned().collect::<Vec<_>>().join(", ");
            let (own, wanted) = (columns(case), columns(first));
            return Err(bad(format!("row {} has the columns {own}, the first row {wanted}", number + 1)));
        }
    }
    Ok(cases)
}

fn csv_cases(path: &Path) -> Result<Vec<TestCase>, String> {
    let mut reader = csv::Reader::from_path(path).map_err(|error| error.to_string())?;
    let columns = reader.headers().map_err(|error| error.to_string())?.clone();
    let mut known = BTreeSet::new();
    for (index, column) in columns.iter().enumerate() {
        if column.is_empty() {
            return Err(format!("column {} has no name in the first line", index + 1));
        }
        if !known.insert(column) {
            return Err(format!("two columns are named `{column}`"));
        }
    }
    let rows = reader.records().map(|record| {
        let record = record.map_err(|error| error.to_string())?;
        Ok(case(columns.iter().zip(&record).map(|(column, text)| (column.to_owned(), text.into()))))
    });
    rows.collect()
}

fn case(row: impl IntoIterator<Item = (String, Value)>) -> TestCase {
    let mut case = TestCase::default();
    for (column, value) in row {
        match column.as_str() {
            "target" => case.target = Some(text(&value)).filter(|target| !value.is_null() && !target.is_empty()),
            "tags" => {
                let parsed = value.as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or(value);
                case.tags = parsed.as_array().map(|tags| tags.iter().map(text).collect()).unwrap_or_default();
            }
            _ => {
                case.inputs.insert(column, text(&value));
            }
        }
    }
    case
}

/// Writes rows in the form that the file's ending says; one JSON object a line where it says none.
pub(super) fn write(path: &Path, columns: &[String], cases: &[TestCase]) -> Result<(), CommandError> {
    let written = match Form::of(path) {
        Some(Form::Csv) => write_csv(path, columns, cases).map_err(|error| error.to_string()),
        Some(Form::Parquet) => write_parquet(path, columns, cases).map_err(|error| error.to_string()),
        Some(Form::Lines) | None => {
            let lines: String = cases.iter().map(|case| line(case) + "\n").collect();
            fs::write(path, lines).map_err(|error| error.to_string())
        }
    };
    written.map_err(|error| CommandError::new(format!("{}: {error}", path.display())))
}

/// The columns of a file with the text of each row: inputs, then `target` and `tags` where a row has such.
fn texts<'a>(columns: &'a [String], cases: &'a [TestCase]) -> BTreeMap<&'a str, Vec<Option<String>>> {
    let input = |column: &'a String| {
        (column.as_str(), cases.iter().map(|case| case.inputs.get(column).cloned()).collect::<Vec<_>>())
    };
    let mut all: BTreeMap<_, _> = columns.iter().map(input).collect();
    let targets: Vec<_> = cases.iter().map(|case| case.target.clone()).collect();
    let tags = |case: &TestCase| (!case.tags.is_empty()).then(|| Value::from(case.tags.clone()).to_string());
    let tags: Vec<_> = cases.iter().map(tags).collect();
    for (name, texts) in [("target", targets), ("tags", tags)] {
        if texts.iter().any(Option::is_some) {
            all.insert(name, texts);
        }
    }
    all
}

fn write_csv(path: &Path, columns: &[String], cases: &[TestCase]) -> csv::Result<()> {
    let mut writer = csv::Writer::from_path(path)?;
    let texts = texts(columns, cases);
    writer.write_record(texts.keys())?;
    for row in 0..cases.len() {
        writer.write_record(texts.values().map(|column| column[row].as_deref().unwrap_or_default()))?;
    }
    Ok(writer.flush()?)
}

fn write_parquet(path: &Path, columns: &[String], cases: &[TestCase]) -> Written<()> {
    let texts = texts(columns, cases);
    let field = |name: &&str| {
        let field = Type::primitive_type_builder(name, Physical::BYTE_ARRAY);
        let field = field.with_repetition(Repetition::OPTIONAL).with_logical_type(Some(LogicalType::String));
        field.build().map(Arc::new)
    };
    let fields = texts.keys().map(field).collect::<Written<Vec<_>>>()?;
    let schema = Arc::new(Type::group_type_builder("row").with_fields(fields).build()?);
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_created_by(format!("parea {}", env!("CARGO_PKG_VERSION")))
        .build();
    let mut writer = SerializedFileWriter::new(File::create(path)?, schema, Arc::new(properties))?;
    let mut group = writer.next_row_group()?;
    for texts in texts.values() {
        let Some(mut column) = group.next_column()? else { break };
        let values: Vec<ByteArray> = texts.iter().flatten().map(|text| text.as_str().into()).collect();
        let levels: Vec<i16> = texts.iter().map(|text| i16::from(text.is_some())).collect();
        column.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None)?;
        column.close()?;
    }
    group.close()?;
    writer.close().map(drop)
}
