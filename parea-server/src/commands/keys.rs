//! `parea key`: who may ask a folder's server.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Subcommand;
use parea_server::{KeyRing, KeyScope};

use super::table;
use crate::tell;

#[derive(Subcommand)]
pub(crate) enum Key {
    /// Makes a key and prints it, once: only its hash is kept
    ///
    /// A running server knows it within a second. From the first key on the folder's server demands one, on this machine
    /// too.
    ///
    /// Examples:
    ///   parea key create --project chat                       for an SDK: reads and writes that project only
    ///   parea key create --scope read --note "dashboard"      reads all projects
    ///   PAREA_API_KEY=$(parea key create --project chat) my-program
    #[command(verbatim_doc_comment)]
    Create {
        #[command(flatten)]
        folder: Folder,
        /// The one project that it is for, by name; all projects when absent
        #[arg(long, value_name = "NAME")]
        project: Option<String>,
        /// What it may do; each includes those before it
        #[arg(long, value_enum, default_value_t = Scope::Write)]
        scope: Scope,
        /// What it is for, as the list shows it
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// Lists all keys without their secrets, revoked ones too
    List {
        #[command(flatten)]
        folder: Folder,
    },
    /// Revokes a key: a running server refuses it within a second
    ///
    /// Example: parea key revoke 1f0c3a9be27d, with the id that the list shows.
    #[command(verbatim_doc_comment)]
    Revoke {
        #[command(flatten)]
        folder: Folder,
        /// Its id, or the key itself
        id: String,
    },
}

#[derive(clap::Args)]
pub(crate) struct Folder {
    /// Folder that holds everything
    #[arg(long, env = "PAREA_DATA", default_value = ".parea", value_name = "DIR")]
    pub(super) data: PathBuf,
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum Scope {
    /// Reads logs, experiments, datasets and pages
    Read,
    /// Writes them too: what an SDK needs
    Write,
    /// Reads the server's own figures and what it refused
    Admin,
}

impl From<Scope> for KeyScope {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Read => Self::Read,
            Scope::Write => Self::Write,
            Scope::Admin => Self::Admin,
        }
    }
}

impl Key {
    pub(crate) fn run(self) -> ExitCode {
        let done = match self {
            Self::Create { folder, project, scope, note } => create(&folder.data, scope.into(), project, note),
            Self::List { folder } => list(&folder.data).map(|()| true),
            Self::Revoke { folder, id } => revoke(&folder.data, &id),
        };
        match done {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                tell(format_args!("parea: {error}"));
                ExitCode::FAILURE
            }
        }
    }
}

fn create(data: &Path, scope: KeyScope, project: Option<String>, note: Option<String>) -> io::Result<bool> {
    if project.as_ref().is_some_and(String::is_empty) {
        tell(format_args!("parea: a project's name is not empty; leave --project out for all projects"));
        return Ok(false);
    }
    let (key, record) = KeyRing::open(data).create(scope, project.clone(), note)?;
    writeln!(io::stdout(), "{key}")?;
    let reach = project.map_or("all projects".to_owned(), |project| format!("the project `{project}`"));
    tell(format_args!("key {}: {scope} in {reach}. Keep it now, it is not shown again", record.id));
    Ok(true)
}

fn list(data: &Path) -> io::Result<()> {
    let heads = ["id", "scope", "project", "created", "state", "note"].map(str::to_owned).to_vec();
    let rows = KeyRing::open(data).list()?.into_iter().map(|key| {
        let state = key.revoked_at.map_or_else(|| "good".to_owned(), |at| format!("revoked {at}"));
        vec![
            key.id,
            key.scope.to_string(),
            key.project.unwrap_or_else(|| "(all)".to_owned()),
            key.created_at.to_string(),
            state,
            key.note.unwrap_or_default(),
        ]
    });
    let rows: Vec<Vec<String>> = [heads].into_iter().chain(rows).collect();
    io::stdout().write_all(table::table(&rows).as_bytes())
}

fn revoke(data: &Path, id: &str) -> io::Result<bool> {
    // Whoever has the whole key means its id.
    let id = id.strip_prefix("parea_").and_then(|rest| rest.split('_').next()).unwrap_or(id);
    let found = KeyRing::open(data).revoke(id)?;
    if found {
        tell(format_args!("key {id} is revoked"));
    } else {
        tell(format_args!("parea: there is no key {id}; `parea key list` shows them"));
    }
    Ok(found)
}
