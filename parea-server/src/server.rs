//! One process, one folder, one address.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use axum::{Router, body::Body};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use parea_store::{OpenError, SqliteStore};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    task::{JoinHandle, JoinSet},
};
use tower::ServiceExt;

use crate::{
    admin::Door,
    auth::{Keys, Projects},
    config::Config,
    keeper::Keeper,
    limits,
    metrics::Metrics,
    operator,
    refused::RefusedLogs,
    router,
    spool::Spool,
    state::{AppState, Shared},
    tls::Tls,
};

/// Why a server did not start.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Whoever reaches the address could read everything.
    #[error(
        "refusing to listen on {0}, which others can reach, without a key: make one with `parea key create`, set \
         PAREA_API_KEY, or listen on 127.0.0.1"
    )]
    NeedsKey(SocketAddr),
    /// The keys of the folder cannot be read.
    #[error("cannot read the keys: {0}")]
    Keys(io::Error),
    /// The certificate or its key cannot be used.
    #[error("cannot speak TLS: {0}")]
    Tls(io::Error),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}{}", hint(.source, .address))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The folder cannot be used.
    #[error("{0}{hint}", hint = folder_hint(.0))]
    Open(#[from] OpenError),
}

/// The text of `Display`: a `main` or a test that returns the error prints this.
impl fmt::Debug for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn folder_hint(error: &OpenError) -> &'static str {
    match error {
        OpenError::Folder { .. } => "; make it usable or choose another with --data DIR",
        _ => "",
    }
}

fn hint(error: &io::Error, address: &SocketAddr) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "; another program has port {}, perhaps another `parea serve`: stop it, or choose a port with --listen {}:0",
            address.port(),
            address.ip()
        ),
        io::ErrorKind::PermissionDenied => "; choose a port above 1023".to_owned(),
        io::ErrorKind::AddrNotAvailable => "; this machine does not have that address".to_owned(),
        _ => String::new(),
    }
}

/// A server that holds its address and its folder. It answers once [`run`](Self::run) or [`spawn`](Self::spawn) is
/// called; connections made before wait.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    store: SqliteStore,
    state: AppState,
    tls: Option<Arc<Tls>>,
}

impl Server {
    /// Takes the address and opens the folder.
    pub async fn bind(config: Config) -> Result<Self, ServeError> {
        let listen = config.listen;
        let keys = Keys::load(&config.data, config.api_key.as_deref()).map_err(ServeError::Keys)?;
        if !keys.any_is_good() && !listen.ip().is_loopback() {
            return Err(ServeError::NeedsKey(listen));
        }
        let tls = Tls::of(&config).map_err(ServeError::Tls)?;
        let listening = |source| ServeError::Listen { address: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(listening)?;
        let address = listener.local_addr().map_err(listening)?;
        let folder = config.data.clone();
        let store = match tokio::task::spawn_blocking(move || SqliteStore::open(&folder)).await {
            Ok(opened) => opened?,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        let state = AppState::new(Shared {
            catalog: Arc::new(store.clone()),
            logs: Arc::new(store.clone()),
            keys: Arc::new(keys),
            projects: Arc::new(Projects::default()),
            turns: Arc::new(Semaphore::new(config.requests.min(Semaphore::MAX_PERMITS))),
            room: Arc::new(Semaphore::new(limits::room(&config) as usize)),
            refused: RefusedLogs::of(&config.data, config.refused_limit),
            metrics: Arc::new(Metrics::new(store.clone(), &config.data)),
            config: Arc::new(config),
        });
        Ok(Self { listener, address, store, state, tls })
    }

    /// The address listened on, with the real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Where a browser or a client on this machine finds the server: `http://127.0.0.1:7273`.
    pub fn url(&self) -> String {
        let mut reachable = self.address;
        if reachable.ip().is_unspecified() {
            reachable.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{reachable}")
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        &self.state.config.data
    }

    /// Serves until `shutdown` is ready; then takes no more connections, finishes the requests under way (those that
    /// take longer than [`Config::stop_time`] are cut off) and closes the store. What was acknowledged is on disk.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self { listener, store, state, tls, .. } = self;
        let spool = Spool::watch(&state);
        let config = Arc::clone(&state.config);
        let door = Door::open(&store, &config);
        let keeper = Keeper::start(&store, &config);
        let places = Arc::new(Semaphore::new(config.connections.min(Semaphore::MAX_PERMITS)));
        let router = router::router(state);
        let graceful = GracefulShutdown::new();
        let mut connections = JoinSet::new();
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                () = &mut shutdown => break,
                accepted = accept(&listener, &places) => accepted,
            };
            while connections.try_join_next().is_some() {}
            match accepted {
                Ok((stream, place)) => {
                    let connection = connection(stream, tls.clone(), router.clone(), graceful.watcher(), &config);
                    connections.spawn(async move {
                        connection.await;
                        drop(place);
                    });
                }
                // The client is gone already, or no file handle is free: the next may do better, but not at once.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    operator::tell(format_args!("parea: cannot accept a connection: {error}"));
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        }
        drop((listener, router));
        let finished = async {
            graceful.shutdown().await;
            while connections.join_next().await.is_some() {}
        };
        if tokio::time::timeout(config.stop_time, finished).await.is_err() {
            operator::tell(format_args!(
                "parea: some requests took longer than {} s and were cut off",
                config.stop_time.as_secs()
            ));
            connections.shutdown().await;
        }
        door.shut().await;
        keeper.stop().await;
        spool.stop().await;
        store.close().await;
    }

    /// [`run`](Self::run)s beside the caller, until the handle says otherwise.
    pub fn spawn(self) -> Handle {
        let (address, url) = (self.address, self.url());
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(self.run(async {
            // An error means that the handle was dropped, which is a way to stop too.
            let _ = stopped.await;
        }));
        Handle { address, url, stop, task }
    }
}

/// The next connection, once there is a place for it.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

fn connection(
    stream: TcpStream,
    tls: Option<Arc<Tls>>,
    router: Router,
    watcher: Watcher,
    config: &Config,
) -> impl Future<Output = ()> + use<> {
    // Answers are small and wanted at once. A socket that refuses is gone, as reading will tell.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let router = router.clone();
        async move {
            Ok::<_, Infallible>(router.oneshot(request.map(Body::new)).await.unwrap_or_else(|never| match never {}))
        }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(config.head_time).max_buf_size(config.head_limit.max(8 << 10));
    let head_time = config.head_time;
    async move {
        // A client that goes away in the midst is its own affair.
        let _ = match tls {
            None => watcher.watch(builder.serve_connection(TokioIo::new(stream), service)).await,
            Some(tls) => {
                let Ok(Ok(stream)) = tokio::time::timeout(head_time, tls.accept(stream)).await else { return };
                watcher.watch(builder.serve_connection(TokioIo::new(stream), service)).await
            }
        };
    }
}

/// A server that runs beside its maker. Dropping the handle stops the server without waiting for it.
#[derive(Debug)]
pub struct Handle {
    address: SocketAddr,
    url: String,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Handle {
    /// The address listened on, with the real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Where a browser or a client on this machine finds the server: `http://127.0.0.1:7273`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops the server as [`Server::run`] describes and waits until its store is closed.
    pub async fn shutdown(self) {
        drop(self.stop);
        if let Err(error) = self.task.await
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}
