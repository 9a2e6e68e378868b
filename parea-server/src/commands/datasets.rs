//! `parea dataset`: rows of data, to the server and back.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use clap::Subcommand;
use parea_types::{CreateTestCases, GetTestCaseCollectionResponse, TestCase, TraceLogTree};
use serde_json::{Map, Value};

use super::{
    CommandError,
    api::{Api, Remote, segment},
    table::table,
};

/// Rows that are sent at once.
const CHUNK: usize = 1_000;

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Dataset {
    /// Shows a dataset: its columns, what their texts are, and its first rows
    Show {
        /// The dataset's name or number
        dataset: String,
        #[command(flatten)]
        remote: Remote,
    },
    /// Adds the rows of a file to a dataset, which is made when there is none of that name
    ///
    /// The file is CSV with a header line, or one JSON object a line (`.jsonl`). `target` is the expected output, `tags` a list
    /// of labels; all other columns are inputs. Rows that the dataset has already are left out.
    Push {
        /// The file
        file: PathBuf,
        /// The dataset's name; the file's name without its ending when absent
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Writes a dataset's rows, one JSON object a line
    Pull {
        /// The dataset's name or number
        dataset: String,
        /// The file to write; stdout when absent
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Tells how a file differs from a dataset. Exit codes: 0 they have the same rows, 1 they differ
    Diff {
        /// The dataset's name or number
        dataset: String,
        /// The file
        file: PathBuf,
        #[command(flatten)]
        remote: Remote,
    },
    /// Takes a stored trace as a new row: its inputs, and its target or else its output
    AddTrace {
        /// The dataset's name; it is made when there is none
        dataset: String,
        /// The trace's id
        trace_id: String,
        #[command(flatten)]
        remote: Remote,
    },
}

impl Dataset {
    pub(crate) async fn run(self) -> Result<(String, u8), CommandError> {
        match self {
            Self::Show { dataset, remote } => Ok((show(&fetch(&remote.connect()?, &dataset).await?), 0)),
            Self::Push { file, name, remote } => {
                let stem = || file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
                let name = name.or_else(stem).unwrap_or_default();
                push(&remote.connect()?, &name, read(&file)?).await.map(|text| (text, 0))
            }
            Self::Pull { dataset, output, remote } => {
                let found = fetch(&remote.connect()?, &dataset).await?;
                let lines: String = rows(&found).map(|case| line(&case) + "\n").collect();
                match output {
                    None => Ok((lines, 0)),
                    Some(path) => {
                        let written = fs::write(&path, lines);
                        written.map_err(|error| CommandError::new(format!("{}: {error}", path.display())))?;
                        Ok((format!("{} rows written to {}\n", found.test_cases.len(), path.display()), 0))
                    }
                }
            }
            Self::Diff { dataset, file, remote } => {
                let there = fetch(&remote.connect()?, &dataset).await?;
                Ok(diff(&rows(&there).collect::<Vec<_>>(), &read(&file)?))
            }
            Self::AddTrace { dataset, trace_id, remote } => {
                let api = remote.connect()?;
                let tree: Option<TraceLogTree> = api.get(&format!("/trace_log/{}", segment(&trace_id))).await?;
                let tree = tree.ok_or_else(|| CommandError::new(format!("the server has no trace `{trace_id}`")))?;
                push(&api, &dataset, vec![case_of(&tree)]).await.map(|text| (text, 0))
            }
        }
    }
}

async fn find(api: &Api, dataset: &str) -> Result<Option<GetTestCaseCollectionResponse>, CommandError> {
    api.get(&format!("/collection/{}", segment(dataset))).await
}

async fn fetch(api: &Api, dataset: &str) -> Result<GetTestCaseCollectionResponse, CommandError> {
    let none = || CommandError::new(format!("the server has no dataset `{dataset}`"));
    find(api, dataset).await?.ok_or_else(none)
}

fn rows(dataset: &GetTestCaseCollectionResponse) -> impl Iterator<Item = TestCase> {
    dataset.test_cases.values().map(|case| case.test_case.clone())
}

async fn push(api: &Api, name: &str, cases: Vec<TestCase>) -> Result<String, CommandError> {
    let there = find(api, name).await?;
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for case in there.iter().flat_map(rows) {
        *known.entry(line(&case)).or_default() += 1;
    }
    let total = cases.len();
    let fresh: Vec<TestCase> = cases
        .into_iter()
        .filter(|case| match known.get_mut(&line(case)) {
            Some(left @ 1..) => {
                *left -= 1;
                false
            }
            _ => true,
        })
        .collect();
    for chunk in fresh.chunks(CHUNK) {
        let request = CreateTestCases { id: None, name: Some(name.to_owned()), test_cases: chunk.to_vec() };
        let _: Value = api.post("/testcases", &request).await?;
    }
    let before = there.map_or("a new dataset".to_owned(), |there| format!("{} rows", there.test_cases.len()));
    Ok(format!(
        "{} rows added to `{name}`, which was {before}; {} were there already\n",
        fresh.len(),
        total - fresh.len()
    ))
}

/// A trace as a row: what went in, and what should come out.
fn case_of(tree: &TraceLogTree) -> TestCase {
    let inputs = tree.log.inputs.iter().flatten().map(|(key, value)| (key.clone(), text(value))).collect();
    TestCase { inputs, target: tree.log.target.clone().or_else(|| tree.log.output.clone()), tags: Vec::new() }
}

/// A row as one JSON object: inputs beside `target` and `tags`, keys in order.
fn line(case: &TestCase) -> String {
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

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Reads a file as the server keeps rows: every input as text. All rows need the same columns.
fn read(path: &Path) -> Result<Vec<TestCase>, CommandError> {
    let bad = |why: String| CommandError::new(format!("{}: {why}", path.display()));
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    let cases = match ending.as_deref() {
        Some("csv") => {
            let mut reader = csv::Reader::from_path(path).map_err(|error| bad(error.to_string()))?;
            let rows = reader.deserialize::<BTreeMap<String, String>>();
            rows.map(|row| {
                Ok(case(row.map_err(|error| bad(error.to_string()))?.into_iter().map(|(k, v)| (k, v.into()))))
            })
            .collect::<Result<Vec<_>, CommandError>>()?
        }
        Some("jsonl" | "ndjson") => {
            let lines = fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
            let mut cases = Vec::new();
            for (number, line) in lines.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
                let row: Map<String, Value> = serde_json::from_str(line)
                    .map_err(|error| bad(format!("line {} is no JSON object: {error}", number + 1)))?;
                cases.push(case(row));
            }
            cases
        }
        _ => return Err(bad("a file of rows ends in `.csv` or `.jsonl`".to_owned())),
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

/// What all texts of a column are.
fn kind<'a>(mut texts: impl Iterator<Item = &'a String> + Clone) -> &'static str {
    let all = |is: fn(&str) -> bool| texts.clone().all(|text| is(text));
    if texts.clone().next().is_none() {
        "nothing"
    } else if all(|text| text.parse::<i64>().is_ok()) {
        "integer"
    } else if all(|text| text.parse::<f64>().is_ok_and(f64::is_finite)) {
        "number"
    } else if all(|text| matches!(text, "true" | "false")) {
        "bool"
    } else if texts.all(|text| matches!(serde_json::from_str(text), Ok(Value::Array(_) | Value::Object(_)))) {
        "JSON"
    } else {
        "text"
    }
}

fn show(dataset: &GetTestCaseCollectionResponse) -> String {
    const SHOWN: usize = 5;
    let changed = dataset.last_updated_at;
    let mut shown =
        format!("{} · number {} · {} rows · changed {changed}\n", dataset.name, dataset.id, dataset.test_cases.len());
    let columns = dataset.column_names.iter().map(|column| {
        let texts = dataset.test_cases.values().filter_map(|case| case.test_case.inputs.get(column));
        vec![format!("  {column}"), kind(texts).to_owned()]
    });
    shown.push_str(&table(&columns.collect::<Vec<_>>()));
    for case in rows(dataset).take(SHOWN) {
        let row = line(&case);
        shown.extend("  ".chars().chain(row.chars().take(200)).chain(['\n']));
    }
    shown
}

/// Rows in one and not in the other, each as often as it is there.
fn diff(there: &[TestCase], here: &[TestCase]) -> (String, u8) {
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    for case in there {
        *counts.entry(line(case)).or_default() -= 1;
    }
    for case in here {
        *counts.entry(line(case)).or_default() += 1;
    }
    counts.retain(|_, count| *count != 0);
    let (added, removed): (Vec<_>, Vec<_>) = counts.iter().partition(|(_, count)| **count > 0);
    let mut text = String::new();
    for (sign, rows) in [('-', &removed), ('+', &added)] {
        for (row, count) in rows {
            let line = format!("{sign} {row}\n");
            text.push_str(&line.repeat(count.unsigned_abs() as usize));
        }
    }
    let total = |rows: &[(&String, &i64)]| rows.iter().map(|(_, count)| count.unsigned_abs()).sum::<u64>();
    let sum = format!("{} rows only in the dataset, {} only in the file\n", total(&removed), total(&added));
    (text + &sum, u8::from(!counts.is_empty()))
}
