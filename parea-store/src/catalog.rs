//! What must be unique or agreed on.

use parea_types::{
    CreateExperimentRequest, CreateTestCaseCollectionRequest, CreateTestCaseCollectionResponse, CreateTestCases,
    DatasetSummary, DatasetVersion, Experiment, ExperimentPinnedStatistic, ExperimentStatus, ExperimentWithStats,
    GetTestCaseCollectionResponse, ListExperimentsRequest, Timestamp, UpdateTestCasePublicRequest, VersionedDataset,
};

use crate::{Answer, Scope};

/// A project: the name that people see and the id that logs carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Unique id, given by the store.
    pub uuid: String,
    /// Unique name.
    pub name: String,
    /// When it was first named.
    pub created_at: Timestamp,
}

/// What a dataset is asked for by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatasetKey {
    /// Its id.
    Id(i64),
    /// Its name; of several the newest is meant.
    Name(String),
}

/// Names and what they stand for. Linearizable: once an answer is out, every later call agrees with it.
pub trait Catalog: Send + Sync {
    /// Finds the project of that name or creates it; `true` beside it when this call did so.
    fn project(&self, name: &str) -> Answer<'_, (Project, bool)>;

    /// The project of that name, without creating one.
    fn find_project(&self, name: &str) -> Answer<'_, Option<Project>>;

    /// All projects, by name.
    fn projects(&self) -> Answer<'_, Vec<Project>>;

    /// Creates a run of an experiment, with a name of the store's making if none is asked for.
    /// [`StoreError::Taken`](crate::StoreError::Taken) when the experiment has a run of that name in the project.
    fn create_experiment(&self, request: CreateExperimentRequest) -> Answer<'_, Experiment>;

    /// Creates a run that has its id already, since no server was there when it began; does so once. A name that is taken
    /// gets a number.
    fn keep_experiment(
        &self,
        request: CreateExperimentRequest,
        uuid: String,
        created: Timestamp,
    ) -> Answer<'_, Experiment>;

    /// Runs, newest first. Their number of samples is left open: see
    /// [`Logs::experiment_sizes`](crate::Logs::experiment_sizes).
    fn experiments(&self, scope: &Scope, wanted: ListExperimentsRequest) -> Answer<'_, Vec<ExperimentWithStats>>;

    /// Notes how a run ended, in place of what was noted before.
    /// [`StoreError::Unknown`](crate::StoreError::Unknown) when neither a request nor a log has named it.
    fn finish_experiment(
        &self,
        scope: &Scope,
        uuid: &str,
        status: ExperimentStatus,
        pinned: Vec<ExperimentPinnedStatistic>,
    ) -> Answer<'_, ()>;

    /// Creates a dataset of the scope's project, or of all, also when there is one of that name: names then mean the new one.
    /// [`StoreError::Columns`](crate::StoreError::Columns) when a row names a column that is not among the dataset's.
    fn create_dataset(
        &self,
        scope: &Scope,
        request: CreateTestCaseCollectionRequest,
    ) -> Answer<'_, CreateTestCaseCollectionResponse>;

    /// A dataset with all its rows; within a project one of its own or of all.
    fn dataset(&self, scope: &Scope, key: DatasetKey) -> Answer<'_, Option<GetTestCaseCollectionResponse>>;

    /// Every dataset, by name; of several with one name the newest comes first.
    fn datasets(&self, scope: &Scope) -> Answer<'_, Vec<DatasetSummary>>;

    /// All versions of a dataset, the newest first.
    fn dataset_versions(&self, scope: &Scope, key: DatasetKey) -> Answer<'_, Option<Vec<DatasetVersion>>>;

    /// A dataset as it was in a version, or as it is. Each change of a dataset makes a version, and none ever changes.
    fn dataset_at(&self, scope: &Scope, key: DatasetKey, version: Option<u64>) -> Answer<'_, Option<VersionedDataset>>;

    /// Adds rows and answers with their ids. A name that no dataset has creates one with the first row's columns.
    /// [`StoreError::Unknown`](crate::StoreError::Unknown) when no dataset has that id,
    /// [`StoreError::Columns`](crate::StoreError::Columns) when a row has not exactly the dataset's columns.
    fn add_test_cases(&self, scope: &Scope, request: CreateTestCases) -> Answer<'_, Vec<i64>>;

    /// Changes what is set of a row; of its inputs only the columns that are named. Refused as above.
    fn update_test_case(
        &self,
        scope: &Scope,
        dataset: i64,
        case: i64,
        change: UpdateTestCasePublicRequest,
    ) -> Answer<'_, ()>;
}
