//! What a server does for who holds its folder, beside its other work: asked through a socket in the folder.

use std::{path::PathBuf, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    routing::post,
};
use parea_store::{Erasure, Retention, SqliteStore};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    config::Config,
    error::ApiError,
    ingest::Rules,
    operate::{self, Demand, Done, IMPORT, Imported, SOCKET},
    operator,
};

#[derive(Clone)]
struct Admin {
    store: SqliteStore,
    config: Arc<Config>,
}

/// A socket that is listened to, until it is stopped.
pub(crate) struct Door {
    path: PathBuf,
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

impl Door {
    /// Opens it. Where that is not possible it is told, and the commands of who holds the folder need the server to
    /// be stopped.
    pub(crate) fn open(store: &SqliteStore, config: &Arc<Config>) -> Self {
        let path = config.data.join(SOCKET);
        let (stop, stopped) = watch::channel(false);
        let admin = Admin { store: store.clone(), config: Arc::clone(config) };
        let router = Router::new()
            .route("/", post(serve))
            .route(IMPORT, post(import))
            // From the owner's own hands, in steps of their own size.
            .layer(DefaultBodyLimit::disable())
            .with_state(admin);
        let task = listen(&path, router, stopped);
        Self { path, stop, task }
    }

    /// Takes no more demands; one that is under way is broken off, and can be made again.
    pub(crate) async fn shut(self) {
        self.stop.send_replace(true);
        if let Some(task) = self.task {
            task.abort();
            let _ = task.await;
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(unix)]
fn listen(path: &std::path::Path, router: Router, mut stopped: watch::Receiver<bool>) -> Option<JoinHandle<()>> {
    use std::os::unix::fs::PermissionsExt as _;

    // Left behind by one that was killed: the folder is ours.
    let _ = std::fs::remove_file(path);
    let bound = tokio::net::UnixListener::bind(path).and_then(|listener| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(listener)
    });
    match bound {
        Ok(listener) => Some(tokio::spawn(async move {
            let ended = async move {
                // An error means that the server is gone.
                let _ = stopped.wait_for(|is_stopped| *is_stopped).await;
            };
            let _ = axum::serve(listener, router).with_graceful_shutdown(ended).await;
        })),
        Err(error) => {
            operator::tell(format_args!(
                "parea: cannot listen on {}, so `parea erase`, `import` and `retain` need the server to be stopped: {error}",
                path.display()
            ));
            None
        }
    }
}

#[cfg(not(unix))]
fn listen(_: &std::path::Path, _: Router, _: watch::Receiver<bool>) -> Option<JoinHandle<()>> {
    None
}

async fn serve(State(admin): State<Admin>, Json(demand): Json<Demand>) -> Result<Json<Done>, ApiError> {
    let store = &admin.store;
    let logs = match demand {
        Demand::EraseTrace(id) => store.erase(&Erasure::Trace(id)).await?,
        Demand::EraseUser(name) => store.erase(&Erasure::User(name)).await?,
        Demand::EraseProject(name) => store.erase(&Erasure::Project(name)).await?,
        Demand::Backup { to } => {
            store.backup(&to).await?;
            0
        }
        Demand::Retain { age, projects, size } => {
            let rules = Retention { age, projects, size };
            return Ok(Json(operate::retain_in(store, &rules, false).await?.into()));
        }
    };
    Ok(Json(Done { logs, ..Done::default() }))
}

async fn import(State(admin): State<Admin>, lines: Bytes) -> Result<Json<Imported>, ApiError> {
    let lines = lines.split(|byte| *byte == b'\n');
    Ok(Json(operate::take_in(&admin.store, lines, Rules::of(&admin.config)).await?))
}
