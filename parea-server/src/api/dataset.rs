//! `POST /collection`, `GET /collection/{id or name}`, `POST /testcases`,
//! `POST /update_test_case/{dataset_id}/{test_case_id}`; of our own `GET /datasets`, `GET /dataset_versions/{id or name}` and
//! `GET /dataset_version/{id or name}?version=`

use axum::{
    Json,
    body::Body,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::HeaderMap,
};
use parea_store::DatasetKey;
use parea_types::{
    CreateTestCaseCollectionRequest, CreateTestCaseCollectionResponse, CreateTestCases, DatasetSummary, DatasetVersion,
    GetTestCaseCollectionResponse, Location, UpdateTestCasePublicRequest, ValidationError, VersionedDataset,
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
    let Some(key) = key(path)? else { return Ok(Json(None)) };
    Ok(Json(state.catalog.dataset(&access.to_see(), key).await?))
}

/// What a path names a dataset by; `None` for a number beyond all ids.
fn key(path: Result<Path<String>, PathRejection>) -> Result<Option<DatasetKey>, ApiError> {
    let Path(key) = path.map_err(|rejection| {
        vec![fault(vec!["path".into(), "test_collection_identifier".into()], "string_unicode", rejection.body_text())]
    })?;
    let is_number = key.bytes().all(|byte| byte.is_ascii_digit());
    Ok(match key.parse() {
        Ok(id) if is_number => Some(DatasetKey::Id(id)),
        Err(_) if is_number => None,
        _ => Some(DatasetKey::Name(key)),
    })
}

/// All datasets with their newest versions.
pub(super) async fn list(State(state): State<AppState>, access: Access) -> Result<Json<Vec<DatasetSummary>>, ApiError> {
    Ok(Json(state.catalog.datasets(&access.to_see()).await?))
}

/// The versions of a dataset, the newest first; `null` when there is none.
pub(super) async fn versions(
    State(state): State<AppState>,
    access: Access,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<Option<Vec<DatasetVersion>>>, ApiError> {
    let Some(key) = key(path)? else { return Ok(Json(None)) };
    Ok(Json(state.catalog.dataset_versions(&access.to_see(), key).await?))
}

/// Which version is asked for.
#[derive(serde::Deserialize)]
pub(super) struct Wanted {
    version: Option<u64>,
}

/// A dataset as it was in a version, or is; `null` when there is none.
pub(super) async fn version(
    State(state): State<AppState>,
    access: Access,
    path: Result<Path<String>, PathRejection>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Option<VersionedDataset>>, ApiError> {
    let Query(Wanted { version }) = wanted.map_err(|_| {
        vec![fault(vec!["query".into(), "version".into()], "int_parsing", "Input should be a valid integer")]
    })?;
    let Some(key) = key(path)? else { return Ok(Json(None)) };
    Ok(Json(state.catalog.dataset_at(&access.to_see(), key, version).await?))
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
