//! What a server is to do: one table of settings, each with a name, a unit and a default, from wherever they come.
//!
//! A setting is given by a flag (`--body-limit`), in the environment (`PAREA_BODY_LIMIT`) or in a file (`body_limit`);
//! the first of these that has it counts.

mod error;
mod load;
mod show;
mod table;
mod unit;

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use parea_store::Retention;

pub use error::ConfigError;
pub use load::{FILE, Loaded, Origin, Sources};
pub use table::{SETTINGS, Setting};

/// Form of what is told on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What a server is to do. Start from [`Config::default`].
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen; port 0 takes any free one. Default: 127.0.0.1:7273.
    pub listen: SocketAddr,
    /// The folder that holds everything, made when absent. Default: `.parea`.
    pub data: PathBuf,
    /// A key that may do everything, beside those of `parea key`. Default: none.
    pub api_key: Option<String>,
    /// Largest request body in bytes, as it comes. Default: 32 MiB.
    pub body_limit: usize,
    /// Largest request body in bytes once it is decompressed. Default: 32 MiB.
    pub plain_limit: usize,
    /// Bytes that the bodies of all requests under way may have together; others wait for their turn. Default: 512 MiB.
    pub body_memory: usize,
    /// Deepest nesting of JSON that is read, 127 at most. Default: 127.
    pub json_depth: usize,
    /// Longest text of a log, in bytes; what is longer loses its middle. Default: 1 MiB.
    pub text_limit: usize,
    /// How long a request may take until its answer begins. Default: 120 s.
    pub request_time: Duration,
    /// Requests that are worked on at once; others wait for their turn. Default: 512.
    pub requests: usize,
    /// Connections at once; others wait to be accepted. Default: 4096.
    pub connections: usize,
    /// Largest head of a request in bytes, at least 8 KiB. Default: 64 KiB.
    pub head_limit: usize,
    /// How long a client may take to send the head of a request. Default: 30 s.
    pub head_time: Duration,
    /// How long requests under way may take after the server was told to stop. Default: 10 s.
    pub stop_time: Duration,
    /// Traces that started longer ago go, unless someone may come back to them. Default: they stay.
    pub keep: Option<Duration>,
    /// Projects with a time of their own; `None` for those that stay for ever. Default: none.
    pub keep_project: BTreeMap<String, Option<Duration>>,
    /// Bytes that the database may use before the oldest traces go. Default: any number.
    pub keep_size: Option<u64>,
    /// Bytes of refused logs that are kept for whoever runs the server. Default: 16 MiB.
    pub refused_limit: usize,
    /// File with the certificate chain, in PEM: the server then speaks TLS. Default: none.
    pub tls_cert: Option<PathBuf>,
    /// File with its private key, in PEM. Default: none.
    pub tls_key: Option<PathBuf>,
    /// Form of what is told on stderr. Default: text.
    pub log_format: LogFormat,
    /// Notes each request on stderr. Default: no.
    pub verbose: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 7273)),
            data: PathBuf::from(".parea"),
            api_key: None,
            body_limit: 32 << 20,
            plain_limit: 32 << 20,
            body_memory: 512 << 20,
            json_depth: 127,
            text_limit: 1 << 20,
            request_time: Duration::from_secs(120),
            requests: 512,
            connections: 4096,
            head_limit: 64 << 10,
            head_time: Duration::from_secs(30),
            stop_time: Duration::from_secs(10),
            keep: None,
            keep_project: BTreeMap::new(),
            keep_size: None,
            refused_limit: 16 << 20,
            tls_cert: None,
            tls_key: None,
            log_format: LogFormat::Text,
            verbose: false,
        }
    }
}

impl Config {
    /// How long logs are kept.
    pub fn retention(&self) -> Retention {
        Retention { age: self.keep, projects: self.keep_project.clone(), size: self.keep_size }
    }
}
