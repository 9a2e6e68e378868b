//! Settings from flags, the environment and a file.

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use toml::de::{DeTable, DeValue};

use super::{Config, ConfigError, SETTINGS, Setting};

/// The file that is read from the data folder when no other is named.
pub const FILE: &str = "parea.toml";

/// Settings as they were given, still as texts.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file; [`FILE`] in the data folder when absent, if it is there.
    pub file: Option<PathBuf>,
    /// By the settings' names.
    pub flags: BTreeMap<String, String>,
    /// The environment.
    pub environment: BTreeMap<String, String>,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody gave one.
    Default,
    /// A line of a file, from 1.
    File(PathBuf, usize),
    /// A variable of the environment.
    Environment(String),
    /// A flag.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => f.write_str(name),
            Self::Flag(name) => write!(f, "--{name}"),
        }
    }
}

/// A configuration, and where each of its values came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// For each of [`SETTINGS`] in order.
    pub origins: Vec<Origin>,
    /// What looks like a slip and was passed over.
    pub warnings: Vec<String>,
}

/// How alike two names are that may be the same, of 1.
const ALIKE: f64 = 0.85;

impl Sources {
    /// The flags given, the environment of this process.
    pub fn new(file: Option<PathBuf>, flags: BTreeMap<String, String>) -> Self {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with("PAREA_"))
            .collect();
        Self { file, flags, environment }
    }

    /// Puts them together: a flag counts before the environment, that before the file, and the file before the
    /// default.
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        let mut given: BTreeMap<&'static str, (String, Origin)> = BTreeMap::new();
        for setting in SETTINGS {
            let variable = setting.variable();
            if let Some(value) = self.flags.get(setting.name) {
                given.insert(setting.name, (value.clone(), Origin::Flag(setting.flag())));
            } else if let Some(value) = self.environment.get(&variable).filter(|value| !value.is_empty()) {
                given.insert(setting.name, (value.clone(), Origin::Environment(variable)));
            }
        }
        let data = given.get("data").map_or_else(|| Config::default().data, |(data, _)| data.into());
        let named = self.file.clone().or_else(|| self.environment.get("PAREA_CONFIG").map(PathBuf::from));
        let own = named.is_none();
        let path = named.unwrap_or_else(|| data.join(FILE));
        for (name, value, origin) in read_file(&path, own)? {
            if name == "data" && own {
                let reason =
                    "the folder cannot be named in a file that lies in it; use --data or PAREA_DATA".to_owned();
                return Err(ConfigError::Value { name, origin, reason });
            }
            given.entry(name).or_insert((value, origin));
        }
        let mut loaded = Loaded { config: Config::default(), origins: Vec::new(), warnings: self.slips() };
        for setting in SETTINGS {
            let Some((value, origin)) = given.remove(setting.name) else {
                loaded.origins.push(Origin::Default);
                continue;
            };
            if let Err(reason) = (setting.read)(&mut loaded.config, &value) {
                return Err(ConfigError::Value { name: setting.name, origin, reason });
            }
            loaded.origins.push(origin);
        }
        Ok(loaded)
    }

    /// Variables that are nearly those of a setting.
    fn slips(&self) -> Vec<String> {
        let known: Vec<String> = SETTINGS.iter().map(Setting::variable).collect();
        let is_known = |name: &str| known.iter().any(|known| known == name) || OTHERS.contains(&name);
        let unknown = self.environment.keys().filter(|name| !is_known(name));
        unknown
            .filter_map(|name| {
                let meant = nearest(name, known.iter().map(String::as_str))?;
                Some(format!("{name} is no setting; did you mean {meant}?"))
            })
            .collect()
    }
}

/// Variables that mean something to other parts of the project.
const OTHERS: &[&str] = &["PAREA_BASE_URL", "PAREA_CONFIG", "PAREA_LOGGING", "PAREA_EVAL_LOGGING"];

fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|known| (strsim::jaro_winkler(name, known), known))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, known)| known)
}

type Entry = (&'static str, String, Origin);

/// The settings of a file with their lines. One that need not be there may be absent.
fn read_file(path: &Path, may_be_absent: bool) -> Result<Vec<Entry>, ConfigError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error)
            if may_be_absent && matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            return Ok(Vec::new());
        }
        Err(source) => return Err(ConfigError::File { path: path.to_owned(), source }),
    };
    let line = |offset: usize| 1 + text.bytes().take(offset).filter(|&byte| byte == b'\n').count();
    let table = DeTable::parse(&text).map_err(|error| ConfigError::Toml {
        path: path.to_owned(),
        line: line(error.span().map_or(0, |span| span.start)),
        reason: error.message().to_owned(),
    })?;
    let mut entries = Vec::new();
    for (key, value) in table.get_ref() {
        let name: &str = key.get_ref();
        let origin = Origin::File(path.to_owned(), line(key.span().start));
        let Some(setting) = Setting::named(&name.replace('-', "_")) else {
            let meant = nearest(name, SETTINGS.iter().map(|setting| setting.name));
            return Err(ConfigError::Unknown { name: name.to_owned(), origin, meant });
        };
        let value = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) => number.as_str().to_owned(),
            DeValue::Float(number) => number.as_str().to_owned(),
            DeValue::Boolean(truth) => truth.to_string(),
            other => {
                let reason = format!("expected one value ({}), not a {}", setting.unit, other.type_str());
                return Err(ConfigError::Value { name: setting.name, origin, reason });
            }
        };
        entries.push((setting.name, value, origin));
    }
    Ok(entries)
}
