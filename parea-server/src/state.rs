//! What every handler can reach.

use std::{ops::Deref, sync::Arc};

use parea_store::{Catalog, Logs};
use tokio::sync::Semaphore;

use crate::{
    auth::{Keys, Projects},
    config::Config,
    metrics::Metrics,
    refused::RefusedLogs,
};

/// What every handler can reach. Cheap to clone: axum does so several times for each request.
#[derive(Clone)]
pub(crate) struct AppState(Arc<Shared>);

impl AppState {
    pub(crate) fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }
}

impl Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// What there is to reach.
pub(crate) struct Shared {
    /// Projects: what must be unique or agreed on.
    pub(crate) catalog: Arc<dyn Catalog>,
    /// Logs and the traces that they form.
    pub(crate) logs: Arc<dyn Logs>,
    /// What the server was told to do.
    pub(crate) config: Arc<Config>,
    /// Who may ask.
    pub(crate) keys: Arc<Keys>,
    /// The projects of their keys.
    pub(crate) projects: Arc<Projects>,
    /// What was refused.
    pub(crate) refused: RefusedLogs,
    /// What is counted.
    pub(crate) metrics: Arc<Metrics>,
    /// A place for each request that may be worked on at once.
    pub(crate) turns: Arc<Semaphore>,
    /// Room for the bodies of requests under way, in KiB.
    pub(crate) room: Arc<Semaphore>,
}
