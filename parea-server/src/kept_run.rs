//! Runs of experiments that were made while no server was there: from files of the folder, or from a client.

use parea_store::{Catalog, Logs, Scope, StoreError};
use parea_types::{CreateExperimentRequest, Experiment, KeptRun};

use crate::statistics;

/// Makes the run known, and closes it with its figures if it has ended.
pub(crate) async fn take(catalog: &dyn Catalog, logs: &dyn Logs, run: &KeptRun) -> Result<Experiment, StoreError> {
    let (project, _) = catalog.project(&run.project_name).await?;
    let request = CreateExperimentRequest {
        name: run.name.clone(),
        run_name: Some(run.run_name.clone()),
        project_uuid: project.uuid,
        metadata: Some(run.metadata.clone()),
        ..CreateExperimentRequest::default()
    };
    let experiment = catalog.keep_experiment(request, run.uuid.clone(), run.created_at).await?;
    if let Some(status) = run.status {
        let scope = Scope { project: Some(experiment.project_uuid.clone()) };
        let traces = logs.experiment_stats(&scope, &run.uuid).await?;
        let pinned = statistics::pinned(&traces, run.dataset_level_stats.clone());
        catalog.finish_experiment(&scope, &run.uuid, status, pinned).await?;
    }
    Ok(experiment)
}
