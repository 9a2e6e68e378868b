//! The wire of the Parea v1 API, used by both ends: what a client sends is what the server reads.
//!
//! Four rules hold for every type here:
//!
//! - **Null and absent are the same.** Both mean the field's default, and neither is written back.
//! - **Unknown fields are ignored.** A log is never refused for what a newer or another client adds.
//! - **Every spelling of a time is read, one is written** (see [`Timestamp`]).
//! - **A number that JSON cannot hold never becomes null** where null is no answer (see [`EvaluationScore`]).
//!
//! Rust names are the schema names without the `Schema` suffix; field names are the wire's. Two schemas have names of
//! our own, because the model parameters inside a log and those of a call through the gateway differ:
//! `ParamsSchema` is [`ModelParams`], `ModelParamsSchema` is [`CompletionParams`]; and `InputsSchema` is
//! [`Configuration`], after the field that holds it.

mod batch;
mod completion;
mod dataset;
mod dataset_version;
mod did_you_mean;
mod error;
mod experiment;
mod feedback;
mod filter;
mod given_up;
mod kept_losses;
mod kept_run;
mod null;
#[cfg(feature = "parquet")]
mod parquet_rows;
mod project;
#[cfg(feature = "schema")]
mod schema;
mod score;
mod time;
mod trace_log;
mod tree;
mod tree_json;
mod update_log;

pub use batch::{BatchResponse, RejectedLog};
pub use completion::{
    CompletionParams, Completions, CompletionsResponse, DeploymentPromptId, GetDeployedPromptResponse, LlmInputs,
    Prompt, ProviderName,
};
pub use dataset::{
    CreateTestCaseCollectionRequest, CreateTestCaseCollectionResponse, CreateTestCases, GetTestCaseCollectionResponse,
    GetTestCaseResponse, TestCase, UpdateTestCasePublicRequest,
};
pub use dataset_version::{DatasetName, DatasetSummary, DatasetVersion, VersionedDataset};
pub use error::{ErrorBody, HttpValidationError, Location, ValidationError};
pub use experiment::{
    CreateExperimentRequest, Experiment, ExperimentPinnedStatistic, ExperimentStats, ExperimentStatus,
    ExperimentWithStats, FinishExperimentRequest, ListExperimentsRequest, StatisticOperation, TraceStats,
};
pub use feedback::FeedbackRequest;
pub use filter::{Condition, FilterBase, FilterOperator, PaginatedTraceLogs, QueryParamsPagination, TimeRange};
pub use given_up::GivenUp;
pub use kept_losses::{KeptLosses, ProjectLosses};
pub use kept_run::KeptRun;
#[cfg(feature = "parquet")]
pub use parquet_rows::parquet_rows;
pub use project::{CreateGetProjectRequest, CreateGetProjectResponse};
pub use score::{EvaluationScore, NonFiniteScore};
pub use time::{ParseTimestampError, Timestamp};
pub use trace_log::{
    Annotations, Configuration, Id, Message, MessageContent, ModelParams, Role, Status, TraceLog, TraceLogAnnotation,
    TraceLogComment, TraceLogImage,
};
pub use tree::{TraceLogTree, TraceLogTreeIter};
pub use update_log::UpdateLog;
