//! Keys: who may do what. They lie in the data folder, as hashes, so that reading the file gives nobody a key.

use std::{
    fmt, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use parea_store::private;
use parea_types::Timestamp;
use ring::{
    digest,
    rand::{SecureRandom as _, SystemRandom},
};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

/// The file's name in the data folder.
const FILE: &str = "keys.json";

/// How long the server may go by what it read last: a key that is revoked is refused from then on.
const FRESH: Duration = Duration::from_secs(1);

/// What every key begins with, so that it is known for one wherever it turns up.
const PREFIX: &str = "parea_";

/// What a key may do. Each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyScope {
    /// Reads logs, experiments, datasets and pages.
    Read,
    /// Writes them too: what an SDK needs.
    Write,
    /// Reads the server's own figures and what it refused.
    Admin,
}

impl KeyScope {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for KeyScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A key as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecord {
    /// The part of the key that may be told.
    pub id: String,
    /// What it may do.
    pub scope: KeyScope,
    /// Name of the project in which it may do that; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// SHA-256 of the whole key, in hexadecimal. The key has 256 random bits, so that no salt and no slow hash is needed.
    hash: String,
}

#[derive(Default, Serialize, Deserialize)]
struct Stored {
    keys: Vec<KeyRecord>,
}

/// The keys of a data folder, for whoever runs the server.
#[derive(Debug)]
pub struct KeyRing {
    path: PathBuf,
}

impl KeyRing {
    /// Those of this folder, which is made with the first key.
    pub fn open(data: &Path) -> Self {
        Self { path: data.join(FILE) }
    }

    /// All keys that were ever made, revoked ones too.
    pub fn list(&self) -> io::Result<Vec<KeyRecord>> {
        read(&self.path)
    }

    /// Makes a key and answers with its text, which is not stored and can never be shown again.
    pub fn create(
        &self,
        scope: KeyScope,
        project: Option<String>,
        note: Option<String>,
    ) -> io::Result<(String, KeyRecord)> {
        let (id, secret) = (random::<6>()?, random::<32>()?);
        let key = format!("{PREFIX}{id}_{secret}");
        let record = KeyRecord {
            id,
            scope,
            project,
            note,
            created_at: chrono::Utc::now().into(),
            revoked_at: None,
            hash: hash(key.as_bytes()),
        };
        if let Some(folder) = self.path.parent() {
            private::folder(folder)?;
        }
        self.change(|keys| keys.push(record.clone()))?;
        Ok((key, record))
    }

    /// Revokes a key by its id; `false` when there is none.
    pub fn revoke(&self, id: &str) -> io::Result<bool> {
        let mut found = false;
        if !self.list()?.iter().any(|key| key.id == id) {
            return Ok(false);
        }
        self.change(|keys| {
            for key in keys.iter_mut().filter(|key| key.id == id) {
                found = true;
                key.revoked_at.get_or_insert_with(|| chrono::Utc::now().into());
            }
        })?;
        Ok(found)
    }

    /// Reads, changes and writes the file while nobody else does.
    fn change(&self, change: impl FnOnce(&mut Vec<KeyRecord>)) -> io::Result<()> {
        let lock = private::file(&self.path.with_extension("lock"))?;
        lock.lock()?;
        let mut keys = read(&self.path)?;
        change(&mut keys);
        let fresh = self.path.with_extension("new");
        let mut file = private::file(&fresh)?;
        file.set_len(0)?;
        file.write_all(&serde_json::to_vec_pretty(&Stored { keys })?)?;
        file.sync_all()?;
        fs::rename(&fresh, &self.path)
    }
}

fn read(path: &Path) -> io::Result<Vec<KeyRecord>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        // Where the folder itself is none, the store says so better.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let stored: Stored = serde_json::from_slice(&bytes)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", path.display())))?;
    Ok(stored.keys)
}

fn random<const BYTES: usize>() -> io::Result<String> {
    let mut bytes = [0; BYTES];
    SystemRandom::new().fill(&mut bytes).map_err(|_| io::Error::other("the system gives no random bytes"))?;
    Ok(hexadecimal(&bytes))
}

fn hash(key: &[u8]) -> String {
    hexadecimal(digest::digest(&digest::SHA256, key).as_ref())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = fmt::Write::write_fmt(&mut text, format_args!("{byte:02x}"));
        text
    })
}

/// The keys that a running server goes by.
#[derive(Debug)]
pub(crate) struct Keys {
    path: PathBuf,
    /// Hash of the one that the configuration has.
    own: Option<String>,
    read: Mutex<Read>,
}

#[derive(Debug)]
struct Read {
    keys: Vec<KeyRecord>,
    /// The file as it was: its time and size.
    version: Option<(SystemTime, u64)>,
    at: Instant,
}

/// What a key allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    /// The key's id; nothing for the configuration's.
    pub(crate) id: Option<String>,
    pub(crate) scope: KeyScope,
    /// Name of the one project that is meant.
    pub(crate) project: Option<String>,
}

impl Keys {
    pub(crate) fn load(data: &Path, own: Option<&str>) -> io::Result<Self> {
        let path = data.join(FILE);
        let read = Read { version: version(&path), keys: read(&path)?, at: Instant::now() };
        let own = own.filter(|key| !key.is_empty()).map(|key| hash(key.as_bytes()));
        Ok(Self { path, own, read: Mutex::new(read) })
    }

    /// Whether requests must carry a key: there is one, or there was.
    pub(crate) fn are_demanded(&self) -> bool {
        self.own.is_some() || self.with(|keys| !keys.is_empty())
    }

    /// Whether some key can be used.
    pub(crate) fn any_is_good(&self) -> bool {
        self.own.is_some() || self.with(|keys| keys.iter().any(|key| key.revoked_at.is_none()))
    }

    /// What this key allows. All hashes are compared, each in the same time wherever the two begin to differ.
    pub(crate) fn grant(&self, given: &[u8]) -> Option<Grant> {
        let given = hash(given);
        let is = |hash: &str| bool::from(hash.as_bytes().ct_eq(given.as_bytes()));
        let mut grant = None;
        if self.own.as_deref().is_some_and(is) {
            grant = Some(Grant { id: None, scope: KeyScope::Admin, project: None });
        }
        self.with(|keys| {
            for key in keys {
                if is(&key.hash) && key.revoked_at.is_none() {
                    grant = Some(Grant { id: Some(key.id.clone()), scope: key.scope, project: key.project.clone() });
                }
            }
        });
        grant
    }

    fn with<T>(&self, ask: impl FnOnce(&[KeyRecord]) -> T) -> T {
        let mut known = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if known.at.elapsed() > FRESH {
            known.at = Instant::now();
            let version = version(&self.path);
            if version != known.version {
                match read(&self.path) {
                    Ok(keys) => {
                        known.keys = keys;
                        known.version = version;
                    }
                    // What was known still counts; the next look may do better.
                    Err(error) => crate::operator::tell(format_args!("parea: cannot read the keys: {error}")),
                }
            }
        }
        ask(&known.keys)
    }
}

fn version(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
