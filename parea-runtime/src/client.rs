//! From `init` to the last flush.

use std::{
    fmt, io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use once_cell::sync::OnceCell;

#[cfg(feature = "http")]
use crate::{
    api::{ApiClient, ApiError},
    settings::LOCAL_SERVER,
    transport::http::Http,
};
use crate::{
    books::Until,
    context::Listener,
    evaluation,
    exporter::{self, Destination, warn},
    queue::Queue,
    report::FlushReport,
    settings::{Secret, Settings},
    stack::LOGS,
    transport::spool::Spool,
};

/// The one client of the process. Set once and never taken back: spans may end at any time.
static CLIENT: OnceCell<Client> = OnceCell::new();

#[derive(Debug)]
struct Client {
    queue: Arc<Queue>,
    _listener: Listener,
}

/// Whether there is an exporter.
#[inline]
pub(crate) fn is_recording() -> bool {
    CLIENT.get().is_some()
}

pub(crate) fn queue() -> Option<Arc<Queue>> {
    CLIENT.get().map(|client| Arc::clone(&client.queue))
}

/// Starts recording, as the environment says: `PAREA_BASE_URL`, `PAREA_API_KEY`, `TURN_OFF_PAREA_LOGGING`.
///
/// | `PAREA_BASE_URL` | `PAREA_API_KEY` | logs go to |
/// |---|---|---|
/// | set | any | that server |
/// | – | set | [`InitError::MissingBaseUrl`]: a key alone never picks a remote server |
/// | – | – | `parea serve` on 127.0.0.1:7273 if it answers, else the folder `.parea/`, which it takes in |
///
/// Never blocks and makes no connection: the exporter does, on a thread of its own. Keep the [`Guard`] until the
/// end of `main`.
pub fn init() -> Result<Guard, InitError> {
    builder().init()
}

/// [`init`] with settings in code, which win over the environment.
///
/// ```no_run
/// let _parea = parea::builder()
///     .project("support-bot")
///     .base_url("http://127.0.0.1:7273")
///     .deadline(std::time::Duration::from_secs(2))
///     .init()?;
/// # Ok::<(), parea::InitError>(())
/// ```
pub fn builder() -> Builder {
    Builder { settings: Settings::from_env() }
}

/// Settings of the client. See [`builder`].
#[derive(Clone, Debug)]
#[must_use = "nothing is recorded before `.init()`"]
pub struct Builder {
    settings: Settings,
}

impl Builder {
    /// The project's name, `default` unless set. The server creates it when it has none of that name.
    pub fn project(mut self, name: impl Into<String>) -> Self {
        self.settings.project = name.into();
        self
    }

    /// The key that is sent as `x-api-key`.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.settings.api_key = Some(Secret(key.into()));
        self
    }

    /// The server's address; without a path, `/api/parea/v1` is added.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.settings.base_url = Some(url.into());
        self
    }

    /// How long dropping the [`Guard`] may wait for delivery. 5 s unless set.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.settings.deadline = deadline;
        self
    }

    /// Most bytes of logs that wait in memory; what comes beyond is dropped and counted. 64 MB unless set.
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.settings.queue_bytes = bytes;
        self
    }

    /// The folder for logs that no server takes, as `parea serve --data` names it. `.parea` unless set.
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.settings.folder = folder.into();
        self
    }

    /// Starts recording. Fails without changing anything when it was started before or a setting makes no sense.
    pub fn init(self) -> Result<Guard, InitError> {
        let settings = self.settings;
        if settings.off {
            return Ok(Guard { queue: None, settings });
        }
        let destination = destination(&settings)?;
        let mut fresh = false;
        let client = CLIENT.get_or_try_init(|| {
            fresh = true;
            let queue = Arc::new(Queue::new(&LOGS, settings.queue_bytes));
            exporter::start(Arc::clone(&queue), destination, settings.project.clone()).map_err(InitError::Thread)?;
            Ok(Client { queue, _listener: Listener::new() })
        })?;
        if !fresh {
            return Err(InitError::AlreadyInitialised);
        }
        Ok(Guard { queue: Some(Arc::clone(&client.queue)), settings })
    }
}

#[cfg(feature = "http")]
fn destination(settings: &Settings) -> Result<Destination, InitError> {
    let client = |url: &str| {
        // Attempts are counted and timed by the exporter.
        let mut builder = ApiClient::builder(url).retries(0).timeout(Duration::from_secs(30));
        if let Some(Secret(key)) = &settings.api_key {
            builder = builder.api_key(key);
        }
        builder.build().map_err(|error| match error {
            ApiError::Url(why) => InitError::InvalidBaseUrl(why),
            ApiError::Key => InitError::InvalidApiKey,
            other => InitError::InvalidBaseUrl(other.to_string()),
        })
    };
    match (&settings.base_url, &settings.api_key) {
        (Some(url), _) => Ok(Destination::Server(Http::new(client(url)?))),
        (None, Some(_)) => Err(InitError::MissingBaseUrl),
        (None, None) => Ok(Destination::Local {
            server: Http::new(client(LOCAL_SERVER)?),
            spool: Spool::new(&settings.folder),
            asked: None,
        }),
    }
}

#[cfg(not(feature = "http"))]
fn destination(settings: &Settings) -> Result<Destination, InitError> {
    match &settings.base_url {
        Some(_) => Err(InitError::InvalidBaseUrl("parea was built without its feature `http`".to_owned())),
        None => Ok(Destination::Spool(Spool::new(&settings.folder))),
    }
}

/// Why recording did not start. The program runs on as without it.
#[derive(Debug)]
#[non_exhaustive]
pub enum InitError {
    /// `init` was called before in this process; the first one stays in force.
    AlreadyInitialised,
    /// A key is set and no URL: where the logs should go is not said.
    MissingBaseUrl,
    /// The URL cannot be used.
    InvalidBaseUrl(String),
    /// The key has letters that no HTTP header can carry.
    InvalidApiKey,
    /// The exporter's thread could not be started.
    Thread(io::Error),
}

impl fmt::Display for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyInitialised => f.write_str("parea is initialised already; call `parea::init` once, in main"),
            Self::MissingBaseUrl => f.write_str(
                "PAREA_API_KEY is set but PAREA_BASE_URL is not: say where the logs should go. The hosted API is \
                 https://parea-ai-backend-us-9ac16cdbc7a7b006.onporter.run/api/parea/v1, a local `parea serve` \
                 http://127.0.0.1:7273/api/parea/v1",
            ),
            Self::InvalidBaseUrl(why) => write!(f, "PAREA_BASE_URL cannot be used: {why}"),
            Self::InvalidApiKey => {
                f.write_str("PAREA_API_KEY cannot be used: it has letters that no HTTP header carries")
            }
            Self::Thread(error) => write!(f, "the exporter's thread cannot be started: {error}"),
        }
    }
}

impl std::error::Error for InitError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Thread(error) => Some(error),
            _ => None,
        }
    }
}

/// Delivers what is left when it is dropped, for at most the [`deadline`](Builder::deadline). Recording goes on.
#[derive(Debug)]
#[must_use = "the guard delivers the last logs when it is dropped: keep it with `let _parea = parea::init()?;`"]
pub struct Guard {
    /// `None` when tracing is turned off by the environment.
    queue: Option<Arc<Queue>>,
    settings: Settings,
}

impl Guard {
    /// Waits until everything that has ended so far is delivered, spooled or given up, but at most `timeout`, and
    /// says how it stands. Blocks this thread only; the exporter needs none of the user's runtimes.
    pub fn flush(&self, timeout: Duration) -> FlushReport {
        self.queue.as_ref().map(|queue| flush_evaluated(queue, timeout)).unwrap_or_default()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let deadline = self.settings.deadline;
        let report = self.queue.as_ref().map(|queue| queue.flush(deadline, Until::Patience)).unwrap_or_default();
        if !report.is_complete() {
            warn(&format!("not every log was delivered: {report}"));
        } else if report.spooled > 0 {
            let folder = self.settings.folder.display();
            warn(&format!(
                "no server was there: {} logs are in {folder}; `parea serve --data {folder}` takes them in",
                report.spooled
            ));
        }
    }
}

/// [`Guard::flush`] from anywhere. Before `init` there is nothing to flush, and the report is empty.
pub fn flush(timeout: Duration) -> FlushReport {
    queue().map(|queue| flush_evaluated(&queue, timeout)).unwrap_or_default()
}

/// What is being evaluated has ended and is not in the queue yet: it is waited for first, in the same time.
fn flush_evaluated(queue: &Queue, timeout: Duration) -> FlushReport {
    let start = Instant::now();
    evaluation::wait(timeout);
    queue.flush(timeout.saturating_sub(start.elapsed()), Until::Delivered)
}
