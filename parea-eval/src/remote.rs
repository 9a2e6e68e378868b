//! The run as a server knows it.

use std::collections::BTreeMap;

use parea_runtime::{
    ApiClient,
    types::{CreateExperimentRequest, EvaluationScore, FilterBase, FinishExperimentRequest, ListExperimentsRequest},
};
use parea_stats::{Run, run_of_logs};

use crate::{ExperimentError, kept, report::RunStatus};

/// Tells the server of a new run. `Ok(None)` when it does not answer: then the run goes on without it.
pub(crate) async fn register(
    api: &ApiClient,
    project: &str,
    experiment: &str,
    run_name: &str,
    metadata: &BTreeMap<String, String>,
) -> Result<Option<String>, ExperimentError> {
    if api.health().await.is_err() {
        return Ok(None);
    }
    let refused = |error: parea_runtime::ApiError| {
        ExperimentError::Server(format!("the server at {} did not take the run: {error}", api.base_url()))
    };
    let request = CreateExperimentRequest {
        name: experiment.to_owned(),
        run_name: Some(run_name.to_owned()),
        project_uuid: api.project_uuid(project).await.map_err(refused)?,
        metadata: Some(metadata.clone()),
        ..CreateExperimentRequest::default()
    };
    match api.create_experiment(&request).await {
        Ok(created) => Ok(Some(created.uuid)),
        Err(error) if error.status() == Some(400) => Err(ExperimentError::RunName(format!(
            "run name `{run_name}` is taken in experiment `{experiment}`: give this run another with `.run_name(..)`, or \
             leave it out ({error})"
        ))),
        Err(error) => Err(refused(error)),
    }
}

/// Tells the server that the run is done.
pub(crate) async fn finish(
    api: &ApiClient,
    uuid: &str,
    status: RunStatus,
    scores: Vec<EvaluationScore>,
) -> Result<(), String> {
    let status = kept::wire(status);
    let request = FinishExperimentRequest { status, dataset_level_stats: (!scores.is_empty()).then_some(scores) };
    api.finish_experiment(uuid, &request).await.map(drop).map_err(|error| error.to_string())
}

/// A run of the server's, by its uuid or its name.
pub(crate) async fn run(api: &ApiClient, project: &str, experiment: &str, name: &str) -> Result<Run, String> {
    let asked = |error: parea_runtime::ApiError| format!("the server at {}: {error}", api.base_url());
    let by_uuid = ListExperimentsRequest { experiment_uuids: Some(vec![name.to_owned()]), ..Default::default() };
    let mut found = api.experiments(&by_uuid).await.map_err(asked)?;
    if found.is_empty() {
        let by_name = ListExperimentsRequest {
            project_name: Some(project.to_owned()),
            experiment_name_filter: Some(experiment.to_owned()),
            run_name_filter: Some(name.to_owned()),
            ..Default::default()
        };
        found = api.experiments(&by_name).await.map_err(asked)?;
        // The server's filters find parts of names.
        found.retain(|run| run.experiment.name == experiment && run.experiment.run_name.as_deref() == Some(name));
    }
    let Some(found) = found.first() else {
        return Err(format!("the server at {} has none either", api.base_url()));
    };
    let trees = api.experiment_trace_logs(&found.experiment.uuid, &FilterBase::default()).await.map_err(asked)?;
    Ok(run_of_logs(found.experiment.run_name.clone().unwrap_or_else(|| name.to_owned()), &trees))
}

/// Where people find the run: a page of the server's, beside its API.
pub(crate) fn page(api: &ApiClient, uuid: &str) -> String {
    let base = api.base_url();
    format!("{}/experiments/{uuid}", base.strip_suffix("/api/parea/v1").unwrap_or(base))
}
