//! Everything that is written often and read by filter.

use parea_types::{EvaluationScore, Status, Timestamp, TraceLog, TraceLogTree, TraceStats, UpdateLog};

use crate::{Answer, query::Filter, text::TextQuery};

/// One change to one log.
///
/// Patches of the same log commute and repeat without harm (`merge.rs`): retries, `PUT` before `POST` and any
/// interleaving end in the same log.
#[derive(Clone, Debug)]
pub enum Patch {
    /// A log as a client sent it. It names its project by `project_uuid` or `project_name`.
    Post(Box<TraceLog>),
    /// Fields of a log that may not be stored yet, in whatever project it is.
    Put(UpdateLog),
    /// The same of the log in the project of this uuid only.
    PutIn(String, UpdateLog),
}

/// What became of one patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The first word of this log.
    Created,
    /// Merged into what was there.
    Merged,
    /// A repeat that changed nothing, a log that sampling left out, or one that was erased.
    Unchanged,
}

/// A place in the store's history, growing with each commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token(pub u64);

/// A commit that is on disk.
#[derive(Clone, Debug)]
pub struct Committed {
    /// One for each patch, in order.
    pub outcomes: Vec<Outcome>,
    /// The history up to and including this commit.
    pub token: Token,
}

/// Which logs may be seen at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Uuid of a project; `None` for all.
    pub project: Option<String>,
}

/// Which of them are wanted. All conditions join with *and*.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogFilter {
    /// Exact status; for traces that of the root.
    pub status: Option<Status>,
    /// Earliest start, inclusive.
    pub started_from: Option<Timestamp>,
    /// Any conditions on a log, of its own scores only; on the root where traces are listed.
    pub filter: Option<Filter>,
}

/// A place in a list that is sorted newest start first: the sort values and the id of the last row seen, so that
/// what arrives meanwhile neither repeats nor hides a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Start of the last row seen.
    pub started: Timestamp,
    /// Its `trace_id` (of the root for traces).
    pub id: String,
}

/// Where a page of a list begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum After {
    /// At the newest.
    #[default]
    Start,
    /// Behind a row already seen.
    Cursor(Cursor),
    /// Behind that many rows, for the Parea API's numbered pages.
    Skip(u64),
}

/// Some rows of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The rows, newest start first.
    pub rows: Vec<T>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Cursor>,
}

/// A place in the results of a search for words: the arrival of the last log that was looked at. Logs that change or
/// move within the store meanwhile keep their places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextCursor(pub u64);

/// Some results of a search for words.
#[derive(Clone, Debug)]
pub struct TextPage {
    /// The logs that were found, the last to arrive first, as [`Logs::trace`] has them.
    pub rows: Vec<TraceLog>,
    /// For each of them the name of its trace's root; `None` while that has not come, or has none.
    pub trace_names: Vec<Option<String>>,
    /// Where the search goes on; `None` at the end. There may be none of the rows and yet more to come: one call reads a
    /// bounded part of the store.
    pub next: Option<TextCursor>,
    /// When the last log that was looked at began, in whatever project, if there are fewer rows than were asked for and
    /// yet more to come.
    pub reached: Option<Timestamp>,
}

/// A number of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// All were counted.
    Exact(u64),
    /// The budget ran out here.
    AtLeast(u64),
}

/// One trace in a list: its root's own figures and the sums of all its logs.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceSummary {
    /// Id of the root.
    pub root_trace_id: String,
    /// Uuid of the project.
    pub project_uuid: String,
    /// Whether the root itself has arrived. Until then name, status and latency are unknown.
    pub has_root: bool,
    /// Name of the root.
    pub name: Option<String>,
    /// Earliest start of its logs.
    pub started: Timestamp,
    /// The root's latency in seconds.
    pub latency: Option<f64>,
    /// The root's status.
    pub status: Option<Status>,
    /// Number of logs.
    pub spans: u64,
    /// Number of logs with status `error`.
    pub errors: u64,
    /// Sum of all logs' input tokens.
    pub input_tokens: i64,
    /// Sum of all logs' output tokens.
    pub output_tokens: i64,
    /// Sum of all logs' total tokens.
    pub total_tokens: i64,
    /// Sum of all logs' cost in US dollars; `None` when no log has one.
    pub cost: Option<f64>,
    /// The root's scores, then its descendants' in execution order.
    pub scores: Vec<EvaluationScore>,
    /// Tags of the root.
    pub tags: Vec<String>,
    /// Begin of the root's inputs as JSON text, at most some hundred bytes, for a line in a list. Without inputs that of the
    /// last message to a model, as `{"user":"…"}`.
    pub inputs_preview: Option<String>,
    /// Begin of the root's output, likewise.
    pub output_preview: Option<String>,
    /// Begin of the root's error, likewise, if its status is `error`.
    pub error_preview: Option<String>,
    /// Session of the root.
    pub session_id: Option<String>,
    /// End user of the root.
    pub end_user_identifier: Option<String>,
}

/// Logs and the traces that they form.
pub trait Logs: Send + Sync {
    /// Applies the patches and answers when they are durable. Patches that name an unknown project create it;
    /// logs that name none go to the project `default`.
    fn commit(&self, patches: Vec<Patch>) -> Answer<'_, Committed>;

    /// Logs of any depth, newest start first, each with what the server fills in on reads: children, scores of
    /// descendants, and the whole tree below if it is a root. A page may end before `limit` where its rows are large.
    fn page(&self, scope: &Scope, filter: &LogFilter, after: After, limit: u32) -> Answer<'_, Page<TraceLogTree>>;

    /// Number of logs that [`page`](Self::page) would list; counting stops at `budget` rows.
    fn count(&self, scope: &Scope, filter: &LogFilter, budget: u64) -> Answer<'_, Count>;

    /// Traces, newest start first, for a list.
    fn traces(&self, scope: &Scope, filter: &LogFilter, after: After, limit: u32) -> Answer<'_, Page<TraceSummary>>;

    /// A log of any depth with its whole tree below, as [`page`](Self::page) fills it; `None` when there is no such log.
    fn tree(&self, trace_id: &str) -> Answer<'_, Option<TraceLogTree>>;

    /// The same within a scope.
    fn tree_in(&self, scope: &Scope, trace_id: &str) -> Answer<'_, Option<TraceLogTree>>;

    /// All logs of a trace by its root's id, in execution order and unlinked, also when the root or some parent
    /// never came. Empty when there is none.
    fn trace(&self, root_trace_id: &str) -> Answer<'_, Vec<TraceLog>>;

    /// The same within a scope.
    fn trace_in(&self, scope: &Scope, root_trace_id: &str) -> Answer<'_, Vec<TraceLog>>;

    /// Logs of any depth in which all terms of the query occur, the last to arrive first, at most `limit` in one call.
    fn text(
        &self,
        scope: &Scope,
        query: &TextQuery,
        filter: &LogFilter,
        after: Option<TextCursor>,
        limit: u32,
    ) -> Answer<'_, TextPage>;

    /// The figures of each trace of an experiment's run, oldest first: one for each root log that names the run.
    fn experiment_stats(&self, scope: &Scope, uuid: &str) -> Answer<'_, Vec<TraceStats>>;

    /// The number of such root logs, for each of the runs.
    fn experiment_sizes(&self, scope: &Scope, uuids: Vec<String>) -> Answer<'_, Vec<u64>>;

    /// Those root logs with their trees, oldest first, behind the row that the cursor names.
    fn experiment_page(
        &self,
        scope: &Scope,
        uuid: &str,
        after: Option<Cursor>,
        limit: u32,
    ) -> Answer<'_, Page<TraceLogTree>>;

    /// Adds to a project's figures of logs that its clients had to drop, by reason; whether they were added. A report with an
    /// id that is known, as the last ten thousand are, was counted before.
    fn add_losses(&self, project: &str, losses: &[(String, u64)], id: Option<&str>) -> Answer<'_, bool>;

    /// Those figures, by reason.
    fn losses(&self, scope: &Scope) -> Answer<'_, Vec<(String, u64)>>;
}
