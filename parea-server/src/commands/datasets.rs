//! `parea dataset`: rows of data, to the server and back.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
};

use clap::Subcommand;
use parea_types::{
    CreateTestCases, DatasetName, DatasetSummary, DatasetVersion, GetTestCaseCollectionResponse, TestCase,
    TraceLogTree, VersionedDataset,
};
use serde_json::Value;

use super::{
    CommandError,
    api::{Api, Remote, segment},
    experiments::pretty,
    row_file::{self, line, text},
    table::{self, table},
};

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Dataset {
    /// Lists datasets with their newest versions
    List {
        #[command(flatten)]
        remote: Remote,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Shows a dataset: its columns, what their texts are, its versions and its first rows
    Show {
        /// The dataset's name or number, and a version behind `@` where an earlier one is meant: `questions@3`
        dataset: String,
        #[command(flatten)]
        remote: Remote,
    },
    /// Adds the rows of a file to a dataset, which is made when there is none of that name
    ///
    /// The file is CSV with a header line, one JSON object a line (`.jsonl`), or Parquet. `target` is the expected output,
    /// `tags` a list of labels; all other columns are inputs. Rows that the dataset has already are left out; the others
    /// make one version.
    #[command(verbatim_doc_comment)]
    Push {
        /// The file
        file: PathBuf,
        /// The dataset's name; the file's name without its ending when absent
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Writes a dataset's rows, one JSON object a line; as CSV or Parquet where the file's ending says so
    Pull {
        /// The dataset's name or number, as for `show`
        dataset: String,
        /// The file to write; stdout when absent
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Tells how a file, or another dataset or version, differs from a dataset
    ///
    /// Exit codes: 0 they have the same rows, 1 they differ, 4 one of them cannot be had.
    #[command(verbatim_doc_comment)]
    Diff {
        /// The dataset's name or number, as for `show`
        dataset: String,
        /// The file; or a dataset, if there is no file of that name: `parea dataset diff questions@2 questions`
        other: String,
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
            Self::List { remote, json } => {
                let all: Vec<DatasetSummary> = remote.connect()?.get("/datasets").await?;
                Ok((if json { pretty(&all)? } else { list(&all) }, 0))
            }
            Self::Show { dataset, remote } => {
                let api = remote.connect()?;
                let (found, version) = fetch(&api, &dataset).await?;
                let name = segment(&DatasetName::parse(&dataset).name);
                let versions: Option<Vec<DatasetVersion>> = api.get(&format!("/dataset_versions/{name}")).await?;
                Ok((show(&found, &version, &versions.unwrap_or_default()), 0))
            }
            Self::Push { file, name, remote } => {
                let stem = || file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
                let name = name.or_else(stem).unwrap_or_default();
                push(&remote.connect()?, &name, row_file::read(&file)?).await.map(|text| (text, 0))
            }
            Self::Pull { dataset, output, remote } => {
                let (found, _) = fetch(&remote.connect()?, &dataset).await?;
                match output {
                    None => Ok((rows(&found).map(|case| line(&case) + "\n").collect(), 0)),
                    Some(path) => {
                        row_file::write(&path, &found.column_names, &rows(&found).collect::<Vec<_>>())?;
                        Ok((format!("{} written to {}\n", table::rows(found.test_cases.len()), path.display()), 0))
                    }
                }
            }
            Self::Diff { dataset, other, remote } => {
                let api = remote.connect()?;
                let (there, _) = fetch(&api, &dataset).await?;
                let file = Path::new(&other);
                let is_file = file.exists() || row_file::is_named_as_one(file);
                let other = if is_file { row_file::read(file)? } else { rows(&fetch(&api, &other).await?.0).collect() };
                Ok(diff(&rows(&there).collect::<Vec<_>>(), &other))
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

/// A dataset in the version that is meant.
async fn fetch(api: &Api, dataset: &str) -> Result<(GetTestCaseCollectionResponse, DatasetVersion), CommandError> {
    let DatasetName { name, version } = DatasetName::parse(dataset);
    let query = version.map(|version| format!("?version={version}")).unwrap_or_default();
    let found: Option<VersionedDataset> = api.get(&format!("/dataset_version/{}{query}", segment(&name))).await?;
    if let Some(VersionedDataset { version, dataset }) = found {
        return Ok((dataset, version));
    }
    let newest: Option<VersionedDataset> = api.get(&format!("/dataset_version/{}", segment(&name))).await?;
    Err(CommandError::new(match (version, newest) {
        (Some(version), Some(newest)) => {
            format!("dataset `{name}` has no version {version}; its newest is {}", newest.version.version)
        }
        _ => format!("the server has no dataset `{name}`; `parea dataset list` shows those that it has"),
    }))
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
    let added = fresh.len();
    if added > 0 {
        // All at once, since each request makes a version.
        let _: Vec<i64> = api.post("/testcases", &CreateTestCases::to_name(name, fresh)).await?;
    }
    let before = there.map_or("a new dataset".to_owned(), |there| table::rows(there.test_cases.len()));
    let added_rows = table::rows(added);
    Ok(format!("{added_rows} added to `{name}`, which was {before}; {} were there already\n", total - added))
}

/// A trace as a row: what went in, and what should come out.
fn case_of(tree: &TraceLogTree) -> TestCase {
    let inputs = tree.log.inputs.iter().flatten().map(|(key, value)| (key.clone(), text(value))).collect();
    TestCase { inputs, target: tree.log.target.clone().or_else(|| tree.log.output.clone()), tags: Vec::new() }
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

fn list(all: &[DatasetSummary]) -> String {
    if all.is_empty() {
        return "no datasets\n".to_owned();
    }
    let mut rows = vec![["dataset", "number", "version", "rows", "columns", "changed"].map(str::to_owned).to_vec()];
    rows.extend(all.iter().map(|DatasetSummary { id, name, newest, .. }| {
        let columns = newest.column_names.join(", ");
        let (version, count, changed) = (newest.version, newest.rows, newest.created_at);
        vec![name.clone(), id.to_string(), version.to_string(), count.to_string(), columns, changed.to_string()]
    }));
    table(&rows)
}

fn show(dataset: &GetTestCaseCollectionResponse, shown: &DatasetVersion, versions: &[DatasetVersion]) -> String {
    const SHOWN: usize = 5;
    const VERSIONS: usize = 10;
    let (name, id, version, changed) = (&dataset.name, dataset.id, shown.version, shown.created_at);
    let count = table::rows(dataset.test_cases.len());
    let mut text = format!("{name} · number {id} · version {version} · {count} · changed {changed}\n");
    let columns = dataset.column_names.iter().map(|column| {
        let texts = dataset.test_cases.values().filter_map(|case| case.test_case.inputs.get(column));
        vec![format!("  {column}"), kind(texts).to_owned()]
    });
    let mut columns: Vec<_> = columns.collect();
    let targets = dataset.test_cases.values().filter_map(|case| case.test_case.target.as_ref());
    columns.push(vec!["  target".to_owned(), kind(targets).to_owned()]);
    text.push_str(&table(&columns));
    let known = versions.iter().take(VERSIONS).map(|known| {
        let mark = if known.version == version { "  → version" } else { "    version" };
        let digest: String = known.digest.chars().take(12).collect();
        vec![format!("{mark} {}", known.version), table::count(known.rows, "row"), digest, known.created_at.to_string()]
    });
    text.push_str(&table(&known.collect::<Vec<_>>()));
    if versions.len() > VERSIONS {
        let _ = writeln!(text, "    … and {} earlier ones", versions.len() - VERSIONS);
    }
    for case in rows(dataset).take(SHOWN) {
        let row = line(&case);
        text.extend("  ".chars().chain(row.chars().take(200)).chain(['\n']));
    }
    text
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
    let sum =
        format!("{} only in the dataset, {} only in the other\n", table::count(total(&removed), "row"), total(&added));
    (text + &sum, u8::from(!counts.is_empty()))
}
