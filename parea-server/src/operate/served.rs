//! Asking the server that holds a folder, through a socket that lies in it: whoever may read the folder may do so.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use parea_store::{Erasure, Retained, Retention};
use parea_types::ErrorBody;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::OperateError;

/// The socket's name in the data folder.
pub(crate) const SOCKET: &str = "parea.sock";

/// Where logs are taken in; everything else goes to `/`.
pub(crate) const IMPORT: &str = "/import";

/// What a server can be asked for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Demand {
    /// All logs of a trace, a user or a project.
    EraseTrace(String),
    EraseUser(String),
    EraseProject(String),
    /// A copy into a file that does not exist yet.
    Backup {
        to: PathBuf,
    },
    /// One round of retention.
    Retain {
        age: Option<Duration>,
        projects: BTreeMap<String, Option<Duration>>,
        size: Option<u64>,
    },
}

/// What came of it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Done {
    pub(crate) logs: u64,
    pub(crate) gone: BTreeMap<String, (u64, u64)>,
    pub(crate) kept: u64,
    pub(crate) longest: Duration,
}

impl Demand {
    pub(super) fn erase(what: &Erasure) -> Self {
        match what {
            Erasure::User(name) => Self::EraseUser(name.clone()),
            Erasure::Project(name) => Self::EraseProject(name.clone()),
            Erasure::Trace(id) => Self::EraseTrace(id.clone()),
        }
    }

    pub(super) fn retain(rules: &Retention) -> Self {
        let Retention { age, projects, size } = rules.clone();
        Self::Retain { age, projects, size }
    }
}

impl Done {
    pub(super) fn retained(self) -> Retained {
        Retained { gone: self.gone, kept: self.kept, longest: self.longest }
    }
}

impl From<Retained> for Done {
    fn from(Retained { gone, kept, longest }: Retained) -> Self {
        Self { logs: 0, gone, kept, longest }
    }
}

/// A server that holds a folder.
pub(super) struct Server {
    #[cfg(unix)]
    sender: tokio::sync::Mutex<hyper::client::conn::http1::SendRequest<axum::body::Body>>,
}

impl Server {
    /// The one that holds this folder; `None` where none answers.
    #[cfg(unix)]
    pub(super) async fn of(data: &Path) -> Option<Self> {
        let stream = tokio::net::UnixStream::connect(data.join(SOCKET)).await.ok()?;
        let io = hyper_util::rt::TokioIo::new(stream);
        let (sender, connection) = hyper::client::conn::http1::handshake(io).await.ok()?;
        // Its end is seen by the requests.
        tokio::spawn(async move {
            let _ = connection.await;
        });
        Some(Self { sender: tokio::sync::Mutex::new(sender) })
    }

    #[cfg(not(unix))]
    pub(super) async fn of(_: &Path) -> Option<Self> {
        None
    }

    pub(super) async fn ask(&self, demand: &Demand) -> Result<Done, OperateError> {
        self.post("/", serde_json::to_vec(demand).map_err(std::io::Error::from)?).await
    }

    #[cfg(unix)]
    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str, body: Vec<u8>) -> Result<T, OperateError> {
        use http_body_util::BodyExt as _;

        let gone = |error: &dyn std::fmt::Display| OperateError::Served(format!("nothing, for it is gone ({error})"));
        let request = hyper::Request::post(path)
            .header("host", "localhost")
            .header("content-type", "application/json")
            .body(axum::body::Body::from(body))
            .map_err(|error| gone(&error))?;
        let mut sender = self.sender.lock().await;
        sender.ready().await.map_err(|error| gone(&error))?;
        let response = sender.send_request(request).await.map_err(|error| gone(&error))?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(|error| gone(&error))?.to_bytes();
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|error| gone(&error));
        }
        let said = serde_json::from_slice::<ErrorBody>(&body).map(|body| body.to_string());
        Err(OperateError::Served(said.unwrap_or_else(|_| String::from_utf8_lossy(&body).into_owned())))
    }

    #[cfg(not(unix))]
    pub(super) async fn post<T: DeserializeOwned>(&self, _: &str, _: Vec<u8>) -> Result<T, OperateError> {
        Err(OperateError::Served("nothing: it can be asked on Unix alone".to_owned()))
    }
}
