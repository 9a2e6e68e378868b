//! Runs of experiments.

use parea_types::{
    CreateExperimentRequest, Experiment, ExperimentStats, ExperimentWithStats, FilterBase, FinishExperimentRequest,
    KeptRun, ListExperimentsRequest, TraceLogTree,
};
use reqwest::Method;

use super::{
    ApiClient, ApiError,
    client::{read, segment},
    retry::Again,
};

impl ApiClient {
    /// Creates a run of an experiment. A run name that the project's experiment has already is answered with 400.
    pub async fn create_experiment(&self, request: &CreateExperimentRequest) -> Result<Experiment, ApiError> {
        self.post("/experiment", request, Again::Doubles).await
    }

    /// Tells of a run that was made while no server was there, and has its id; closes it if it has ended. Telling it again
    /// changes nothing. Not part of the published API: other servers answer 404 or 405.
    pub async fn keep_experiment(&self, run: &KeptRun) -> Result<Experiment, ApiError> {
        let path = format!("/experiment/{}", segment("the run's uuid", &run.uuid)?);
        read(&self.write(Method::PUT, &path, run, Again::Harmless).await?)
    }

    /// The runs that meet all conditions, newest first, with their figures.
    pub async fn experiments(&self, conditions: &ListExperimentsRequest) -> Result<Vec<ExperimentWithStats>, ApiError> {
        self.post("/experiments", conditions, Again::Harmless).await
    }

    /// One run with its figures; `None` when the server has none of that uuid.
    pub async fn experiment(&self, uuid: &str) -> Result<Option<ExperimentWithStats>, ApiError> {
        let conditions = ListExperimentsRequest {
            experiment_uuids: Some(vec![uuid.to_owned()]),
            ..ListExperimentsRequest::default()
        };
        let runs = self.experiments(&conditions).await?;
        Ok(runs.into_iter().find(|run| run.experiment.uuid == uuid))
    }

    /// The figures of a run, one entry for each root log. A run that the server does not know has none.
    pub async fn experiment_stats(&self, uuid: &str) -> Result<ExperimentStats, ApiError> {
        self.get(&format!("/experiment/{}/stats", segment("the experiment's uuid", uuid)?)).await
    }

    /// Ends a run: keeps its status and the means of its figures as they are now, beside the results over the whole run
    /// that are sent along.
    pub async fn finish_experiment(
        &self,
        uuid: &str,
        request: &FinishExperimentRequest,
    ) -> Result<ExperimentStats, ApiError> {
        let path = format!("/experiment/{}/finished", segment("the experiment's uuid", uuid)?);
        self.post(&path, request, Again::Harmless).await
    }

    /// The root logs of a run that match, oldest first, each with its descendants. A run that the server does not know
    /// has none.
    pub async fn experiment_trace_logs(&self, uuid: &str, filter: &FilterBase) -> Result<Vec<TraceLogTree>, ApiError> {
        let path = format!("/experiment/{}/trace_logs", segment("the experiment's uuid", uuid)?);
        self.post(&path, filter, Again::Harmless).await
    }
}
