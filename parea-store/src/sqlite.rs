//! The embedded engine: one SQLite file, one thread that writes, a few connections that read.

mod block;
mod check;
mod copy;
mod datasets;
mod directory;
mod erase;
mod experiments;
mod export;
mod failure;
#[cfg(test)]
mod filter_tests;
mod functions;
mod index;
mod ingest;
mod job;
mod key;
mod late;
#[cfg(test)]
mod late_tests;
mod links;
mod lists;
mod open;
mod order;
mod pack;
mod pending;
mod plan;
mod projects;
mod readers;
mod recast;
mod removal;
mod repair;
mod retain;
mod rollup;
mod salvage;
mod sampling;
mod schema;
mod scope;
mod scrub;
#[cfg(test)]
mod scrub_tests;
mod search;
mod tallies;
mod terms;
#[cfg(test)]
mod tests;
mod tidy;
mod trees;
mod values;
mod varint;
mod versions;
mod writer;

use std::{
    fmt,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
};

use parea_types::{
    CreateExperimentRequest, CreateTestCaseCollectionRequest, CreateTestCaseCollectionResponse, CreateTestCases,
    DatasetSummary, DatasetVersion, Experiment, ExperimentPinnedStatistic, ExperimentStatus, ExperimentWithStats,
    GetTestCaseCollectionResponse, ListExperimentsRequest, Timestamp, TraceLog, TraceLogTree, TraceStats,
    UpdateTestCasePublicRequest, VersionedDataset,
};
use tokio::sync::{mpsc, oneshot};

use self::{
    directory::{Directory, Published},
    job::Work,
    open::Folder,
    readers::Readers,
    scope::Within,
    writer::{Watcher, Writer},
};
pub use self::{
    erase::Erasure,
    export::{Exported, Salvaged, StoreFile, Unread},
    open::OpenError,
    recast::Recast,
    retain::{Retained, Retention},
    writer::Written,
};
use crate::{
    After, Answer, Catalog, Committed, Count, Cursor, DatasetKey, LogFilter, Logs, Page, Patch, Project, Scope,
    StoreError, TextCursor, TextPage, TraceSummary, text::TextQuery,
};

/// Jobs that may wait for the writer; beyond it callers wait to hand theirs over.
const QUEUE: usize = 1024;

/// A store in a folder, in the file `parea.db`. Cheap to clone; all clones are one store.
///
/// Needs a Tokio runtime to be called from. When the last clone is dropped, what was handed over is still written,
/// which blocks for a moment; [`close`](Self::close) does the same without blocking.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    shared: Arc<Shared>,
}

struct Shared {
    readers: Arc<Readers>,
    transactions: Arc<AtomicU64>,
    watcher: Arc<Watcher>,
    /// `None` once closed.
    writer: Mutex<Option<Thread>>,
    /// Held by whoever takes out what logs left behind.
    tidying: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Thread {
    jobs: mpsc::Sender<Work>,
    thread: JoinHandle<()>,
}

impl SqliteStore {
    /// [`open`](Self::open), where a store is there already: nothing is made.
    pub fn open_existing(dir: &Path) -> Result<Self, OpenError> {
        open::existing(dir)?;
        Self::open(dir)
    }

    /// Opens the store in `dir`, which is made when absent, and holds the folder until the store is closed. Blocks
    /// for some milliseconds, longer after a crash under load.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        let folder = Folder::lock(dir)?;
        let conn = open::writer(&folder.file)?;
        let known = Directory::load(&conn).map_err(|error| open::refusal(&folder.file, &error))?;
        let directory = Arc::new(Published::default());
        directory.publish(&known);
        let readers = Arc::new(Readers::new(folder.file.clone(), Arc::clone(&directory)));
        let transactions = Arc::new(AtomicU64::new(0));
        let watcher = Arc::new(Watcher::new());
        let (jobs, queue) = mpsc::channel(QUEUE);
        let path = folder.file.clone();
        let thread = std::thread::Builder::new()
            .name("parea-store".to_owned())
            .spawn({
                let (transactions, watcher) = (Arc::clone(&transactions), Arc::clone(&watcher));
                move || Writer::new(conn, known, directory, transactions, watcher).run(folder, queue)
            })
            .map_err(|error| OpenError::Engine { path, reason: error.to_string() })?;
        let writer = Mutex::new(Some(Thread { jobs, thread }));
        let tidying = tokio::sync::Mutex::default();
        Ok(Self { shared: Arc::new(Shared { readers, transactions, watcher, writer, tidying }) })
    }

    /// Writes what was handed over, folds the write-ahead log into the file and gives the folder free. Every later
    /// call answers [`StoreError::Closed`].
    pub async fn close(&self) {
        if let Some(writer) = self.shared.take_writer() {
            drop(writer.jobs);
            // Its end is all that matters; a writer that panicked has nothing more to write.
            let _ = tokio::task::spawn_blocking(move || writer.thread.join()).await;
        }
    }

    /// Transactions that were written since the store was opened; fewer than commits when callers share them.
    pub fn transactions(&self) -> u64 {
        self.shared.transactions.load(Ordering::Relaxed)
    }

    /// Has `watch` told of each transaction from now on, on the thread that writes; only the first that asks is told.
    pub fn watch(&self, watch: impl Fn(&Written) + Send + Sync + 'static) {
        let _ = self.shared.watcher.set(Box::new(watch));
    }

    /// Jobs that wait for the writer.
    pub fn waiting(&self) -> usize {
        self.shared.lock().as_ref().map_or(0, |writer| writer.jobs.max_capacity() - writer.jobs.capacity())
    }

    async fn write<T>(
        &self,
        work: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Work,
    ) -> Result<T, StoreError> {
        let jobs = self.shared.lock().as_ref().map(|writer| writer.jobs.clone()).ok_or(StoreError::Closed)?;
        let (reply, answer) = oneshot::channel();
        jobs.send(work(reply)).await.map_err(|_| StoreError::Closed)?;
        drop(jobs);
        answer.await.map_err(|_| StoreError::Engine("the writer stopped".to_owned()))?
    }

    /// Has the writer do what is no patch.
    async fn order<T: Send + 'static>(
        &self,
        act: impl Fn(&mut ingest::Ingest<'_>) -> rusqlite::Result<Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.write(|reply| Work::Order(order::order(reply, act))).await
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        Arc::clone(&self.shared.readers).read(read).await
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("writer", &self.writer).finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Thread>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_writer(&self) -> Option<Thread> {
        self.readers.close();
        self.lock().take()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(writer) = self.take_writer() {
            drop(writer.jobs);
            let _ = writer.thread.join();
        }
    }
}

impl Catalog for SqliteStore {
    fn project(&self, name: &str) -> Answer<'_, (Project, bool)> {
        let name = name.to_owned();
        Box::pin(async move {
            if let Some(project) = self.find_project(&name).await? {
                return Ok((project, false));
            }
            self.write(|reply| Work::Project { name, reply }).await
        })
    }

    fn find_project(&self, name: &str) -> Answer<'_, Option<Project>> {
        let name = name.to_owned();
        Box::pin(self.read(move |conn| projects::by_name(conn, &name)))
    }

    fn projects(&self) -> Answer<'_, Vec<Project>> {
        Box::pin(self.read(projects::all))
    }

    fn create_experiment(&self, request: CreateExperimentRequest) -> Answer<'_, Experiment> {
        Box::pin(self.order(move |ingest| experiments::create(ingest, &request, None)))
    }

    fn keep_experiment(
        &self,
        request: CreateExperimentRequest,
        uuid: String,
        created: Timestamp,
    ) -> Answer<'_, Experiment> {
        let kept = (uuid, created);
        Box::pin(self.order(move |ingest| experiments::create(ingest, &request, Some(&kept))))
    }

    fn experiments(&self, scope: &Scope, wanted: ListExperimentsRequest) -> Answer<'_, Vec<ExperimentWithStats>> {
        let scope = scope.clone();
        Box::pin(self.read(move |conn| experiments::list(conn, Within::of(conn, &scope)?, &wanted)))
    }

    fn finish_experiment(
        &self,
        scope: &Scope,
        uuid: &str,
        status: ExperimentStatus,
        pinned: Vec<ExperimentPinnedStatistic>,
    ) -> Answer<'_, ()> {
        let (scope, uuid) = (scope.clone(), uuid.to_owned());
        Box::pin(self.order(move |ingest| {
            let within = Within::of(ingest.conn, &scope)?;
            experiments::finish(ingest.conn, within, &uuid, status, &pinned)
        }))
    }

    fn create_dataset(
        &self,
        scope: &Scope,
        request: CreateTestCaseCollectionRequest,
    ) -> Answer<'_, CreateTestCaseCollectionResponse> {
        let scope = scope.clone();
        Box::pin(self.order(move |ingest| {
            let within = Within::of(ingest.conn, &scope)?;
            datasets::create(ingest.conn, within, &request)
        }))
    }

    fn dataset(&self, scope: &Scope, key: DatasetKey) -> Answer<'_, Option<GetTestCaseCollectionResponse>> {
        let scope = scope.clone();
        Box::pin(self.read(move |conn| datasets::read(conn, Within::of(conn, &scope)?, &key)))
    }

    fn datasets(&self, scope: &Scope) -> Answer<'_, Vec<DatasetSummary>> {
        let scope = scope.clone();
        Box::pin(self.read(move |conn| versions::all(conn, Within::of(conn, &scope)?)))
    }

    fn dataset_versions(&self, scope: &Scope, key: DatasetKey) -> Answer<'_, Option<Vec<DatasetVersion>>> {
        let scope = scope.clone();
        Box::pin(self.read(move |conn| versions::list(conn, Within::of(conn, &scope)?, &key)))
    }

    fn dataset_at(&self, scope: &Scope, key: DatasetKey, version: Option<u64>) -> Answer<'_, Option<VersionedDataset>> {
        let scope = scope.clone();
        Box::pin(self.read(move |conn| versions::at(conn, Within::of(conn, &scope)?, &key, version)))
    }

    fn add_test_cases(&self, scope: &Scope, request: CreateTestCases) -> Answer<'_, Vec<i64>> {
        let scope = scope.clone();
        Box::pin(self.order(move |ingest| {
            let within = Within::of(ingest.conn, &scope)?;
            datasets::add(ingest.conn, within, &request)
        }))
    }

    fn update_test_case(
        &self,
        scope: &Scope,
        dataset: i64,
        case: i64,
        change: UpdateTestCasePublicRequest,
    ) -> Answer<'_, ()> {
        let scope = scope.clone();
        Box::pin(self.order(move |ingest| {
            let within = Within::of(ingest.conn, &scope)?;
            datasets::update(ingest.conn, within, dataset, case, &change)
        }))
    }
}

impl Logs for SqliteStore {
    fn commit(&self, patches: Vec<Patch>) -> Answer<'_, Committed> {
        Box::pin(async move {
            // Never on the writer's thread, which all wait for, and off the runtime's where it takes long. For what comes
            // singly, another thread would cost more than the work.
            let prepared = if job::is_short(&patches) {
                job::Batch::of(patches)
            } else {
                tokio::task::spawn_blocking(move || job::Batch::of(patches))
                    .await
                    .map_err(|error| StoreError::Engine(error.to_string()))?
            };
            let batch = prepared.map_err(StoreError::Invalid)?;
            self.write(|reply| Work::Commit { batch, reply }).await
        })
    }

    fn page(&self, scope: &Scope, filter: &LogFilter, after: After, limit: u32) -> Answer<'_, Page<TraceLogTree>> {
        let list = lists::List::new(lists::Kind::Logs, scope, filter);
        Box::pin(self.read(move |conn| trees::page(conn, &list, &after, limit)))
    }

    fn count(&self, scope: &Scope, filter: &LogFilter, budget: u64) -> Answer<'_, Count> {
        let list = lists::List::new(lists::Kind::Logs, scope, filter);
        Box::pin(self.read(move |conn| list.count(conn, budget)))
    }

    fn traces(&self, scope: &Scope, filter: &LogFilter, after: After, limit: u32) -> Answer<'_, Page<TraceSummary>> {
        let list = lists::List::new(lists::Kind::Traces, scope, filter);
        Box::pin(self.read(move |conn| rollup::page(conn, &list, &after, limit)))
    }

    fn tree(&self, trace_id: &str) -> Answer<'_, Option<TraceLogTree>> {
        let trace_id = trace_id.to_owned();
        Box::pin(self.read(move |conn| trees::tree(conn, &trace_id)))
    }

    fn trace(&self, root_trace_id: &str) -> Answer<'_, Vec<TraceLog>> {
        let root = root_trace_id.to_owned();
        Box::pin(self.read(move |conn| trees::trace(conn, &root)))
    }

    fn tree_in(&self, scope: &Scope, trace_id: &str) -> Answer<'_, Option<TraceLogTree>> {
        let (scope, trace_id) = (scope.clone(), trace_id.to_owned());
        Box::pin(self.read(move |conn| match Within::of(conn, &scope)? {
            Within::All => trees::tree(conn, &trace_id),
            Within::Project(project) => trees::below(conn, &values::Blocks::default(), project, &trace_id, &mut 0),
            Within::Nothing => Ok(None),
        }))
    }

    fn trace_in(&self, scope: &Scope, root_trace_id: &str) -> Answer<'_, Vec<TraceLog>> {
        let (scope, root) = (scope.clone(), root_trace_id.to_owned());
        Box::pin(self.read(move |conn| match Within::of(conn, &scope)? {
            Within::All => trees::trace(conn, &root),
            Within::Project(project) => trees::whole(conn, project, &root),
            Within::Nothing => Ok(Vec::new()),
        }))
    }

    fn text(
        &self,
        scope: &Scope,
        query: &TextQuery,
        filter: &LogFilter,
        after: Option<TextCursor>,
        limit: u32,
    ) -> Answer<'_, TextPage> {
        let search = search::Search::new(query, scope, filter);
        Box::pin(self.read(move |conn| search.run(conn, after, limit)))
    }

    fn experiment_stats(&self, scope: &Scope, uuid: &str) -> Answer<'_, Vec<TraceStats>> {
        let (scope, uuid) = (scope.clone(), uuid.to_owned());
        Box::pin(self.read(move |conn| experiments::stats(conn, Within::of(conn, &scope)?, &uuid)))
    }

    fn experiment_sizes(&self, scope: &Scope, uuids: Vec<String>) -> Answer<'_, Vec<u64>> {
        let scope = scope.clone();
        Box::pin(self.read(move |conn| experiments::sizes(conn, Within::of(conn, &scope)?, &uuids)))
    }

    fn experiment_page(
        &self,
        scope: &Scope,
        uuid: &str,
        after: Option<Cursor>,
        limit: u32,
    ) -> Answer<'_, Page<TraceLogTree>> {
        let (scope, uuid) = (scope.clone(), uuid.to_owned());
        Box::pin(
            self.read(move |conn| experiments::page(conn, Within::of(conn, &scope)?, &uuid, after.as_ref(), limit)),
        )
    }

    fn add_losses(&self, project: &str, losses: &[(String, u64)], id: Option<&str>) -> Answer<'_, bool> {
        let (project, losses, id) = (project.to_owned(), losses.to_vec(), id.map(str::to_owned));
        Box::pin(self.write(|reply| Work::Losses { project, losses, id, reply }))
    }

    fn losses(&self, scope: &Scope) -> Answer<'_, Vec<(String, u64)>> {
        let scope = scope.clone();
        Box::pin(self.read(move |conn| projects::losses(conn, &scope)))
    }
}
