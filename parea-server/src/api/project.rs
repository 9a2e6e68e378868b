//! `POST /project`

use axum::{Json, body::Body, extract::State, http::HeaderMap};
use parea_types::{CreateGetProjectRequest, CreateGetProjectResponse};

use crate::{body, error::ApiError, state::AppState};

/// Finds the project of that name or creates it.
pub(super) async fn find_or_create(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<CreateGetProjectResponse>, ApiError> {
    let request: CreateGetProjectRequest = body::read(&state, &headers, body).await?;
    let (project, was_created) = state.catalog.project(&request.name).await?;
    Ok(Json(CreateGetProjectResponse {
        name: project.name,
        uuid: project.uuid,
        created_at: project.created_at,
        was_created,
    }))
}
