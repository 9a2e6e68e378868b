//! `POST /collection`, `GET /collection/{id or name}`, `POST /testcases`,
//! `POST /update_test_case/{dataset_id}/{test_case_id}`

use axum::{
    Json,
    body::Body,
    extract::{Path, State, rejection::PathRejection},
    http::HeaderMap,
};
use parea_store::DatasetKey;
use parea_types::{
    CreateTestCaseCollectionRequest, CreateTestCaseCollectionResponse, CreateTestCases, GetTestCaseCollectionResponse,
    Location, UpdateTestCasePublicRequest, ValidationError,
};

use crate::{
    auth::Access,
    body::{self, Checked, at, fault},
    error::ApiError,
    state::AppState,
};

/// Creates a dataset. One of the same name stands behind it from then on.
pub(super) async fn create(
    State(state): State<AppState>,
    access: Access,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<CreateTestCaseCollectionResponse>, ApiError> {
    let request: CreateTestCaseCollectionRequest = body::read(&state, &headers, body).await?;
    Ok(Json(state.catalog.create_dataset(&access.to_see(), request).await?))
}

/// A dataset with all its rows; `null` when there is none.
pub(super) async fn read(
    State(state): State<AppState>,
    access: Access,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<Option<GetTestCaseCollectionResponse>>, ApiError> {
    let Path(key) = path.map_err(|rejection| {
        vec![fault(vec!["path".into(), "test_collection_identifier".into()], "string_unicode", rejection.body_text())]
    })?;
    let is_number = key.bytes().all(|byte| byte.is_ascii_digit());
    let key = match key.parse() {
        Ok(id) if is_number => DatasetKey::Id(id),
        // A number beyond all ids.
        Err(_) if is_number => return Ok(Json(None)),
        _ => DatasetKey::Name(key),
    };
    Ok(Json(state.catalog.dataset(&access.to_see(), key).await?))
}

/// Adds rows to a dataset, which is created when there is none of that name.
pub(super) async fn add(
    State(state): State<AppState>,
    access: Access,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Vec<i64>>, ApiError> {
    let request: CreateTestCases = body::read(&state, &headers, body).await?;
    Ok(Json(state.catalog.add_test_cases(&access.to_see(), request).await?))
}

/// Changes a row.
pub(super) async fn update(
    State(state): State<AppState>,
    access: Access,
    path: Result<Path<(String, String)>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<()>, ApiError> {
    let Path((dataset, case)) =
        path.map_err(|rejection| vec![fault(vec!["path".into()], "string_unicode", rejection.body_text())])?;
    let dataset = number("dataset_id", &dataset)?;
    let case = number("test_case_id", &case)?;
    let change: UpdateTestCasePublicRequest = body::read(&state, &headers, body).await?;
    state.catalog.update_test_case(&access.to_see(), dataset, case, change).await?;
    Ok(Json(()))
}

fn number(name: &str, text: &str) -> Result<i64, ApiError> {
    text.parse().map_err(|_| {
        vec![fault(vec!["path".into(), name.into()], "int_parsing", "Input should be a valid integer")].into()
    })
}

impl Checked for CreateTestCaseCollectionRequest {
    fn faults(&self, above: &[Location]) -> Vec<ValidationError> {
        let empty = self.name.is_empty();
        Vec::from_iter(
            empty.then(|| fault(at(above, "name"), "string_too_short", "String should have at least 1 character")),
        )
    }
}

impl Checked for CreateTestCases {
    fn faults(&self, _: &[Location]) -> Vec<ValidationError> {
        self.validate()
    }
}

impl Checked for UpdateTestCasePublicRequest {
    fn faults(&self, _: &[Location]) -> Vec<ValidationError> {
        Vec::new()
    }
}
