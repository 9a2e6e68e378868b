//! `POST /trace_log`, `POST /trace_log/langchain`, `PUT /trace_log`, `GET /trace_log/{trace_id}`

use axum::{
    Json,
    body::Body,
    extract::{Path, State, rejection::PathRejection},
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use parea_store::{Outcome, Patch};
use schemars::JsonSchema;
use serde::Serialize;

use super::stream;
use crate::{
    auth::Access,
    body::{self, fault},
    error::ApiError,
    ingest::{self, Rules},
    langchain,
    state::AppState,
};

/// What became of the log. The API promises any JSON; clients look at the status only.
#[derive(Serialize, JsonSchema)]
pub(super) struct Stored {
    /// The log.
    trace_id: String,
    /// `created`, `merged`, or `unchanged`.
    outcome: &'static str,
}

/// Stores a log, or merges it with what is known of it. Answers when it is on disk.
pub(super) async fn create(
    State(state): State<AppState>,
    access: Access,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Stored>, ApiError> {
    let bytes = body::receive(&state, &headers, body).await?;
    let rules = Rules::of(&state.config);
    let read = body::apart(bytes.len(), move || {
        Ok(ingest::log(&bytes, &["body".into()], rules).map_err(|faults| (bytes, faults)))
    });
    let log = match read.await? {
        Ok(log) => log,
        Err((bytes, faults)) => {
            state.metrics.refused(1);
            state.refused.keep(&access, vec![(bytes, faults.clone())]);
            return Err(faults.into());
        }
    };
    let trace_id = log.trace_id.clone();
    commit(&state, trace_id, vec![access.post(log)?]).await
}

/// Stores a run of LangChain and those below it as logs. Answers, as for a log, for the run itself.
pub(super) async fn create_langchain(
    State(state): State<AppState>,
    access: Access,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Stored>, ApiError> {
    let logs = langchain::logs(body::read(&state, &headers, body).await?);
    let trace_id = logs.first().map(|log| log.trace_id.clone()).unwrap_or_default();
    let patches = logs.into_iter().map(|log| access.post(log)).collect::<Result<_, _>>()?;
    commit(&state, trace_id, patches).await
}

/// Changes fields of a log, which need not be stored yet.
pub(super) async fn update(
    State(state): State<AppState>,
    access: Access,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Stored>, ApiError> {
    let bytes = body::receive(&state, &headers, body).await?;
    let rules = Rules::of(&state.config);
    let update = body::apart(bytes.len(), move || Ok(ingest::update(&bytes, &["body".into()], rules)?));
    let update = update.await?;
    let trace_id = update.trace_id.clone();
    commit(&state, trace_id, vec![access.put(update)]).await
}

/// Applies the patches and says what became of the first.
pub(super) async fn commit(state: &AppState, trace_id: String, patches: Vec<Patch>) -> Result<Json<Stored>, ApiError> {
    let committed = state.logs.commit(patches).await?;
    state.metrics.stored(&committed.outcomes);
    let outcome = match committed.outcomes.first() {
        Some(Outcome::Created) => "created",
        Some(Outcome::Merged) => "merged",
        Some(Outcome::Unchanged) | None => "unchanged",
    };
    Ok(Json(Stored { trace_id, outcome }))
}

/// A log with all that lies below it; `null` when there is none.
pub(super) async fn read(
    State(state): State<AppState>,
    access: Access,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let Path(trace_id) = path.map_err(|rejection| {
        vec![fault(vec!["path".into(), "trace_id".into()], "string_unicode", rejection.body_text())]
    })?;
    tree(&state, &access, &trace_id).await
}

/// The last part of the path to which runs of LangChain are posted, and as good an id as any.
pub(super) const LANGCHAIN: &str = "langchain";

/// The log of that id.
pub(super) async fn read_langchain(State(state): State<AppState>, access: Access) -> Result<Response, ApiError> {
    tree(&state, &access, LANGCHAIN).await
}

async fn tree(state: &AppState, access: &Access, trace_id: &str) -> Result<Response, ApiError> {
    Ok(match state.logs.tree_in(&access.to_see(), trace_id).await? {
        None => Json(()).into_response(),
        Some(tree) => stream::json(move |out| out.tree(&tree)),
    })
}
