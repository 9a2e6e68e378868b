//! What every handler can reach.

use std::{path::Path, sync::Arc};

use parea_store::{Catalog, Logs};

use crate::auth::Key;

/// What every handler can reach. Cheap to clone: axum does so for each request.
#[derive(Clone)]
pub struct AppState {
    /// Projects: what must be unique or agreed on.
    pub catalog: Arc<dyn Catalog>,
    /// Logs and the traces that they form.
    pub logs: Arc<dyn Logs>,
    /// The data folder, to be named in messages.
    pub data: Arc<Path>,
    /// The key that requests must carry; `None` on loopback without one.
    pub key: Option<Arc<Key>>,
    /// Largest body taken, in bytes, before and after decompression.
    pub body_limit: usize,
}
