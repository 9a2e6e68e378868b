//! The binary as a real process.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
};

use crate::client::Client;

pub(crate) struct Process {
    child: Child,
    url: String,
}

pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_parea"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PAREA_")) {
        command.env_remove(name);
    }
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Process {
    /// `parea serve` on a free port; returns when it says that it listens.
    pub(crate) fn serve(data: &Path) -> Self {
        Self::serve_with(data, &[])
    }

    /// The same with more arguments.
    pub(crate) fn serve_with(data: &Path, arguments: &[&str]) -> Self {
        let usual = ["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()];
        Self::started(command(&[&usual[..], arguments].concat()), data)
    }

    /// By a command that becomes `parea serve` on this folder.
    pub(crate) fn started(mut serve: Command, data: &Path) -> Self {
        let mut child = serve.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.strip_prefix("listening on ").and_then(|rest| rest.split_once(", data in "));
        let (url, folder) = url.unwrap_or_else(|| panic!("not ready: {line}{}", stderr(&mut child)));
        assert_eq!(folder.trim(), data.to_str().unwrap());
        Self { url: url.to_owned(), child }
    }

    pub(crate) fn client(&self) -> Client {
        Client::of(&self.url)
    }

    pub(crate) fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    /// Closes our end of its stderr: whatever it writes there from now on fails.
    pub(crate) fn close_stderr(&mut self) {
        self.child.stderr = None;
    }

    /// The most memory that it has held so far, in bytes.
    #[cfg(target_os = "linux")]
    pub(crate) fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for the end; the exit status and what was written to stderr.
    pub(crate) fn wait(mut self) -> (ExitStatus, String) {
        let stderr = stderr(&mut self.child);
        (self.child.wait().unwrap(), stderr)
    }
}

fn stderr(child: &mut Child) -> String {
    let mut text = String::new();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    text
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
