//! Which code is being tried.

use std::process::{Command, Stdio};

/// The commit that is checked out, and whether there are changes that it has not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) commit: Option<String>,
    pub(crate) dirty: bool,
}

/// Asks git; where there is none, or no repository, nothing is known.
pub(crate) async fn state() -> State {
    tokio::task::spawn_blocking(ask).await.unwrap_or_default()
}

fn ask() -> State {
    let Some(commit) = git(&["rev-parse", "HEAD"]) else { return State::default() };
    let dirty = git(&["status", "--porcelain", "--untracked-files=no"]).is_none_or(|changes| !changes.is_empty());
    State { commit: Some(commit), dirty }
}

fn git(arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    // A look at the tree locks nothing that the user's own git may want meanwhile.
    command.arg("--no-optional-locks").args(arguments).stdin(Stdio::null()).stderr(Stdio::null());
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
