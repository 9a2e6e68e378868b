//! The client for code that is not async.

use std::{
    fmt,
    pin::pin,
    process,
    sync::Arc,
    task::{self, Poll, Wake, Waker},
    thread::{self, Thread},
};

use parea_types::{
    BatchResponse, Completions, CompletionsResponse, CreateExperimentRequest, CreateGetProjectResponse,
    CreateTestCaseCollectionRequest, CreateTestCaseCollectionResponse, CreateTestCases, DatasetSummary, DatasetVersion,
    DeploymentPromptId, Experiment, ExperimentStats, ExperimentWithStats, FeedbackRequest, FilterBase,
    FinishExperimentRequest, GetDeployedPromptResponse, GetTestCaseCollectionResponse, KeptRun, ListExperimentsRequest,
    PaginatedTraceLogs, QueryParamsPagination, TraceLog, TraceLogTree, UpdateLog, UpdateTestCasePublicRequest,
    VersionedDataset,
};
use serde_json::Value;
use tokio::{runtime::Handle, sync::oneshot, task::coop};

use super::{ApiClient, ApiError, CompletionStream};

/// [`ApiClient`] for code that is not async: every operation, waiting for its answer.
///
/// It has a thread of its own that does the waiting on the network, so that it may be called anywhere, inside a runtime
/// too, where it holds up the calling thread as any blocking call does. Cheap to clone.
///
/// ```no_run
/// let api = parea::ApiClient::from_env()?.blocking()?;
/// println!("{}", api.project("support-bot")?.uuid);
/// # Ok::<(), parea::ApiError>(())
/// ```
#[derive(Clone, Debug)]
pub struct BlockingApiClient {
    client: ApiClient,
    network: Arc<Network>,
}

/// The thread that waits on the network. It ends with the last client.
struct Network {
    handle: Handle,
    /// Where the thread runs: a fork leaves it behind.
    process: u32,
    _until_dropped: oneshot::Sender<()>,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Network")
    }
}

impl Network {
    fn start() -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (until_dropped, dropped) = oneshot::channel::<()>();
        let wait = move || drop(runtime.block_on(dropped));
        thread::Builder::new().name("parea-api".to_owned()).spawn(wait)?;
        Ok(Self { handle, process: process::id(), _until_dropped: until_dropped })
    }

    /// Polls on the calling thread, so that the future may borrow; its sockets and timers belong to the other one.
    /// Unlike a runtime's own `block_on` this may be called inside a runtime. It fails at the end of a thread, where Tokio's
    /// part of it is gone, and in a forked child.
    fn wait<F: Future>(&self, future: F) -> Result<F::Output, ApiError> {
        struct Unpark(Thread);
        impl Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        if process::id() != self.process {
            return Err(ApiError::Request(
                "the client was made before a fork, and its thread is the parent's: make one in the child".to_owned(),
            ));
        }
        if Handle::try_current().is_err_and(|error| error.is_thread_local_destroyed()) {
            return Err(ApiError::Request("the thread that asks is about to end".to_owned()));
        }
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        // Inside a task the future would spend the budget of that task, which is only filled up when the task yields: once
        // it is spent nothing is ever ready.
        let mut future = pin!(coop::unconstrained(future));
        loop {
            let polled = {
                let _entered = self.handle.enter();
                future.as_mut().poll(&mut task::Context::from_waker(&waker))
            };
            match polled {
                Poll::Ready(output) => return Ok(output),
                Poll::Pending => thread::park(),
            }
        }
    }
}

impl ApiClient {
    /// The same client for code that is not async.
    pub fn blocking(&self) -> Result<BlockingApiClient, ApiError> {
        let network = Network::start().map_err(|error| ApiError::Request(format!("no thread for it: {error}")))?;
        Ok(BlockingApiClient { client: self.reconnected()?, network: Arc::new(network) })
    }
}

/// A method for each operation, with the arguments of the async one.
macro_rules! operations {
    ($(fn $name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)+) => {
        impl BlockingApiClient {$(
            #[doc = concat!("[`ApiClient::", stringify!($name), "`].")]
            pub fn $name(&self, $($argument: $type),*) -> Result<$answer, ApiError> {
                self.network.wait(self.client.$name($($argument),*))?
            }
        )+}
    };
}

operations! {
    fn health() -> ();
    fn log(log: &TraceLog) -> ();
    fn log_all(logs: &[TraceLog]) -> BatchResponse;
    fn update_log(update: &UpdateLog) -> ();
    fn update_all(updates: &[UpdateLog]) -> BatchResponse;
    fn log_langchain(run: &Value) -> ();
    fn trace_log(trace_id: &str) -> Option<TraceLogTree>;
    fn trace_logs(query: &QueryParamsPagination) -> PaginatedTraceLogs;
    fn feedback(feedback: &FeedbackRequest) -> ();
    fn project(name: &str) -> CreateGetProjectResponse;
    fn project_uuid(name: &str) -> String;
    fn create_experiment(request: &CreateExperimentRequest) -> Experiment;
    fn keep_experiment(run: &KeptRun) -> Experiment;
    fn experiments(conditions: &ListExperimentsRequest) -> Vec<ExperimentWithStats>;
    fn experiment(uuid: &str) -> Option<ExperimentWithStats>;
    fn experiment_stats(uuid: &str) -> ExperimentStats;
    fn finish_experiment(uuid: &str, request: &FinishExperimentRequest) -> ExperimentStats;
    fn experiment_trace_logs(uuid: &str, filter: &FilterBase) -> Vec<TraceLogTree>;
    fn create_dataset(request: &CreateTestCaseCollectionRequest) -> CreateTestCaseCollectionResponse;
    fn dataset(id_or_name: impl fmt::Display) -> Option<GetTestCaseCollectionResponse>;
    fn dataset_version(id_or_name: impl fmt::Display, version: Option<u64>) -> Option<VersionedDataset>;
    fn dataset_versions(id_or_name: impl fmt::Display) -> Option<Vec<DatasetVersion>>;
    fn datasets() -> Vec<DatasetSummary>;
    fn add_test_cases(request: &CreateTestCases) -> Vec<i64>;
    fn update_test_case(dataset_id: i64, test_case_id: i64, change: &UpdateTestCasePublicRequest) -> ();
    fn completion(request: &Completions) -> CompletionsResponse;
    fn deployed_prompt(request: &DeploymentPromptId) -> GetDeployedPromptResponse;
}

impl BlockingApiClient {
    /// [`ApiClient::base_url`].
    pub fn base_url(&self) -> &str {
        self.client.base_url()
    }

    /// [`ApiClient::completion_stream`]: an iterator over the pieces of the answer.
    pub fn completion_stream(&self, request: &Completions) -> Result<BlockingCompletion, ApiError> {
        let stream = self.network.wait(self.client.completion_stream(request))??;
        Ok(BlockingCompletion { stream, network: Arc::clone(&self.network) })
    }
}

/// A model's answer while it is made: [`CompletionStream`] as an iterator.
#[derive(Debug)]
pub struct BlockingCompletion {
    stream: CompletionStream,
    network: Arc<Network>,
}

impl BlockingCompletion {
    /// See [`CompletionStream::trace_id`].
    pub fn trace_id(&self) -> Option<&str> {
        self.stream.trace_id()
    }
}

impl Iterator for BlockingCompletion {
    type Item = Result<String, ApiError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.network.wait(self.stream.next()).unwrap_or_else(|error| {
            self.stream.stop();
            Some(Err(error))
        })
    }
}
