//! The table of all operations: from it follow the router, who may call what, and the document.

use axum::routing::{MethodRouter, get, post, put};

use super::{
    batch, dataset, experiment, experiment_logs, feedback, health, not_offered, project, search, trace_log, trace_logs,
};
use crate::{
    auth::KeyScope::{self, Read, Write},
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
    /// Its handler.
    pub(crate) route: fn() -> MethodRouter<AppState>,
}

macro_rules! operations {
    ($($scope:ident $method:ident $path:literal $name:ident => $handler:expr;)*) => {
        /// All of them, in the order of the document.
        pub(crate) const OPERATIONS: &[Operation] = &[$(Operation {
            name: stringify!($name),
            method: operations!(@ $method),
            path: $path,
            scope: $scope,
            route: || $method($handler),
        }),*];
    };
    (@ get) => { "GET" };
    (@ post) => { "POST" };
    (@ put) => { "PUT" };
}

operations! {
    Read get "/" health => health;
    Write post "/trace_log" create_trace_log => trace_log::create;
    Write put "/trace_log" update_trace_log => trace_log::update;
    Write post "/trace_log/langchain" create_langchain_trace_log => trace_log::create_langchain;
    Read get "/trace_log/{trace_id}" get_trace_log => trace_log::read;
    Read post "/get_trace_logs" get_trace_logs => trace_logs::list;
    Write post "/feedback" create_feedback => feedback::create;
    Read post "/project" get_or_create_project => project::find_or_create;
    Write post "/experiment" create_experiment => experiment::create;
    Read post "/experiments" list_experiments => experiment::list;
    Read get "/experiment/{experiment_uuid}/stats" get_experiment_stats => experiment::stats;
    Write post "/experiment/{experiment_uuid}/finished" finish_experiment => experiment::finish;
    Read post "/experiment/{experiment_uuid}/trace_logs" get_experiment_trace_logs => experiment_logs::list;
    Write post "/collection" create_collection => dataset::create;
    // Names may hold a slash, which the SDKs send as it is.
    Read get "/collection/{*test_collection_identifier}" get_collection => dataset::read;
    Write post "/testcases" create_test_cases => dataset::add;
    Write post "/update_test_case/{dataset_id}/{test_case_id}" update_test_case => dataset::update;
    Write post "/completion" completion => not_offered;
    Write post "/completion/stream" completion_stream => not_offered;
    Read post "/deployed-prompt" get_deployed_prompt => not_offered;
    Write post "/trace_logs" create_trace_logs => batch::create;
    Read post "/search_trace_logs" search_trace_logs => search::find;
}
