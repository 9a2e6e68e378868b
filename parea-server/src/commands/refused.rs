//! `parea refused`: the logs that a folder's server refused.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use super::keys::Folder;
use crate::tell;

#[derive(clap::Args)]
pub(crate) struct RefusedCommand {
    #[command(flatten)]
    folder: Folder,
}

impl RefusedCommand {
    pub(crate) fn run(self) -> ExitCode {
        match parea_server::refused(&self.folder.data) {
            Ok(lines) => {
                // A reader that went away, such as `head`, has read what it wanted.
                let _ = io::stdout().write_all(&lines);
                ExitCode::SUCCESS
            }
            Err(error) => {
                tell(format_args!("parea: {error}"));
                ExitCode::FAILURE
            }
        }
    }
}
