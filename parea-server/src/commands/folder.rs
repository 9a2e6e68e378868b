//! The commands on a folder: what a server would need to be asked for is asked of the one that holds the folder.

use std::{
    io::{self},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Subcommand, ValueEnum};
use parea_server::operate::{self, Erasure, Exported, OperateError, Recast, Retained};

use super::{
    keys::Folder,
    serve::{Given, misused},
    table::count,
};
use crate::tell;

#[derive(Subcommand)]
pub(crate) enum FolderCommand {
    /// Writes all logs to stdout or into files; a server may be running on the folder
    ///
    /// To stdout it says on stderr how far it came: given as `--after`, the next export goes on from there. With `--to` it
    /// may be broken off at any moment and done again: it goes on where it was. What is written is taken in by `parea
    /// import`; each line of JSON can be posted to a server, and any tool for Parquet reads the tables.
    ///
    /// Examples:
    ///   parea export > logs.jsonl
    ///   parea export --to logs.jsonl
    ///   parea export --format parquet --to tables/       one file for each 65,536 logs; later, what came since
    ///
    /// Where the file is damaged, what can still be read is written, and the rest is named on stderr.
    ///
    /// Exit codes: 0 all logs are written, 1 why not is on stderr.
    #[command(verbatim_doc_comment)]
    Export {
        #[command(flatten)]
        folder: Folder,
        /// What to write
        #[arg(long, value_enum, default_value_t = Form::Jsonl)]
        format: Form,
        /// File for JSON lines, folder for Parquet; stdout when absent
        #[arg(long, value_name = "PATH")]
        to: Option<PathBuf>,
        /// Begin behind this place, which an earlier export to stdout told
        #[arg(long, default_value_t = 0, value_name = "PLACE", conflicts_with = "to")]
        after: u64,
    },
    /// Takes in logs from JSON lines or Parquet; a server that runs on the folder takes them in itself
    ///
    /// What is there already stays as it is, and what was erased stays away. An import of a file that broke off goes on
    /// where it was when it is done again.
    ///
    /// Exit codes: 0 all logs were taken, 1 some were refused, or the folder cannot be used.
    #[command(verbatim_doc_comment)]
    Import {
        #[command(flatten)]
        folder: Folder,
        /// A file of JSON lines or Parquet, or a folder with such; JSON lines from stdin when absent
        file: Option<PathBuf>,
    },
    /// Copies everything, as it is when the copy is done, into a new file; a server may be running on the folder
    ///
    /// To restore, put the copy as `parea.db` into an empty folder.
    #[command(verbatim_doc_comment)]
    Backup {
        #[command(flatten)]
        folder: Folder,
        /// The file to write, which must not exist
        file: PathBuf,
    },
    /// Erases logs for good; a server that runs on the folder does it while it goes on
    ///
    /// Nothing of them is left in the folder when this ends but hashes of their ids: clients that still have copies cannot
    /// bring them back. Backups and exports are not reached. If it is broken off, do it again.
    #[command(verbatim_doc_comment)]
    Erase {
        #[command(flatten)]
        folder: Folder,
        #[command(flatten)]
        what: What,
    },
    /// Lets go of logs that are older than the settings `keep`, `keep_project` and `keep_size` say
    ///
    /// `parea serve` does so by itself every ten minutes. Traces go as a whole, by their start; those of experiments stay,
    /// and those that people annotated, commented or gave feedback on. What went is forgotten rather than erased: it may
    /// come again, and its bytes are overwritten in time.
    ///
    /// Examples:
    ///   parea retain --dry-run                           what would go by the settings as they are
    ///   parea retain --keep "30 d" --keep-project "demo=7 d, audit=forever" --keep-size "20 GiB" --dry-run
    ///
    /// Exit codes: 0 done, 1 why not is on stderr, 2 wrong settings.
    #[command(verbatim_doc_comment)]
    Retain {
        #[command(flatten)]
        settings: Given,
        /// Say what would go, and leave it
        #[arg(long)]
        dry_run: bool,
    },
    /// Checks a folder beyond the database's own check; a server may be running on it
    ///
    /// What follows from the logs (sums, indexes, words) is made anew by `--repair`. Where the file itself is damaged a
    /// backup is best; without one `--salvage` writes all that can still be read into a new file, says what could not,
    /// and keeps the damaged file as `parea.db.damaged`. Remove that when it is no longer of use: `parea erase` does not
    /// reach it.
    ///
    /// Exit codes: 0 all is well, 1 faults were found, something was lost, or the folder cannot be used.
    #[command(verbatim_doc_comment)]
    Doctor {
        #[command(flatten)]
        folder: Folder,
        /// Make anew what follows from the logs (sums, indexes, words); the server must be stopped
        #[arg(long)]
        repair: bool,
        /// Keep what can still be read of a damaged file, and let the rest go; the server must be stopped
        #[arg(long, conflicts_with = "repair")]
        salvage: bool,
    },
}

/// A format as it is named on the command line.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Form {
    /// One JSON object a line
    Jsonl,
    /// A row each, with a column for every field
    Parquet,
}

impl From<Form> for operate::Format {
    fn from(form: Form) -> Self {
        match form {
            Form::Jsonl => Self::Jsonl,
            Form::Parquet => Self::Parquet,
        }
    }
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct What {
    /// The whole trace that has a log of this id
    #[arg(long, value_name = "ID")]
    trace: Option<String>,
    /// All traces in which a log names this end user
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// All logs and runs of a project
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
}

impl What {
    /// `None` where nothing was named, which the group does not let pass.
    fn erasure(self) -> Option<Erasure> {
        let Self { trace, user, project } = self;
        let trace = trace.map(Erasure::Trace);
        trace.or(user.map(Erasure::User)).or(project.map(Erasure::Project))
    }
}

impl FolderCommand {
    pub(crate) async fn run(self) -> ExitCode {
        let done = match self {
            Self::Export { folder, format, to, after } => export(folder, format.into(), to, after),
            Self::Import { folder, file } => import(folder, file).await,
            Self::Backup { folder, file } => operate::backup(&folder.data, &file).await.map(|()| {
                tell(format_args!("copied to {}", file.display()));
                true
            }),
            Self::Erase { folder, what } => erase(folder, what).await,
            Self::Retain { settings, dry_run } => {
                let config = match settings.load() {
                    Ok(loaded) => loaded.config,
                    Err(error) => return misused(&error),
                };
                retain(&config, dry_run).await
            }
            Self::Doctor { folder, repair: false, salvage: true } => salvage(&folder),
            Self::Doctor { folder, repair, .. } => doctor(&folder, repair),
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

fn export(folder: Folder, format: operate::Format, to: Option<PathBuf>, after: u64) -> Result<bool, OperateError> {
    let Folder { data } = folder;
    if let Some(to) = to {
        let Exported { logs, unread, .. } = operate::export_to(&data, &to, format)?;
        tell(format_args!("{} in {}", count(logs, "log"), to.display()));
        return Ok(is_whole(unread));
    }
    let mut out = io::BufWriter::new(io::stdout());
    let Exported { logs, last, unread } = operate::export(&data, after, format, &mut out)?;
    io::Write::flush(&mut out)?;
    tell(format_args!("{}; `--after {last}` goes on from here", count(logs, "log")));
    Ok(is_whole(unread))
}

/// Whether nothing had to be left out; else says so.
fn is_whole(unread: u64) -> bool {
    if unread > 0 {
        tell(format_args!("what the file no longer holds was left out, as told above; a backup may have it"));
    }
    unread == 0
}

async fn import(folder: Folder, file: Option<PathBuf>) -> Result<bool, OperateError> {
    let imported = match file {
        None => operate::import(&folder.data, io::stdin().lock()).await?,
        Some(path) => operate::import_from(&folder.data, &path).await?,
    };
    tell(format_args!("{imported}"));
    Ok(imported.refused == 0)
}

async fn erase(folder: Folder, what: What) -> Result<bool, OperateError> {
    let Some(what) = what.erasure() else { return Ok(false) };
    let logs = operate::erase(&folder.data, &what).await?;
    tell(format_args!("{} erased", count(logs, "log")));
    Ok(true)
}

async fn retain(config: &parea_server::Config, is_dry: bool) -> Result<bool, OperateError> {
    let rules = config.retention();
    if rules.is_empty() {
        tell(format_args!(
            "everything is kept: none of `keep`, `keep_project` and `keep_size` is set (see `parea config`)"
        ));
        return Ok(true);
    }
    let retained =
        if is_dry { operate::retention(&config.data, &rules)? } else { operate::retain(&config.data, &rules).await? };
    let Retained { gone, kept, .. } = &retained;
    for (project, (traces, logs)) in gone {
        tell(format_args!("{project}: {}, {}", count(*traces, "trace"), count(*logs, "log")));
    }
    let (traces, logs) = retained.total();
    let verb = if is_dry { "would go" } else { "went" };
    tell(format_args!(
        "{}, {} {verb}; {} kept, for someone may come back to them",
        count(traces, "trace"),
        count(logs, "log"),
        count(*kept, "old trace")
    ));
    Ok(true)
}

fn doctor(folder: &Folder, repair: bool) -> Result<bool, OperateError> {
    if repair {
        operate::repair(&folder.data)?;
    }
    let faults = operate::check(&folder.data)?;
    for fault in &faults {
        tell(format_args!("{fault}"));
    }
    match faults.len() {
        0 => tell(format_args!("all is well")),
        _ if repair => tell(format_args!(
            "what is left concerns the logs themselves: restore a backup, or keep what can be read with `parea doctor \
             --salvage`"
        )),
        _ => tell(format_args!("stop the server and run `parea doctor --repair`, after a copy of the folder")),
    }
    Ok(faults.is_empty())
}

fn salvage(folder: &Folder) -> Result<bool, OperateError> {
    let Recast { kept, lost } = operate::salvage(&folder.data)?;
    for lost in &lost {
        tell(format_args!("lost: {lost}"));
    }
    tell(format_args!(
        "what could be read is in a new file; the old one is {}: remove it when it is no longer of use",
        kept.display()
    ));
    Ok(doctor(folder, false)? && lost.is_empty())
}
