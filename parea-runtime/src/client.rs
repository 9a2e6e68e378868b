//! From `init` to the last flush.

use std::{
    fmt, io, mem,
    path::{self, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use once_cell::sync::OnceCell;

#[cfg(feature = "http")]
use crate::{
    api::{ApiClient, ApiError},
    sender::Server,
    settings::LOCAL_SERVER,
};
use crate::{
    context::Listener,
    exit::{self, fork},
    exporter,
    guard::{Ending, Guard},
    outbox::Outbox,
    queue::Queue,
    redact::{self, Hook},
    sampling::{self, Sampler},
    settings::{Discard, Secret, Settings, without_secrets},
    stack,
};

/// The one client of the process. Set once and never taken back: spans may end at any time.
static CLIENT: OnceCell<Client> = OnceCell::new();

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) settings: Settings,
    pub(crate) ending: Mutex<Ending>,
    /// The [generation](fork::generation) of the process that it belongs to.
    generation: u32,
    /// That of a child of the process, made when it first needs one.
    in_child: OnceCell<Box<Self>>,
}

impl Client {
    /// That of this process. In a forked child it starts here.
    pub(crate) fn get() -> Option<&'static Self> {
        let client = CLIENT.get()?;
        if client.generation == fork::generation() { Some(client) } else { client.of_this_process(true) }
    }

    /// The same, unless it would have to be started first.
    pub(crate) fn started() -> Option<&'static Self> {
        CLIENT.get()?.of_this_process(false)
    }

    /// That of this process, if it has anything to deliver: a child that has recorded something without an exporter gets
    /// one now.
    pub(crate) fn to_finish() -> Option<&'static Self> {
        Self::started().or_else(|| if stack::logs().tally().ended > 0 { Self::get() } else { None })
    }

    #[cold]
    fn of_this_process(&'static self, start: bool) -> Option<&'static Self> {
        if self.generation == fork::generation() {
            return Some(self);
        }
        if let Some(child) = self.in_child.get() {
            return child.of_this_process(start);
        }
        if !start {
            return None;
        }
        let mut fresh = false;
        let child = self.in_child.get_or_try_init(|| {
            fresh = true;
            Self::start(self.settings.clone()).map(Box::new)
        });
        // Without a thread there is no exporter; the program runs on, and its spans are nobody's.
        let child = child.ok()?;
        #[cfg(unix)]
        if fresh {
            exit::watch_signals(child);
        }
        #[cfg(not(unix))]
        let _ = fresh;
        Some(child)
    }

    fn start(settings: Settings) -> Result<Self, InitError> {
        #[cfg(feature = "http")]
        let server = server(&settings)?;
        #[cfg(not(feature = "http"))]
        if settings.base_url.is_some() {
            return Err(InitError::InvalidBaseUrl("parea was built without its feature `http`".to_owned()));
        }
        let queue = Queue::new(stack::logs(), settings.queue_bytes);
        let outbox = Arc::new(Outbox::new(queue, &settings));
        exporter::start(
            &outbox,
            #[cfg(feature = "http")]
            server,
        )
        .map_err(InitError::Thread)?;
        Ok(Self {
            outbox,
            settings,
            ending: Mutex::default(),
            generation: fork::generation(),
            in_child: OnceCell::new(),
        })
    }
}

/// Whether there is an exporter.
#[inline]
pub(crate) fn is_recording() -> bool {
    Client::get().is_some()
}

/// Whether what has ended is to be on disk before the program goes on.
static DURABLE: AtomicBool = AtomicBool::new(false);

/// Called when a span has ended, and its record is in the thread's log.
#[inline]
pub(crate) fn write_through() {
    if DURABLE.load(Ordering::Relaxed) {
        write_through_now();
    }
}

#[cold]
fn write_through_now() {
    if let Some(client) = Client::get() {
        client.outbox.write_through();
    }
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
#[derive(Clone)]
#[must_use = "nothing is recorded before `.init()`"]
pub struct Builder {
    settings: Settings,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base_url = self.settings.base_url.as_deref().map(without_secrets);
        f.debug_struct("Builder").field("settings", &Settings { base_url, ..self.settings.clone() }).finish()
    }
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

    /// The folder whose `spool` holds logs that no server has taken yet. `.parea` unless set, as for
    /// `parea serve --data`.
    ///
    /// Where a server is named, it has a folder of its own in there: what it does not take waits in files that only their
    /// owner can read, until this process or the next one finds it back. Several processes may share the folder.
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.settings.folder = folder.into();
        self
    }

    /// Most bytes of logs that wait on disk; what comes beyond stays in memory as long as that has room. 512 MB unless
    /// set.
    pub fn spool_bytes(mut self, bytes: u64) -> Self {
        self.settings.spool_bytes = bytes;
        self
    }

    /// Writes each log to the disk before the annotated call returns, so that not even `SIGKILL` costs one. Every call
    /// then waits for a write to a file, and calls of several threads for one another. Off unless set.
    pub fn durable(mut self, durable: bool) -> Self {
        self.settings.durable = durable;
        self
    }

    /// On `SIGTERM` and `SIGINT` delivers what is left, for at most the [`deadline`](Self::deadline), before the
    /// process ends of the signal as it would have without.
    ///
    /// A program that handles one of them itself, before or after this, is not ended: then what is left is only
    /// delivered. A second signal ends the process at once. Does nothing on systems other than Unix.
    pub fn flush_on_signals(mut self) -> Self {
        self.settings.flush_on_signals = true;
        self
    }

    /// Drops logs, counted as delivered: to measure what recording costs.
    #[doc(hidden)]
    pub fn discard(mut self) -> Self {
        self.settings.discard = Some(Discard::Records);
        self
    }

    /// Drops logs once they are lines of JSON without secrets: to measure what that costs.
    #[doc(hidden)]
    pub fn discard_encoded(mut self) -> Self {
        self.settings.discard = Some(Discard::Lines);
        self
    }

    /// Keeps each trace with this chance, 0 to 1, where the function that starts it has no `log_sample_rate` of its own.
    /// What is left out costs next to nothing. Everything is kept unless set.
    pub fn sample_rate(self, rate: f64) -> Self {
        self.sampler(Sampler::rate(rate))
    }

    /// Keeps traces by choice: by name and inputs, and those that failed or were slow in any case.
    pub fn sampler(mut self, sampler: Sampler) -> Self {
        self.settings.sampler = Some(sampler);
        self
    }

    /// Takes mailboxes (`ann@example.org`) out of logs too. Off unless set: in many programs they are what the logs are
    /// about.
    pub fn redact_emails(mut self) -> Self {
        self.settings.redactor.wanted.emails = true;
        self
    }

    /// Takes out the values of these names too, of arguments, members, fields and in texts (`iban=…`), in whatever spelling:
    /// `patient_id` is `patientId` as well.
    pub fn redact_names(mut self, names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        for name in names {
            self.settings.redactor.wanted.add_name(name.as_ref());
        }
        self
    }

    /// Takes out of every text what `hook` says, after what is taken out anyway: it is given each text of a log (values and
    /// keys of inputs, output, error, metadata, …) and returns what is to stand in its place, or `None` when it may stay.
    ///
    /// It runs on the exporter's thread, before anything leaves the process. If it panics the text is taken out. What it
    /// calls is not traced.
    ///
    /// ```no_run
    /// let _parea = parea::builder()
    ///     .redact_with(|text| text.contains("Project X").then(|| text.replace("Project X", "[project]")))
    ///     .init()?;
    /// # Ok::<(), parea::InitError>(())
    /// ```
    pub fn redact_with(mut self, hook: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        self.settings.redactor.hook = Some(Hook::new(hook));
        self
    }

    /// Leaves in logs what looks like a secret. Values whose name or type says that they are secret are left out all the
    /// same.
    pub fn keep_secrets_in_texts(mut self) -> Self {
        self.settings.redactor.off = true;
        self
    }

    /// Starts recording. Fails without changing anything when it was started before or a setting makes no sense.
    pub fn init(self) -> Result<Guard, InitError> {
        let settings = self.settings;
        if settings.off {
            return Ok(Guard::idle());
        }
        if let Some(rate) = settings.sampler.as_ref().and_then(Sampler::wrong_rate) {
            return Err(InitError::InvalidSampleRate(rate));
        }
        // The program may change its folder, as daemons do. One whose folder is gone has the relative one for what it is.
        let mut settings = settings;
        if let Ok(folder) = path::absolute(&settings.folder) {
            settings.folder = folder;
        }
        let mut fresh = false;
        let client = CLIENT.get_or_try_init(|| {
            fresh = true;
            let (redactor, sampler) = (settings.redactor.clone(), settings.sampler.clone());
            let client = Client::start(settings)?;
            redact::enforce(redactor);
            if let Some(sampler) = sampler {
                sampling::enforce(sampler);
            }
            Ok(client)
        })?;
        if !fresh {
            return Err(InitError::AlreadyInitialised);
        }
        // For as long as the process lives.
        mem::forget(Listener::new());
        DURABLE.store(client.settings.durable, Ordering::Relaxed);
        exit::install(client);
        Ok(Guard::new())
    }
}

/// Most bytes of an answer to the exporter: what takes logs has little to say.
#[cfg(feature = "http")]
const LONGEST_ANSWER: usize = 16 * 1024 * 1024;

/// Where logs are sent.
#[cfg(feature = "http")]
fn server(settings: &Settings) -> Result<Server, InitError> {
    let url = match (&settings.base_url, &settings.api_key) {
        (Some(url), _) => url,
        (None, Some(_)) => return Err(InitError::MissingBaseUrl),
        (None, None) => LOCAL_SERVER,
    };
    // Attempts are counted and timed by the exporter.
    let mut builder =
        ApiClient::builder(url).retries(0).timeout(Duration::from_secs(30)).longest_answer(LONGEST_ANSWER);
    if let Some(Secret(key)) = &settings.api_key {
        builder = builder.api_key(key);
    }
    builder.check().map_err(|error| match error {
        ApiError::Url(why) => InitError::InvalidBaseUrl(why),
        ApiError::Key => InitError::InvalidApiKey,
        other => InitError::InvalidBaseUrl(other.to_string()),
    })?;
    Ok(Server { builder, named: settings.base_url.is_some() })
}

/// Why recording did not start. The program runs on as without it.
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
    /// The rate is no chance.
    InvalidSampleRate(f64),
    /// The exporter's thread could not be started.
    Thread(io::Error),
}

impl fmt::Display for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyInitialised => f.write_str("parea is initialised already; call `parea::init` once, in main"),
            Self::MissingBaseUrl => f.write_str(
                "an API key is set but PAREA_BASE_URL is not: say where the logs should go, there or by `.base_url(..)`. The \
                 hosted API is \
                 https://parea-ai-backend-us-9ac16cdbc7a7b006.onporter.run/api/parea/v1, a local `parea serve` \
                 http://127.0.0.1:7273/api/parea/v1",
            ),
            Self::InvalidBaseUrl(why) => write!(
                f,
                "the base URL of PAREA_BASE_URL or `.base_url(..)` cannot be used: {why}; write it as http://127.0.0.1:7273"
            ),
            Self::InvalidApiKey => {
                f.write_str(
                    "the key of PAREA_API_KEY or `.api_key(..)` cannot be used: it has letters that no HTTP header carries",
                )
            }
            Self::InvalidSampleRate(rate) => write!(
                f,
                "the sample rate {rate} is no chance: give `sample_rate` a number from 0.0 (no trace) to 1.0 (every trace)"
            ),
            Self::Thread(error) => write!(f, "the exporter's thread cannot be started: {error}"),
        }
    }
}

/// The text of `Display`: a `main` or a test that returns the error prints this.
impl fmt::Debug for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
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
