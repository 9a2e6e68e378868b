//! The commands: those that ask a server, and those on a folder.

mod api;
mod compare;
mod datasets;
mod experiments;
mod folder;
mod keys;
mod refused;
mod row_file;
mod serve;
mod table;

use std::{
    fmt,
    io::{self, Write as _},
    process::ExitCode,
};

pub(crate) use compare::Compare;
pub(crate) use datasets::Dataset;
pub(crate) use experiments::Experiment;
pub(crate) use folder::FolderCommand;
pub(crate) use keys::Key;
pub(crate) use refused::RefusedCommand;
pub(crate) use serve::{ConfigCommand, Serve};

/// Why a command failed, in a sentence.
#[derive(Debug)]
pub(crate) struct CommandError(String);

impl CommandError {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The exit code of a command that could not do what it was asked.
const FAILED: u8 = 4;

/// Runs a command; what it prints goes to stdout, why it failed to stderr.
pub(crate) async fn run(command: impl Future<Output = Result<(String, u8), CommandError>>) -> ExitCode {
    match command.await {
        Ok((text, code)) => {
            // A reader that went away, such as `head`, has read what it wanted.
            let _ = io::stdout().write_all(text.as_bytes());
            ExitCode::from(code)
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "parea: {error}");
            ExitCode::from(FAILED)
        }
    }
}
