//! `POST /experiment`, `POST /experiments`, `GET /experiment/{uuid}/stats`, `POST /experiment/{uuid}/finished`

use axum::{
    Json,
    body::Body,
    extract::{Path, State, rejection::PathRejection},
    http::HeaderMap,
};
use parea_types::{
    CreateExperimentRequest, Experiment, ExperimentStats, ExperimentWithStats, FinishExperimentRequest, KeptRun,
    ListExperimentsRequest, Location, ValidationError,
};

use crate::{
    auth::Access,
    body::{self, Checked, at, fault},
    error::ApiError,
    kept_run,
    state::AppState,
    statistics,
};

/// Creates a run of an experiment.
pub(super) async fn create(
    State(state): State<AppState>,
    access: Access,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Experiment>, ApiError> {
    let request: CreateExperimentRequest = body::read(&state, &headers, body).await?;
    access.check_uuid(&request.project_uuid)?;
    Ok(Json(state.catalog.create_experiment(request).await?))
}

/// A run that was made while no server was there: its logs name it already.
pub(super) async fn keep(
    State(state): State<AppState>,
    access: Access,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Experiment>, ApiError> {
    let uuid = uuid(path)?;
    let run: KeptRun = body::read(&state, &headers, body).await?;
    access.check_name(&run.project_name)?;
    if run.uuid != uuid {
        return Err(vec![fault(at(&["body".into()], "uuid"), "value_error", "It is not that of the path")].into());
    }
    Ok(Json(kept_run::take(&*state.catalog, &*state.logs, &run).await?))
}

/// Runs, newest first, with their figures.
pub(super) async fn list(
    State(state): State<AppState>,
    access: Access,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Vec<ExperimentWithStats>>, ApiError> {
    let wanted: ListExperimentsRequest = body::read(&state, &headers, body).await?;
    let mut runs = state.catalog.experiments(&access.to_see(), wanted).await?;
    let uuids = runs.iter().map(|run| run.experiment.uuid.clone()).collect();
    for (run, size) in runs.iter_mut().zip(state.logs.experiment_sizes(&access.to_see(), uuids).await?) {
        run.num_samples = i64::try_from(size).ok();
    }
    Ok(Json(runs))
}

/// The figures of a run's traces. A run that nobody has heard of has none.
pub(super) async fn stats(
    State(state): State<AppState>,
    access: Access,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<ExperimentStats>, ApiError> {
    let parent_trace_stats = state.logs.experiment_stats(&access.to_see(), &uuid(path)?).await?;
    Ok(Json(ExperimentStats { parent_trace_stats }))
}

/// Ends a run: keeps its status, the means of its figures as they are now, and the results over the whole run that
/// the client worked out.
pub(super) async fn finish(
    State(state): State<AppState>,
    access: Access,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ExperimentStats>, ApiError> {
    let uuid = uuid(path)?;
    let bytes = body::receive(&state, &headers, body).await?;
    let FinishExperimentRequest { status, dataset_level_stats } = match bytes.trim_ascii() {
        b"" | b"null" => FinishExperimentRequest::default(),
        _ => body::parse(&bytes, &["body".into()], state.config.json_depth)?,
    };
    let parent_trace_stats = state.logs.experiment_stats(&access.to_see(), &uuid).await?;
    let pinned = statistics::pinned(&parent_trace_stats, dataset_level_stats.unwrap_or_default());
    state.catalog.finish_experiment(&access.to_see(), &uuid, status, pinned).await?;
    Ok(Json(ExperimentStats { parent_trace_stats }))
}

/// The run that a path names.
pub(super) fn uuid(path: Result<Path<String>, PathRejection>) -> Result<String, ApiError> {
    let Path(uuid) = path.map_err(|rejection| {
        vec![fault(vec!["path".into(), "experiment_uuid".into()], "string_unicode", rejection.body_text())]
    })?;
    Ok(uuid)
}

impl Checked for CreateExperimentRequest {
    fn faults(&self, above: &[Location]) -> Vec<ValidationError> {
        let empty = [("name", &self.name), ("project_uuid", &self.project_uuid)]
            .into_iter()
            .filter(|(_, text)| text.is_empty());
        let mut faults: Vec<_> = empty
            .map(|(name, _)| fault(at(above, name), "string_too_short", "String should have at least 1 character"))
            .collect();
        faults.extend(self.validate());
        faults
    }
}

impl Checked for KeptRun {
    fn faults(&self, above: &[Location]) -> Vec<ValidationError> {
        let empty = [("name", &self.name), ("uuid", &self.uuid), ("project_name", &self.project_name)];
        let empty = empty.into_iter().filter(|(_, text)| text.is_empty());
        empty
            .map(|(name, _)| fault(at(above, name), "string_too_short", "String should have at least 1 character"))
            .chain(CreateExperimentRequest::new("", "").run_name(&self.run_name).validate())
            .collect()
    }
}

impl Checked for ListExperimentsRequest {
    fn faults(&self, _: &[Location]) -> Vec<ValidationError> {
        Vec::new()
    }
}

impl Checked for FinishExperimentRequest {
    fn faults(&self, _: &[Location]) -> Vec<ValidationError> {
        Vec::new()
    }
}
