//! Connections that read, each a consistent view of the last commit.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::Semaphore;

use super::{
    directory::Published,
    functions,
    open::{self, Reader},
};
use crate::StoreError;

/// How long the writer may take from a commit until it says so; it takes microseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// A pool of them. They are opened when first needed and used on blocking threads.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Reader>>,
    directory: Arc<Published>,
    /// One permit for each connection that there may be; closed with the store.
    permits: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn new(path: PathBuf, directory: Arc<Published>) -> Self {
        let count = thread::available_parallelism().map_or(4, usize::from).clamp(4, 16);
        let permits = Arc::new(Semaphore::new(count));
        Self { path, idle: Mutex::default(), directory, permits }
    }

    /// Runs `read` in a transaction of its own, so that all its statements see one state.
    pub(super) async fn read<T: Send + 'static>(
        self: Arc<Self>,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let task = tokio::task::spawn_blocking(move || {
            // Held until the connection is back, also when the caller stops waiting.
            let _permit = permit;
            self.run(read)
        });
        match task.await {
            Ok(answer) => answer.map_err(StoreError::from),
            Err(error) => Err(StoreError::Engine(error.to_string())),
        }
    }

    fn run<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let idle = self.idle().pop();
        let mut conn = idle.map_or_else(|| open::reader(&self.path), Ok)?;
        let slot = conn.slot.clone();
        let begun = Instant::now();
        let tx = loop {
            let view = self.directory.view();
            let tx = conn.transaction_with_behavior(TransactionBehavior::Deferred)?;
            if view.is_of(&tx)? {
                slot.set(Some(view));
                break tx;
            }
            // The writer has committed and is about to publish its view.
            tx.finish()?;
            if begun.elapsed() > PATIENCE {
                return Err(rusqlite::Error::UserFunctionError("the directory is not that of the file".into()));
            }
            thread::yield_now();
        };
        functions::begin(&tx)?;
        let answer = read(&tx);
        tx.finish()?;
        slot.set(None);
        let answer = answer?;
        let mut idle = self.idle();
        // Asked under the lock: `close` empties the list after it closed the permits.
        if !self.permits.is_closed() {
            idle.push(conn);
        }
        Ok(answer)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Reader>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses further reads and lets go of idle connections.
    pub(super) fn close(&self) {
        self.permits.close();
        self.idle().clear();
    }
}
