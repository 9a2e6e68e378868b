//! An experiment: a function over rows, with what is asked of it.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use serde::Serialize;

use crate::{
    Eval, Evaluate, FromRow, IntoScores, Log, Report, Row,
    baseline::Baseline,
    error::ExperimentError,
    evaluation::function_name,
    requirement::Requirement,
    runner::{self, Work},
    source::Source,
};

/// What an experiment's function returns when it fails: any error fits, by `?`.
pub type RowFailure = Box<dyn std::error::Error + Send + Sync>;

/// A dataset-level evaluation: its name, and what it makes of all root logs.
pub(crate) type DatasetEval =
    (String, Arc<dyn Fn(&[Log]) -> Result<Vec<parea_runtime::types::EvaluationScore>, String> + Send + Sync>);

/// Starts an experiment of that name; each [`run`](Experiment::run) of it is a run of its own.
///
/// ```no_run
/// use parea_eval::{experiment, row, evals::levenshtein};
///
/// # async fn greeting(name: &str) -> String { format!("Hello {name}") }
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// experiment("Greeting")
///     .rows([row! { name: "Foo", target: "Hi Foo" }, row! { name: "Bar", target: "Hello Bar" }])
///     .eval(levenshtein)
///     .run(|row| async move { Ok(greeting(row.get("name")?).await) })
///     .await?
///     .print();
/// # Ok(()) }
/// ```
pub fn experiment(name: impl Into<String>) -> Experiment {
    Experiment {
        plan: Plan {
            name: name.into(),
            run_name: None,
            trials: 1,
            concurrency: 10,
            timeout: None,
            retries: 0,
            stop_on_error: false,
            metadata: BTreeMap::new(),
            tags: Vec::new(),
            evals: Vec::new(),
            dataset_evals: Vec::new(),
            requirements: Vec::new(),
            baseline: None,
            margin: None,
            minimal_effect: 0.05,
            quiet: false,
            local: false,
            ctrl_c: true,
            resume: None,
            version: None,
            parameters: String::new(),
            folder: None,
        },
        sources: Vec::new(),
    }
}

/// An experiment that is being put together. See [`experiment`].
#[derive(Clone)]
#[must_use = "nothing runs before `.run(..)`"]
pub struct Experiment {
    plan: Plan,
    sources: Vec<Source>,
}

impl std::fmt::Debug for Experiment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Experiment").field("name", &self.plan.name).finish_non_exhaustive()
    }
}

/// All that was asked.
#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the builder's")]
pub(crate) struct Plan {
    pub(crate) name: String,
    pub(crate) run_name: Option<String>,
    pub(crate) trials: u32,
    pub(crate) concurrency: usize,
    pub(crate) timeout: Option<Duration>,
    pub(crate) retries: u32,
    pub(crate) stop_on_error: bool,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) tags: Vec<String>,
    pub(crate) evals: Vec<Eval>,
    pub(crate) dataset_evals: Vec<DatasetEval>,
    pub(crate) requirements: Vec<(String, Requirement)>,
    pub(crate) baseline: Option<Baseline>,
    pub(crate) margin: Option<f64>,
    pub(crate) minimal_effect: f64,
    pub(crate) quiet: bool,
    pub(crate) local: bool,
    pub(crate) ctrl_c: bool,
    pub(crate) resume: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) parameters: String,
    pub(crate) folder: Option<PathBuf>,
}

#[expect(clippy::needless_pass_by_value, reason = "callers write numbers and literals")]
impl Experiment {
    /// Adds rows: [`row!`](crate::row)s, or any structs or maps with `Serialize`.
    pub fn rows<I>(mut self, rows: I) -> Self
    where
        I: IntoIterator,
        I::Item: Serialize,
    {
        let rows = rows.into_iter().map(|item| Row::of(&item)).collect();
        self.sources.push(Source::Rows(rows));
        self
    }

    /// Adds the rows of a CSV file with a header line. Values are texts, and numbers or JSON where the function wants those.
    #[cfg(feature = "csv")]
    pub fn csv(mut self, path: impl Into<PathBuf>) -> Self {
        self.sources.push(Source::Csv(path.into()));
        self
    }

    /// Adds the rows of a file with one JSON object a line.
    pub fn jsonl(mut self, path: impl Into<PathBuf>) -> Self {
        self.sources.push(Source::Jsonl(path.into()));
        self
    }

    /// Adds the rows of a Parquet file. Columns of lists, maps and structs are JSON; dates and times are texts.
    #[cfg(feature = "parquet")]
    pub fn parquet(mut self, path: impl Into<PathBuf>) -> Self {
        self.sources.push(Source::Parquet(path.into()));
        self
    }

    /// Adds the rows of a dataset of the server, by its name or its number; the run's metadata `Dataset` names it. Behind `@` a
    /// version is pinned: the rows of `questions@3` never change.
    pub fn dataset(mut self, id_or_name: impl ToString) -> Self {
        let id_or_name = id_or_name.to_string();
        self.plan.metadata.insert("Dataset".to_owned(), id_or_name.clone());
        self.sources.push(Source::Dataset(id_or_name));
        self
    }

    /// The run's name: letters, digits, `-`, `_` and `'`, unique in the experiment. Made up unless set.
    pub fn run_name(mut self, name: impl Into<String>) -> Self {
        self.plan.run_name = Some(name.into());
        self
    }

    /// Adds an evaluation of each row's result, under its function's name. What the function's own annotations evaluate, and
    /// `parea::current().score(..)`, comes on top.
    pub fn eval<Form>(mut self, evaluation: impl Evaluate<Form>) -> Self {
        self.plan.evals.push(evaluation.eval());
        self
    }

    /// [`eval`](Self::eval) under another name: for closures.
    pub fn eval_as<Form>(mut self, name: &str, evaluation: impl Evaluate<Form>) -> Self {
        self.plan.evals.push(evaluation.under(name));
        self
    }

    /// Adds an evaluation of the whole run, such as those of [`evals::dataset`](crate::evals::dataset): a function of the root
    /// logs of all rows that succeeded, which are read back into memory for it.
    pub fn dataset_eval<F, R>(mut self, evaluation: F) -> Self
    where
        F: Fn(&[Log]) -> R + Send + Sync + 'static,
        R: IntoScores,
    {
        let name = function_name(std::any::type_name::<F>());
        let own = name.clone();
        self.plan.dataset_evals.push((name, Arc::new(move |logs| evaluation(logs).into_scores(&own))));
        self
    }

    /// How often each row runs, 1 unless set. Comparisons average the trials of a row.
    pub fn trials(mut self, trials: u32) -> Self {
        self.plan.trials = trials;
        self
    }

    /// How many rows run at once, 10 unless set.
    pub fn concurrency(mut self, rows: usize) -> Self {
        self.plan.concurrency = rows;
        self
    }

    /// How long a row may take at most, per attempt. Without bound unless set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.plan.timeout = Some(timeout);
        self
    }

    /// How often a row that failed, panicked or took too long is tried again, after 0.5 s, 1 s, 2 s and so on; 0 unless set.
    pub fn retries(mut self, retries: u32) -> Self {
        self.plan.retries = retries;
        self
    }

    /// Whether the first failed row ends the run: `true` starts no further row, and finishes those under way. `false` unless set.
    pub fn stop_on_error(mut self, stop: bool) -> Self {
        self.plan.stop_on_error = stop;
        self
    }

    /// Adds to the run's metadata. `git.commit` and `git.dirty` are there by default.
    pub fn metadata(mut self, key: impl Into<String>, value: impl ToString) -> Self {
        self.plan.metadata.insert(key.into(), value.to_string());
        self
    }

    /// A parameter of this variant, such as a model or a chunk size: part of the metadata, and of what
    /// [`resume`](Self::resume) takes for the same work.
    pub fn param(mut self, key: impl Into<String>, value: impl ToString) -> Self {
        let (key, value) = (key.into(), value.to_string());
        for part in [key.as_str(), "=", &value, "\n"] {
            self.plan.parameters.push_str(part);
        }
        self.plan.metadata.insert(key, value);
        self
    }

    /// Adds a tag to every row's root log.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.plan.tags.push(tag.into());
        self
    }

    /// Goes on with the run of that uuid, or starts a new one for `None`: rows that it has finished are taken from its journal
    /// (`.parea/experiments/UUID.jsonl`) and not run again; rows that failed, and those under way when it was ended, are.
    ///
    /// Work is the same if row, trial, [`param`](Self::param)s and version are. The version is the git commit; with changes
    /// that are not committed, name it with [`version`](Self::version).
    pub fn resume(mut self, uuid: impl Into<Option<String>>) -> Self {
        self.plan.resume = uuid.into();
        self
    }

    /// [`resume`](Self::resume) as the program's arguments say: `--resume UUID`.
    pub fn resume_from_args(self) -> Self {
        let mut arguments = std::env::args().skip_while(|argument| argument != "--resume").skip(1);
        self.resume(arguments.next())
    }

    /// Names the code that is tried, where the git commit does not.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.plan.version = Some(version.into());
        self
    }

    /// Compares the run with an earlier one: a [`Report`], the name or uuid of a run of this experiment (on this machine or on
    /// the server), or the path of a report as JSON.
    pub fn compare_to(mut self, baseline: impl Into<Baseline>) -> Self {
        self.plan.baseline = Some(baseline.into());
        self
    }

    /// With [`compare_to`](Self::compare_to): the run fails if a score is worse by more than `margin` for sure, which is to say
    /// that its verdict is worse and its whole interval lies below `-margin`. If the interval reaches over `-margin`, or its
    /// test could be chance, there is no evidence either way, which has an exit code of its own.
    pub fn fail_on_regression(mut self, margin: f64) -> Self {
        self.plan.margin = Some(margin);
        self
    }

    /// The least difference that matters, for the number of rows that comparisons name; 0.05 unless set.
    pub fn minimal_effect(mut self, effect: f64) -> Self {
        self.plan.minimal_effect = effect;
        self
    }

    /// Asks something of a score: `.require("levenshtein", mean().at_least(0.8))`. The names `latency`, `cost` and
    /// `total_tokens` work too.
    pub fn require(mut self, score: impl Into<String>, requirement: Requirement) -> Self {
        self.plan.requirements.push((score.into(), requirement));
        self
    }

    /// Whether something was asked of the score.
    pub(crate) fn asks_for(&self, score: &str) -> bool {
        self.plan.requirements.iter().any(|(name, _)| name == score)
    }

    /// Shows no progress. It is never shown where stderr is no terminal.
    pub fn quiet(mut self) -> Self {
        self.plan.quiet = true;
        self
    }

    /// Tells no server of the run, even if there is one. Logs go where logs go.
    pub fn local(mut self) -> Self {
        self.plan.local = true;
        self
    }

    /// Whether Ctrl-C ends the run early and keeps what is done; `true` unless set.
    pub fn keep_on_ctrl_c(mut self, keep: bool) -> Self {
        self.plan.ctrl_c = keep;
        self
    }

    /// Where journals and reports are kept: `experiments/` in the client's folder unless set.
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.plan.folder = Some(folder.into());
        self
    }

    /// Runs the function over all rows and returns when all of them, and their evaluations, are done.
    ///
    /// The function returns `Ok` of anything with `Serialize`; `?` takes any error. Rows run as tasks of the current Tokio
    /// runtime, each in a trace of its own. A row that fails, panics or takes too long is a failed row of the report, not an
    /// error of the run.
    pub async fn run<F, Fut, T>(self, function: F) -> Result<Report, ExperimentError>
    where
        F: Fn(Row) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, RowFailure>> + Send + 'static,
        T: Serialize + 'static,
    {
        self.run_typed(function).await
    }

    /// [`run`](Self::run) with a function that takes a type with `Deserialize`. Every row is read as that type before the first
    /// one runs, so that a column that is missing costs nothing.
    ///
    /// ```no_run
    /// # use parea_eval::{experiment, row};
    /// #[derive(serde::Deserialize)]
    /// struct Question { text: String, k: usize }
    ///
    /// # async fn ask(text: &str, k: usize) -> Result<String, std::io::Error> { Ok(String::new()) }
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// experiment("Ask")
    ///     .jsonl("questions.jsonl")
    ///     .run_typed(|question: Question| async move { Ok(ask(&question.text, question.k).await?) })
    ///     .await?
    ///     .print();
    /// # Ok(()) }
    /// ```
    pub async fn run_typed<R, F, Fut, T>(mut self, function: F) -> Result<Report, ExperimentError>
    where
        R: FromRow,
        F: Fn(R) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, RowFailure>> + Send + 'static,
        T: Serialize + 'static,
    {
        let function = Arc::new(function);
        let work: Work = Arc::new(move |row: &Row| {
            // Checked before the first row ran, so this does not fail here.
            let typed = R::from_row(row).map_err(RowFailure::from);
            let function = Arc::clone(&function);
            Box::pin(async move {
                let value = function(typed?).await?;
                serde_json::to_vec(&value).map_err(RowFailure::from)
            })
        });
        let mut rows: Vec<Row> = Vec::new();
        for source in std::mem::take(&mut self.sources) {
            let name = source.name();
            let (read, version) = source.read().await?;
            if let (true, Some(source)) = (read.is_empty(), name) {
                return Err(ExperimentError::Source { source, why: "it has no rows".to_owned() });
            }
            if let Some(version) = version {
                let digest: String = version.digest.chars().take(12).collect();
                self = self.metadata("Dataset version", format!("{} ({digest})", version.version));
            }
            for row in read {
                rows.push(row.numbered(rows.len() + 1));
            }
        }
        for row in &rows {
            R::from_row(row)?;
        }
        runner::run(self.plan, rows, work).await
    }
}
