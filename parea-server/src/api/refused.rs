//! `GET /refused_logs`: this server's own, what it refused.

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};

use crate::{auth::Access, error::ApiError, refused, state::AppState};

/// Logs that were refused and are still kept, oldest first, one JSON object a line.
pub(super) async fn list(State(state): State<AppState>, access: Access) -> Result<Response, ApiError> {
    let project = access.project.map(|own| own.uuid);
    let read = tokio::task::spawn_blocking(move || {
        let mut lines = Vec::new();
        refused::read(&state.config.data, project.as_deref(), &mut lines).map(|()| lines)
    });
    let failed = |why: String| ApiError::Store(parea_store::StoreError::Disk(why));
    let lines = read.await.map_err(|error| failed(error.to_string()))?.map_err(|error| failed(error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], lines).into_response())
}
