//! All settings. A new one is a row here and a field of [`Config`].

use std::{collections::BTreeMap, path::PathBuf};

use super::{Config, LogFormat, unit};

/// One setting.
pub struct Setting {
    /// Its name in the file; with hyphens it is the flag, in capitals behind `PAREA_` the environment's.
    pub name: &'static str,
    /// What it is for, in a sentence without an end.
    pub about: &'static str,
    /// In what it is measured, or what kind of value it is.
    pub unit: &'static str,
    /// Whether its value is never shown.
    pub secret: bool,
    pub(super) read: fn(&mut Config, &str) -> Result<(), String>,
    pub(super) show: fn(&Config) -> String,
}

impl Setting {
    /// Its flag, without the hyphens in front.
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    /// Its name in the environment.
    pub fn variable(&self) -> String {
        format!("PAREA_{}", self.name.to_ascii_uppercase())
    }

    /// Its value in this configuration, as the file would have it; empty where there is none.
    pub fn value(&self, config: &Config) -> String {
        let value = (self.show)(config);
        if self.secret && !value.is_empty() { "(set)".to_owned() } else { value }
    }

    /// Whether it is on or off, so that its flag needs no value.
    pub fn is_switch(&self) -> bool {
        self.unit == SWITCH
    }

    /// The setting of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.name == name)
    }
}

const SWITCH: &str = "true or false";

const FOREVER: &str = "forever";

/// A row whose value is `$config.$name`.
macro_rules! setting {
    ($name:ident, $unit:expr, $about:literal, $read:expr, $show:expr) => {
        Setting {
            name: stringify!($name),
            about: $about,
            unit: $unit,
            secret: false,
            read: |config, text| {
                config.$name = $read(text)?;
                Ok(())
            },
            show: |config| $show(&config.$name),
        }
    };
}

/// At least that much.
fn least<T: PartialOrd + Copy>(value: T, least: T, said: &str) -> Result<T, String> {
    if value < least { Err(format!("must be at least {said}")) } else { Ok(value) }
}

/// A time to be kept; `forever`, or nothing, for no end.
fn lasting(text: &str) -> Result<Option<std::time::Duration>, String> {
    match text.trim() {
        "" | FOREVER => Ok(None),
        text => least(unit::time(text)?, std::time::Duration::from_secs(60), "1 min").map(Some),
    }
}

fn spelled_lasting(time: Option<std::time::Duration>) -> String {
    time.map_or_else(String::new, unit::spelled_time)
}

/// `demo=7 d, audit=forever`. A name may hold any sign but a comma.
fn projects(text: &str) -> Result<BTreeMap<String, Option<std::time::Duration>>, String> {
    let entries = text.split(',').filter(|entry| !entry.trim().is_empty()).map(|entry| {
        let (name, time) = entry
            .rsplit_once('=')
            .map(|(name, time)| (name.trim(), time.trim()))
            .filter(|(name, time)| !name.is_empty() && !time.is_empty())
            .ok_or_else(|| {
                format!("`{}` is no project with a time, such as `demo=7 d` or `audit=forever`", entry.trim())
            })?;
        Ok((name.to_owned(), lasting(time)?))
    });
    entries.collect()
}

fn spelled_projects(projects: &BTreeMap<String, Option<std::time::Duration>>) -> String {
    let entry = |(name, time): (&String, &Option<std::time::Duration>)| {
        format!("{name}={}", time.map_or_else(|| FOREVER.to_owned(), unit::spelled_time))
    };
    projects.iter().map(entry).collect::<Vec<_>>().join(", ")
}

/// All settings, in the order in which they are shown.
pub const SETTINGS: &[Setting] = &[
    setting!(
        listen,
        "address:port",
        "Where to listen; port 0 takes a free one. Beyond this machine a key is demanded",
        |text: &str| text
            .trim()
            .parse()
            .map_err(|_| format!("`{text}` is no address with a port, such as `127.0.0.1:7273`")),
        |listen: &std::net::SocketAddr| listen.to_string()
    ),
    setting!(
        data,
        "folder",
        "Folder that holds everything; made when absent",
        |text: &str| if text.is_empty() { Err("must not be empty".to_owned()) } else { Ok(PathBuf::from(text)) },
        |data: &PathBuf| data.display().to_string()
    ),
    Setting {
        name: "api_key",
        about: "Key that may do everything, beside those of `parea key`; requests carry it in `x-api-key`",
        unit: "text",
        secret: true,
        read: |config, text| {
            config.api_key = Some(text.to_owned()).filter(|text| !text.is_empty());
            Ok(())
        },
        show: |config| config.api_key.clone().unwrap_or_default(),
    },
    setting!(
        body_limit,
        "bytes",
        "Largest request body, as it comes; beyond it the answer is 413",
        |text: &str| least(unit::bytes(text)?, 1 << 10, "1 KiB"),
        |bytes: &usize| unit::spelled_bytes(*bytes)
    ),
    setting!(
        plain_limit,
        "bytes",
        "Largest request body once it is decompressed; beyond it the answer is 413",
        |text: &str| least(unit::bytes(text)?, 1 << 10, "1 KiB"),
        |bytes: &usize| unit::spelled_bytes(*bytes)
    ),
    setting!(
        body_memory,
        "bytes",
        "What the bodies of requests under way may have together; others wait, at most `request_time`",
        |text: &str| least(unit::bytes(text)?, 1 << 20, "1 MiB"),
        |bytes: &usize| unit::spelled_bytes(*bytes)
    ),
    setting!(
        json_depth,
        "levels",
        "Deepest nesting of JSON that is read, 127 at most; deeper is 422",
        |text: &str| match unit::count(text)? {
            depth @ 8..=127 => Ok(depth),
            _ => Err("must be between 8 and 127".to_owned()),
        },
        |depth: &usize| depth.to_string()
    ),
    setting!(
        text_limit,
        "bytes",
        "Longest text in a log; a longer one keeps its beginning and its end, with a mark between",
        |text: &str| least(unit::bytes(text)?, 1 << 10, "1 KiB"),
        |bytes: &usize| unit::spelled_bytes(*bytes)
    ),
    setting!(
        request_time,
        "time",
        "How long a request may take until its answer begins; then the answer is 503",
        |text: &str| least(unit::time(text)?, std::time::Duration::from_secs(1), "1 s"),
        |time: &std::time::Duration| unit::spelled_time(*time)
    ),
    setting!(
        requests,
        "requests",
        "Requests that are worked on at once; others wait, at most `request_time`",
        |text: &str| least(unit::count(text)?, 1, "1"),
        |count: &usize| count.to_string()
    ),
    setting!(
        connections,
        "connections",
        "Connections at once; others wait to be accepted",
        |text: &str| least(unit::count(text)?, 1, "1"),
        |count: &usize| count.to_string()
    ),
    setting!(
        head_limit,
        "bytes",
        "Largest head of a request, at least 8 KiB; beyond it the answer is 431",
        |text: &str| least(unit::bytes(text)?, 8 << 10, "8 KiB"),
        |bytes: &usize| unit::spelled_bytes(*bytes)
    ),
    setting!(
        head_time,
        "time",
        "How long a client may take to send the head of a request",
        |text: &str| least(unit::time(text)?, std::time::Duration::from_secs(1), "1 s"),
        |time: &std::time::Duration| unit::spelled_time(*time)
    ),
    setting!(
        stop_time,
        "time",
        "How long requests under way may take after the server was told to stop",
        unit::time,
        |time: &std::time::Duration| unit::spelled_time(*time)
    ),
    setting!(
        keep,
        "time",
        "Traces that started longer ago go, but those of experiments and those with feedback, comments or annotations",
        |text: &str| lasting(text),
        |time: &Option<std::time::Duration>| spelled_lasting(*time)
    ),
    setting!(
        keep_project,
        "name=time, …",
        "Projects with a time of their own, such as `demo=7 d, audit=forever`",
        projects,
        spelled_projects
    ),
    setting!(
        keep_size,
        "bytes",
        "What the database may use on disk; beyond it the oldest traces go, however young",
        |text: &str| match text.trim() {
            "" | "any" => Ok(None),
            text => least(unit::bytes(text)?, 1 << 20, "1 MiB").map(|bytes| Some(bytes as u64)),
        },
        |bytes: &Option<u64>| bytes.map_or_else(String::new, |bytes| unit::spelled_bytes(bytes as usize))
    ),
    setting!(
        refused_limit,
        "bytes",
        "How much of the logs that were refused is kept; the oldest go",
        unit::bytes,
        |bytes: &usize| unit::spelled_bytes(*bytes)
    ),
    setting!(
        tls_cert,
        "file",
        "Certificate chain in PEM; with it and its key the server speaks TLS",
        |text: &str| Ok::<_, String>(Some(PathBuf::from(text)).filter(|_| !text.is_empty())),
        |file: &Option<PathBuf>| file.as_ref().map_or_else(String::new, |file| file.display().to_string())
    ),
    setting!(
        tls_key,
        "file",
        "Private key of the certificate, in PEM; both files are read anew when they change",
        |text: &str| Ok::<_, String>(Some(PathBuf::from(text)).filter(|_| !text.is_empty())),
        |file: &Option<PathBuf>| file.as_ref().map_or_else(String::new, |file| file.display().to_string())
    ),
    setting!(
        log_format,
        "text or json",
        "Form of what is told on stderr",
        |text: &str| match text.trim() {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            other => Err(format!("`{other}` is neither `text` nor `json`")),
        },
        |format: &LogFormat| match format {
            LogFormat::Text => "text".to_owned(),
            LogFormat::Json => "json".to_owned(),
        }
    ),
    setting!(verbose, SWITCH, "Note each request on stderr", unit::switch, |verbose: &bool| verbose.to_string()),
];
