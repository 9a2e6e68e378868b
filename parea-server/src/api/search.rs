//! `POST /search_trace_logs`: the project's own operation, logs by the words in them.

use axum::{Json, body::Body, extract::State, http::HeaderMap};
use parea_store::{
    LogFilter, TextCursor,
    text::{TextQuery, TextQueryError},
};
use parea_types::{Location, Status, TraceLog, ValidationError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    auth::Access,
    body::{self, Checked, at, fault},
    error::ApiError,
    state::AppState,
};

/// Rows of one answer at most.
const MOST: u32 = 100;

/// What is looked for.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "SearchRequest")]
pub(super) struct Search {
    /// Words, `"phrases"`, beginnings (`refund*`), ends and parts (`*fund*`): all must occur in one log.
    query: String,
    /// In this project only; one that does not exist has no logs.
    #[serde(default)]
    project_name: Option<String>,
    /// Only logs that ended so.
    #[serde(default)]
    status: Option<Status>,
    /// `next` of the answer before.
    #[serde(default)]
    after: Option<u64>,
    /// Rows of the answer, 20 unless told, 100 at most.
    #[serde(default)]
    limit: Option<u32>,
}

/// What was found.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SearchResponse")]
pub(super) struct Found {
    /// The last to arrive first.
    results: Vec<TraceLog>,
    /// Where the search goes on; absent at the end. One answer reads a bounded part of the store, so that it may be
    /// empty and yet have a `next`.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

impl Checked for Search {
    fn faults(&self, above: &[Location]) -> Vec<ValidationError> {
        let mut faults = Vec::new();
        if let Err(error) = TextQuery::parse(&self.query) {
            faults.push(fault(at(above, "query"), "value_error", error.to_string()));
        }
        if self.limit.is_some_and(|limit| !(1..=MOST).contains(&limit)) {
            faults.push(fault(at(above, "limit"), "less_than_equal", format!("Input should be between 1 and {MOST}")));
        }
        faults
    }
}

/// Searches names, inputs, messages, outputs, errors and metadata.
pub(super) async fn find(
    State(state): State<AppState>,
    access: Access,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Found>, ApiError> {
    let search: Search = body::read(&state, &headers, body).await?;
    let query = TextQuery::parse(&search.query).map_err(|error: TextQueryError| {
        vec![fault(vec!["body".into(), "query".into()], "value_error", error.to_string())]
    })?;
    let mut scope = access.to_see();
    if let Some(name) = &search.project_name {
        access.check_name(name)?;
        let Some(project) = state.catalog.find_project(name).await? else {
            return Ok(Json(Found { results: Vec::new(), next: None }));
        };
        scope.project = Some(project.uuid);
    }
    let filter = LogFilter { status: search.status, ..LogFilter::default() };
    let after = search.after.map(TextCursor);
    let page = state.logs.text(&scope, &query, &filter, after, search.limit.unwrap_or(20)).await?;
    Ok(Json(Found { results: page.rows, next: page.next.map(|next| next.0) }))
}
