//! The operations of the API: take apart, ask the store, answer.

mod batch;
mod dataset;
mod experiment;
mod experiment_logs;
mod feedback;
mod losses;
mod project;
mod search;
mod stream;
mod trace_log;
mod trace_logs;

use axum::{
    Json, Router,
    extract::Request,
    routing::{any, get, post},
};
use serde_json::{Value, json};

use crate::{error::ApiError, state::AppState};

/// Where the API begins. Clients are given this with the server's address.
pub(crate) const BASE: &str = "/api/parea/v1";

/// The operations that the API has and this server does not offer yet.
const NOT_OFFERED: &[(&str, &str)] =
    &[("POST", "/completion"), ("POST", "/completion/stream"), ("POST", "/deployed-prompt")];

/// All operations, below [`BASE`].
pub(crate) fn router() -> Router<AppState> {
    let path = |operation: &str| format!("{BASE}{operation}");
    let mut router = Router::new()
        .route(BASE, get(health))
        .route(&path("/"), get(health))
        .route(&path("/trace_log"), post(trace_log::create).put(trace_log::update))
        .route(&path("/trace_log/langchain"), post(trace_log::create_langchain))
        .route(&path("/trace_log/{trace_id}"), get(trace_log::read))
        .route(&path("/trace_logs"), post(batch::create))
        .route(&path("/get_trace_logs"), post(trace_logs::list))
        .route(&path("/search_trace_logs"), post(search::find))
        .route(&path("/feedback"), post(feedback::create))
        .route(&path("/experiment"), post(experiment::create))
        .route(&path("/experiments"), post(experiment::list))
        .route(&path("/experiment/{experiment_uuid}/stats"), get(experiment::stats))
        .route(&path("/experiment/{experiment_uuid}/finished"), post(experiment::finish))
        .route(&path("/experiment/{experiment_uuid}/trace_logs"), post(experiment_logs::list))
        .route(&path("/collection"), post(dataset::create))
        // Names may hold a slash, which the SDKs send as it is.
        .route(&path("/collection/{*collection}"), get(dataset::read))
        .route(&path("/testcases"), post(dataset::add))
        .route(&path("/update_test_case/{dataset_id}/{test_case_id}"), post(dataset::update))
        .route(&path("/project"), post(project::find_or_create));
    for &(method, operation) in NOT_OFFERED {
        let answer = move || async move { not_offered(method, operation) };
        let route = if method == "GET" { get(answer) } else { post(answer) };
        router = router.route(&path(operation), route);
    }
    router.route(&path("/{*unknown}"), any(unknown))
}

/// `GET /`: whether the server is up, and which it is.
async fn health() -> Json<Value> {
    Json(json!({ "status": "ok", "server": "parea", "version": env!("CARGO_PKG_VERSION") }))
}

fn not_offered(method: &str, operation: &str) -> ApiError {
    ApiError::NotOffered(format!("`{method} {operation}` is not offered by parea {} yet", env!("CARGO_PKG_VERSION")))
}

/// Answers where nothing is.
pub(crate) async fn unknown(request: Request) -> ApiError {
    ApiError::UnknownPath(request.uri().path().to_owned())
}

/// Answers a method that a known path does not have.
pub(crate) async fn method(request: Request) -> ApiError {
    ApiError::Method(request.method().to_string())
}
