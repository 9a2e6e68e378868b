//! The server's process: started, watched, ended.

use std::{
    env, fs,
    io::{self, BufRead, BufReader, Read},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::http::Connection;
use crate::step::Failure;

/// How long a server may take to say where it listens.
const START: Duration = Duration::from_secs(60);

/// How long its work in the background may take.
const SETTLE: Duration = Duration::from_secs(120);

/// Clock ticks of `/proc` in a second, on every Linux that there is.
const TICKS: f64 = 100.0;

/// A folder for the data, gone with this unless it was asked for.
pub(super) struct Folder {
    path: PathBuf,
    is_kept: bool,
}

impl Folder {
    pub(super) fn make(keep: Option<PathBuf>) -> Result<Self, Failure> {
        let is_kept = keep.is_some();
        let path = keep.unwrap_or_else(|| env::temp_dir().join(format!("parea-load-{}", std::process::id())));
        let fail = |source| Failure::Start { command: format!("mkdir {}", path.display()), source };
        fs::create_dir_all(&path).map_err(fail)?;
        if fs::read_dir(&path).map_err(fail)?.next().is_some() {
            return Err(Failure::Usage(format!("{} is not empty", path.display())));
        }
        Ok(Self { path, is_kept })
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.is_kept {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Bytes of all files in a folder.
pub(super) fn size_of(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|meta| meta.len()).sum()
}

pub(super) fn size_of_file(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |meta| meta.len())
}

/// How long a command on a folder takes.
pub(super) fn timed(bin: &Path, arguments: &[String], data: &Path) -> Result<Duration, Failure> {
    let begun = Instant::now();
    let mut command = Command::new(bin);
    command.args(arguments).arg("--data").arg(data).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    alone(&mut command);
    let name = format!("{} {}", bin.display(), arguments.join(" "));
    let status = command.status().map_err(|source| Failure::Start { command: name.clone(), source })?;
    if status.success() { Ok(begun.elapsed()) } else { Err(Failure::Exit { command: name, status }) }
}

/// Keeps the settings of whoever runs this out.
fn alone(command: &mut Command) {
    for (variable, _) in env::vars_os() {
        if variable.to_str().is_some_and(|variable| variable.starts_with("PAREA_")) {
            command.env_remove(variable);
        }
    }
}

/// A server that answers. It is killed when this is dropped.
pub(super) struct Served {
    child: Child,
    pub(super) address: SocketAddr,
    /// From the start of the process to its first answer.
    pub(super) ready: Duration,
}

impl Served {
    pub(super) fn start(bin: &Path, data: &Path) -> Result<Self, Failure> {
        let name = format!("{} serve", bin.display());
        let fail = |source| Failure::Start { command: name.clone(), source };
        let begun = Instant::now();
        let mut command = Command::new(bin);
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data);
        alone(&mut command);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(fail)?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output.take(4096)).read_line(&mut line).map_err(fail)?;
        }
        let address = line.split("http://").nth(1).and_then(|rest| rest.split([',', '/', ' ']).next()?.parse().ok());
        let Some(address) = address else {
            let _ = child.kill();
            let _ = child.wait();
            return Err(Failure::Empty(format!("`{name}` did not say where it listens, but: {line}")));
        };
        let mut served = Self { child, address, ready: Duration::ZERO };
        while let Err(error) = Connection::open(address).and_then(|mut connection| connection.get("/")) {
            if begun.elapsed() > START {
                return Err(fail(error));
            }
            thread::sleep(Duration::from_millis(1));
        }
        served.ready = begun.elapsed();
        Ok(served)
    }

    pub(super) fn connect(&self) -> Result<Connection, Failure> {
        Connection::open(self.address).map_err(broken)
    }

    /// Seconds of CPU that the process has used.
    pub(super) fn cpu(&self) -> f64 {
        let Ok(stat) = fs::read_to_string(format!("/proc/{}/stat", self.child.id())) else { return f64::NAN };
        // What follows the name, which may hold anything.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or(f64::NAN);
        (ticks(11) + ticks(12)) / TICKS
    }

    /// Bytes of memory that it holds.
    pub(super) fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() * 1024
    }

    /// The longest that work of the background has held the writer, by the server's own figures.
    pub(super) fn longest_hold(&self) -> Result<Duration, Failure> {
        let text = self.connect()?.get("/metrics").map_err(broken)?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let line = text.lines().find_map(|line| line.strip_prefix("parea_writer_background_longest_seconds "));
        let seconds = line.and_then(|seconds| seconds.trim().parse().ok());
        seconds.map(Duration::from_secs_f64).ok_or_else(|| Failure::Empty("no such figure in /metrics".to_owned()))
    }

    /// Waits until it has nothing more to do.
    pub(super) fn settle(&self) {
        let begun = Instant::now();
        let mut before = self.cpu();
        while begun.elapsed() < SETTLE {
            thread::sleep(Duration::from_secs(1));
            let now = self.cpu();
            if now.is_nan() || now - before < 0.02 {
                return;
            }
            before = now;
        }
    }

    /// Ends it at once, as a crash would.
    pub(super) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Has it end by itself.
    pub(super) fn stop(mut self) -> Result<(), Failure> {
        crate::step::run("stop", &mut crate::step::program("kill", &format!("-TERM {}", self.child.id())))?;
        let begun = Instant::now();
        while begun.elapsed() < START {
            if let Ok(Some(_)) = self.child.try_wait() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Err(Failure::Empty("the server did not stop".to_owned()))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A conversation with the server that failed.
pub(super) fn broken(source: io::Error) -> Failure {
    Failure::Start { command: "requests to the server".to_owned(), source }
}
