//! Logs that were refused, kept for whoever runs the server: nobody else can send them again.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use parea_types::{Timestamp, ValidationError};
use serde::{Deserialize, Serialize};

use crate::{auth::Access, ingest::shortened, operator};

/// Bytes that are kept of one log.
const LONGEST: usize = 64 << 10;

/// The file that is written, and the one before it.
const FILES: [&str; 2] = ["refused.ndjson", "refused.old.ndjson"];

/// One log that was refused, a line of the file.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "RefusedLog")]
pub struct Refused {
    /// When.
    pub received_at: Timestamp,
    /// Uuid of the project whose key was used, where it was one project's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_uuid: Option<String>,
    /// What is wrong with it.
    pub detail: Vec<ValidationError>,
    /// The log as it was sent; what is too long lacks its middle.
    pub log: String,
}

/// The refused logs of a data folder.
#[derive(Clone, Debug)]
pub(crate) struct RefusedLogs {
    folder: Arc<Path>,
    limit: u64,
    writing: Arc<Mutex<()>>,
}

impl RefusedLogs {
    pub(crate) fn of(folder: &Path, limit: usize) -> Self {
        Self { folder: folder.into(), limit: limit as u64, writing: Arc::default() }
    }

    /// Keeps them, beside the request. That this may fail is told, and no reason to refuse more.
    pub(crate) fn keep(&self, access: &Access, logs: Vec<(Bytes, Vec<ValidationError>)>) {
        if self.limit == 0 || logs.is_empty() {
            return;
        }
        let project_uuid = access.project.as_ref().map(|own| own.uuid.clone());
        let this = self.clone();
        tokio::task::spawn_blocking(move || {
            let received_at = chrono::Utc::now().into();
            let mut lines = Vec::new();
            for (log, detail) in logs {
                let log = String::from_utf8_lossy(&log);
                let log = if log.len() > LONGEST { shortened(&log, LONGEST) } else { log.into_owned() };
                let refused = Refused { received_at, project_uuid: project_uuid.clone(), detail, log };
                if serde_json::to_writer(&mut lines, &refused).is_ok() {
                    lines.push(b'\n');
                }
            }
            if let Err(error) = this.write(&lines) {
                operator::tell(format_args!("parea: cannot keep refused logs: {error}"));
            }
        });
    }

    fn write(&self, lines: &[u8]) -> io::Result<()> {
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let [current, old] = FILES.map(|name| self.folder.join(name));
        let size = fs::metadata(&current).map_or(0, |metadata| metadata.len());
        // Two files of half the size: the older half goes as a whole.
        if size > 0 && size + lines.len() as u64 > self.limit / 2 {
            fs::rename(&current, old)?;
        }
        let mut options = File::options();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let kept = usize::try_from(self.limit / 2).unwrap_or(usize::MAX);
        // Lines that alone are too many: the first that fit.
        let end = match lines.get(..kept) {
            Some(fit) => fit.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1),
            None => lines.len(),
        };
        options.open(current)?.write_all(&lines[..end])
    }
}

/// The refused logs of a folder that this reader may see, oldest first, one JSON object a line. `project` is a uuid.
pub(crate) fn read(folder: &Path, project: Option<&str>, out: &mut Vec<u8>) -> io::Result<()> {
    for path in FILES.map(|name| folder.join(name)).iter().rev() {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            let is_seen = project.is_none()
                || serde_json::from_slice::<Refused>(line)
                    .is_ok_and(|refused| refused.project_uuid.as_deref() == project);
            if is_seen {
                out.extend_from_slice(line);
            }
        }
    }
    Ok(())
}

/// The refused logs of a folder, oldest first, one JSON object a line; a server may hold it.
pub fn refused(data: &Path) -> io::Result<Vec<u8>> {
    let data: PathBuf = data.to_owned();
    let mut out = Vec::new();
    read(&data, None, &mut out)?;
    Ok(out)
}
