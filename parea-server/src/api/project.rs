//! `POST /project`

use axum::{Json, body::Body, extract::State, http::HeaderMap};
use parea_types::{CreateGetProjectRequest, CreateGetProjectResponse};

use crate::{
    auth::{Access, KeyScope},
    body,
    error::ApiError,
    state::AppState,
};

/// Finds the project of that name or creates it.
pub(super) async fn find_or_create(
    State(state): State<AppState>,
    access: Access,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<CreateGetProjectResponse>, ApiError> {
    let request: CreateGetProjectRequest = body::read(&state, &headers, body).await?;
    access.check_name(&request.name)?;
    let (project, was_created) = if access.scope >= KeyScope::Write {
        state.catalog.project(&request.name).await?
    } else {
        let found = state.catalog.find_project(&request.name).await?;
        let absent = || format!("there is no project `{}`, and a key of scope `read` does not make it", request.name);
        (found.ok_or_else(|| ApiError::Forbidden(absent()))?, false)
    };
    Ok(Json(CreateGetProjectResponse {
        name: project.name,
        uuid: project.uuid,
        created_at: project.created_at,
        was_created,
    }))
}
