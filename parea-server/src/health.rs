//! `/healthz`, `/readyz` and `/metrics`, for what watches over servers.

use std::time::Duration;

use axum::{
    Json, Router,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};
use parea_store::StoreError;
use serde_json::{Value, json};

use crate::{
    auth::{Access, KeyScope},
    error::ApiError,
    state::AppState,
};

/// How long the store may take to write nothing.
const PATIENCE: Duration = Duration::from_secs(5);

/// What tells nothing of anybody's, and so needs no key.
pub(crate) fn open() -> Router<AppState> {
    Router::new().route("/healthz", get(alive)).route("/readyz", get(ready))
}

/// What needs a key of scope `admin`, where keys are demanded.
pub(crate) fn shut() -> Router<AppState> {
    Router::new().route("/metrics", get(metrics))
}

/// `GET /healthz`: the process answers.
async fn alive() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// `GET /readyz`: the store takes writes, as a write of nothing shows.
async fn ready(State(state): State<AppState>) -> Result<Json<Value>, ApiError> {
    match tokio::time::timeout(PATIENCE, state.logs.commit(Vec::new())).await {
        Ok(Ok(_)) => Ok(Json(json!({ "status": "ready" }))),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(StoreError::Disk(format!("no write was done within {} s", PATIENCE.as_secs())).into()),
    }
}

/// `GET /metrics`
async fn metrics(State(state): State<AppState>, access: Access) -> Result<Response, ApiError> {
    if access.scope < KeyScope::Admin || access.project.is_some() {
        let detail = "figures of the whole server need a key of scope `admin` for all projects";
        return Err(ApiError::Forbidden(detail.to_owned()));
    }
    let text = state.metrics.text().map_err(|error| StoreError::Engine(error.to_string()))?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
