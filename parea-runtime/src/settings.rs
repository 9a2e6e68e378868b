//! What the environment and the builder say, in one place.

use std::{env, fmt, path::PathBuf, sync::OnceLock, time::Duration};

use crate::{redact::Redactor, sampling::Sampler};

/// Where `parea serve` listens unless told otherwise.
#[cfg(feature = "http")]
pub(crate) const LOCAL_SERVER: &str = "http://127.0.0.1:7273";

/// The data folder of `parea serve` unless told otherwise.
pub(crate) const LOCAL_FOLDER: &str = ".parea";

/// A text that is shown to nobody: a builder or a guard that is an argument of a traced function is captured.
#[derive(Clone)]
pub(crate) struct Secret(
    #[cfg_attr(not(feature = "http"), expect(dead_code, reason = "only a server is told the key"))] pub(crate) String,
);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) project: String,
    pub(crate) api_key: Option<Secret>,
    pub(crate) base_url: Option<String>,
    pub(crate) deadline: Duration,
    pub(crate) queue_bytes: usize,
    pub(crate) folder: PathBuf,
    pub(crate) spool_bytes: u64,
    /// Every log is on disk before the call returns.
    pub(crate) durable: bool,
    pub(crate) flush_on_signals: bool,
    pub(crate) redactor: Redactor,
    pub(crate) sampler: Option<Sampler>,
    /// Nothing is recorded.
    pub(crate) off: bool,
    /// Logs are dropped and counted as delivered.
    pub(crate) discard: Option<Discard>,
}

impl Settings {
    /// Variables that are set but empty count as not set.
    pub(crate) fn from_env() -> Self {
        let variable = |name| env::var(name).ok().filter(|value| !value.trim().is_empty());
        Self {
            project: "default".to_owned(),
            api_key: variable("PAREA_API_KEY").map(Secret),
            base_url: variable("PAREA_BASE_URL"),
            deadline: Duration::from_secs(5),
            queue_bytes: 64 * 1024 * 1024,
            folder: PathBuf::from(LOCAL_FOLDER),
            spool_bytes: 512 * 1024 * 1024,
            durable: false,
            flush_on_signals: false,
            redactor: Redactor::default(),
            sampler: None,
            off: variable("TURN_OFF_PAREA_LOGGING").is_some_and(|value| is_true(&value)),
            discard: None,
        }
    }
}

/// A URL as it may be shown: what stands in it before an `@`, or in its query, may be a password.
pub(crate) fn without_secrets(url: &str) -> String {
    let (url, query) = url.split_once('?').map_or((url, ""), |(url, _)| (url, "?…"));
    let host = url.find("://").map_or(0, |at| at + 3);
    let path = url[host..].find('/').map_or(url.len(), |at| host + at);
    match url[host..path].rfind('@') {
        Some(at) => format!("{}…{}{query}", &url[..host], &url[host + at..]),
        None => format!("{url}{query}"),
    }
}

/// Whether evaluations run without spans of their own, and what they call without any.
pub(crate) fn evaluations_are_untraced() -> bool {
    static UNTRACED: OnceLock<bool> = OnceLock::new();
    *UNTRACED.get_or_init(|| env::var("TURN_OFF_PAREA_EVAL_LOGGING").is_ok_and(|value| is_true(&value)))
}

/// The words that the Python SDK takes for yes.
fn is_true(value: &str) -> bool {
    ["yes", "true", "t", "1"].contains(&value.trim().to_ascii_lowercase().as_str())
}

/// Where logs end that go nowhere: for measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Discard {
    /// As the threads left them.
    Records,
    /// As they would be sent.
    Lines,
}
