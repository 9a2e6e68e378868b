//! What every handler can reach.

use std::{path::Path, sync::Arc};

use parea_store::{Catalog, Logs};

use crate::auth::Key;

/// What every handler can reach. Cheap to clone: axum does so for each request.
#[derive(Clone)]
pub(crate) struct AppState {
    /// Projects: what must be unique or agreed on.
    pub(crate) catalog: Arc<dyn Catalog>,
    /// Logs and the traces that they form.
    pub(crate) logs: Arc<dyn Logs>,
    /// The data folder.
    pub(crate) data: Arc<Path>,
    /// The key that requests must carry, if one is set.
    pub(crate) key: Option<Key>,
    /// Largest body taken, in bytes, before and after decompression.
    pub(crate) body_limit: usize,
    /// Whether each request is noted on stderr.
    pub(crate) verbose: bool,
}
