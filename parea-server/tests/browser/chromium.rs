//! A headless Chromium with a profile of its own.

use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStderr, Command, Stdio},
    thread,
};

use crate::{devtools::Connection, find};

/// A browser that ends with its owner.
pub(crate) struct Chromium {
    process: Child,
    _profile: tempfile::TempDir,
    pub(crate) connection: Connection,
}

impl Chromium {
    pub(crate) fn start() -> Self {
        let program = find::chromium().expect(
            "this test needs Chromium: `cargo xtask test` installs it, or so does `apt-get install chromium` (dnf, pacman, \
             brew alike); CHROME names one that is not on the PATH",
        );
        let profile = tempfile::tempdir().unwrap();
        let mut process = Command::new(&program)
            // Root has no sandbox, and a container's /dev/shm is small; the pages are our own.
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--remote-debugging-port=0",
            ])
            // Nothing but the server under test is spoken to.
            .args(["--no-proxy-server", "--disable-quic", "--disable-background-networking", "--disable-sync"])
            .args([
                "--disable-component-update",
                "--disable-default-apps",
                "--no-first-run",
                "--metrics-recording-only",
            ])
            .args(["--lang=en-US", "--force-color-profile=srgb"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", program.display()));
        let address = address(process.stderr.take().unwrap()).unwrap_or_else(|said| {
            let _ = process.kill();
            panic!("{} did not offer its DevTools:\n{said}", program.display())
        });
        Self { connection: Connection::open(&address), process, _profile: profile }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // Asked first, so that its helpers are gone before the profile is removed; then made to, if it did not hear.
        if !self.connection.close_browser() {
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
    }
}

/// Where a browser that is starting says that its DevTools are, or what it says instead.
fn address(stderr: ChildStderr) -> Result<String, String> {
    let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
    let mut said = String::new();
    for line in &mut lines {
        if let Some(address) = line.strip_prefix("DevTools listening on ") {
            let address = address.trim().to_owned();
            // A full pipe would stop the browser.
            thread::spawn(move || lines.for_each(drop));
            return Ok(address);
        }
        said.push_str(&line);
        said.push('\n');
    }
    Err(said)
}
