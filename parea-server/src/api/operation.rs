//! The table of all operations: from it follow the router, who may call what, and the document.

use axum::routing::{MethodRouter, get, post, put};
use parea_types::{
    BatchResponse, Completions, CompletionsResponse, CreateExperimentRequest, CreateGetProjectRequest,
    CreateGetProjectResponse, CreateTestCaseCollectionRequest, CreateTestCaseCollectionResponse, CreateTestCases,
    DatasetSummary, DatasetVersion, DeploymentPromptId, Experiment, ExperimentStats, ExperimentWithStats,
    FeedbackRequest, FilterBase, FinishExperimentRequest, GetDeployedPromptResponse, GetTestCaseCollectionResponse,
    KeptRun, ListExperimentsRequest, PaginatedTraceLogs, QueryParamsPagination, TraceLog, TraceLogTree, UpdateLog,
    UpdateTestCasePublicRequest, VersionedDataset,
};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::{
    batch, dataset, experiment, experiment_logs, feedback, health, not_offered, project, refused,
    search::{self, Found, Search},
    trace_log::{self, Stored},
    trace_logs,
};
use crate::{
    auth::KeyScope::{self, Admin, Read, Write},
    langchain::Run,
    refused::Refused,
    state::AppState,
};

/// One operation.
pub(crate) struct Operation {
    /// Its name, for figures and documents.
    pub(crate) name: &'static str,
    /// `GET`, `POST` or `PUT`.
    pub(crate) method: &'static str,
    /// Its path below the base.
    pub(crate) path: &'static str,
    /// The scope that a key needs to call it.
    pub(crate) scope: KeyScope,
    /// What it does.
    pub(crate) about: &'static str,
    /// Its handler.
    pub(crate) route: fn() -> MethodRouter<AppState>,
    /// What it is sent.
    pub(crate) request: Request,
    /// What it answers.
    pub(crate) answer: SchemaOf,
}

type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// What an operation is sent.
pub(crate) enum Request {
    /// No body.
    Nothing,
    /// JSON of this schema.
    Json(SchemaOf),
    /// The same, or nothing.
    Perhaps(SchemaOf),
}

fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

macro_rules! operations {
    ($(
        $(#[doc = $about:literal])+
        $scope:ident $method:ident $path:literal $name:ident($($request:tt)*) -> $answer:ty = $handler:expr;
    )*) => {
        /// All of them, in the order of the document.
        pub(crate) const OPERATIONS: &[Operation] = &[$(Operation {
            name: stringify!($name),
            method: operations!(@ $method),
            path: $path,
            scope: $scope,
            about: concat!($($about),+),
            route: || $method($handler),
            request: operations!(@request $($request)*),
            answer: schema::<$answer>,
        }),*];
    };
    (@ get) => { "GET" };
    (@ post) => { "POST" };
    (@ put) => { "PUT" };
    (@request) => { Request::Nothing };
    (@request perhaps $request:ty) => { Request::Perhaps(schema::<Option<$request>>) };
    (@request $request:ty) => { Request::Json(schema::<$request>) };
}

/// Text by text.
type Texts = std::collections::BTreeMap<String, String>;

operations! {
    /// Tells that the server is up, and which it is.
    Read get "/" health_check() -> Texts = health;
    /// Stores a log, or merges it with what is known of it. Answers when it is on disk.
    Write post "/trace_log" record_trace_log(TraceLog) -> Stored = trace_log::create;
    /// Changes fields of a log, which need not be stored yet.
    Write put "/trace_log" update_trace_log(UpdateLog) -> Stored = trace_log::update;
    /// Stores a run of LangChain, and those below it, as logs.
    Write post "/trace_log/langchain" record_langchain_run(Run) -> Stored = trace_log::create_langchain;
    // Ids and names may hold a slash, which the SDKs send as it is.
    /// A log with all that lies below it; null when there is none.
    Read get "/trace_log/{*trace_id}" get_trace_log() -> Option<TraceLogTree> = trace_log::read;
    /// Logs of a project, newest start first, page by page.
    Read post "/get_trace_logs" get_trace_logs(QueryParamsPagination) -> PaginatedTraceLogs = trace_logs::list;
    /// Puts a user's verdict to a log, which need not be stored yet.
    Write post "/feedback" record_feedback(FeedbackRequest) -> Stored = feedback::create;
    /// Finds the project of that name, or makes it.
    Read post "/project" get_or_create_project(CreateGetProjectRequest) -> CreateGetProjectResponse =
        project::find_or_create;
    /// Makes a run of an experiment.
    Write post "/experiment" create_experiment(CreateExperimentRequest) -> Experiment = experiment::create;
    /// Runs of experiments, newest first, with their figures.
    Read post "/experiments" list_experiments(ListExperimentsRequest) -> Vec<ExperimentWithStats> = experiment::list;
    /// The figures of a run's traces, one for each root.
    Read get "/experiment/{experiment_uuid}/stats" get_experiment_stats() -> ExperimentStats = experiment::stats;
    /// Ends a run, and keeps the means of its figures.
    Write post "/experiment/{experiment_uuid}/finished" finish_experiment(perhaps FinishExperimentRequest)
        -> ExperimentStats = experiment::finish;
    /// The root logs of a run with their trees, oldest first.
    Read post "/experiment/{experiment_uuid}/trace_logs" get_experiment_trace_logs(FilterBase) -> Vec<TraceLogTree> =
        experiment_logs::list;
    /// Makes a dataset.
    Write post "/collection" create_collection(CreateTestCaseCollectionRequest) -> CreateTestCaseCollectionResponse =
        dataset::create;
    /// A dataset with all its rows, by id or name; null when there is none.
    Read get "/collection/{*test_collection_identifier}" get_collection() -> Option<GetTestCaseCollectionResponse> =
        dataset::read;
    /// Adds rows to a dataset, which is made when there is none of that name.
    Write post "/testcases" create_test_cases(CreateTestCases) -> Vec<i64> = dataset::add;
    /// Changes a row of a dataset.
    Write post "/update_test_case/{dataset_id}/{test_case_id}" update_test_case(UpdateTestCasePublicRequest) -> () =
        dataset::update;
    /// Calls a model. This server does not do so yet: the answer is 501.
    Write post "/completion" completion(Completions) -> CompletionsResponse = not_offered;
    /// Calls a model and streams its answer. This server does not do so yet: the answer is 501.
    Write post "/completion/stream" stream_completion(Completions) -> String = not_offered;
    /// A deployed prompt. This server has none yet: the answer is 501.
    Read post "/deployed-prompt" fetch_deployed_prompt(DeploymentPromptId) -> GetDeployedPromptResponse = not_offered;
    /// Stores many logs: an array, or one object a line. Good ones are stored, bad ones named; answers when the good ones
    /// are on disk. This server's own.
    Write post "/trace_logs" record_trace_logs(Vec<TraceLog>) -> BatchResponse = batch::create;
    /// Changes many logs, scores them above all: updates as an array, or one object a line. Good ones are stored, bad ones
    /// named; answers when the good ones are on disk. This server's own.
    Write put "/trace_logs" update_trace_logs(Vec<UpdateLog>) -> BatchResponse = batch::update;
    /// Logs that were refused and are still kept, oldest first, one JSON object a line. This server's own.
    Admin get "/refused_logs" list_refused_logs() -> Refused = refused::list;
    /// Logs by the words in them, the last to arrive first. This server's own.
    Read post "/search_trace_logs" search_trace_logs(Search) -> Found = search::find;
    /// Tells of a run that was made while no server was there, and closes it if it has ended. This server's own.
    Write put "/experiment/{experiment_uuid}" keep_experiment(KeptRun) -> Experiment = experiment::keep;
    /// All datasets with their newest versions, by name. This server's own.
    Read get "/datasets" list_datasets() -> Vec<DatasetSummary> = dataset::list;
    /// The versions of a dataset, the newest first; null when there is none. This server's own.
    Read get "/dataset_versions/{*test_collection_identifier}" list_dataset_versions() -> Option<Vec<DatasetVersion>> =
        dataset::versions;
    /// A dataset as it was in the version that the query names, or is; null when there is none. This server's own.
    Read get "/dataset_version/{*test_collection_identifier}" get_dataset_version() -> Option<VersionedDataset> =
        dataset::version;
}
