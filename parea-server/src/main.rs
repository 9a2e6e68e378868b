//! The binary `parea`.

mod commands;

use std::{
    fmt,
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use parea_server::operate::{self, Erasure, OperateError};

/// See, score and compare what your LLM code does.
#[derive(Parser)]
#[command(version)]
struct Parea {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves the Parea v1 API and the web interface from one folder.
    ///
    /// Needs nothing else. Stops on Ctrl-C and SIGTERM when the requests under way are done; a second one ends it at
    /// once, and what was acknowledged is on disk either way.
    ///
    /// Exit codes: 0 stopped, 1 the address or the folder cannot be used, 2 wrong arguments, 130 ended by a second
    /// signal.
    ///
    /// Examples:
    ///   parea serve                                     on this machine, in ./.parea, without a key
    ///   parea serve --listen 0.0.0.0:7273 --data /var/lib/parea     for others, with keys of `parea key`
    ///   parea serve --config /etc/parea.toml --body-limit "64 MiB"
    #[command(verbatim_doc_comment)]
    Serve(commands::Serve),
    /// Prints every setting of `parea serve`, its unit, and where its value came from.
    ///
    /// Takes the flags of `parea serve`, so that what it prints is what that would do. A flag counts before the
    /// environment (PAREA_BODY_LIMIT), that before the file `parea.toml` in the data folder, and the file before the
    /// default.
    ///
    /// Examples:
    ///   parea config
    ///   parea config --template > .parea/parea.toml     a file with all settings, explained
    ///   parea config --config /etc/parea.toml           whether that file is right
    ///
    /// Exit codes: 0 the configuration can be used, 2 it cannot, and why is on stderr.
    #[command(verbatim_doc_comment)]
    Config(commands::ConfigCommand),
    /// Keys of a folder's server
    #[command(subcommand)]
    Key(commands::Key),
    /// Writes all logs to stdout, one JSON object a line; a server may be running on the folder.
    ///
    /// Says on stderr how far it came: given as `--after`, the next export goes on from there. Every line can be posted
    /// to a server, or taken in with `parea import`.
    Export {
        #[command(flatten)]
        folder: Folder,
        /// Begin behind this place, which an earlier export told
        #[arg(long, default_value_t = 0, value_name = "PLACE")]
        after: u64,
    },
    /// Takes in logs, one JSON object a line, from a file or stdin; the server must be stopped.
    ///
    /// What is there already stays as it is, so an import that broke off is simply done again.
    ///
    /// Exit codes: 0 all lines were taken, 1 some were refused, or the folder cannot be used.
    Import {
        #[command(flatten)]
        folder: Folder,
        /// The file to read; stdin when absent
        file: Option<PathBuf>,
    },
    /// Copies everything, as it is now, into a new file; a server may be running on the folder.
    ///
    /// To restore, put the copy as `parea.db` into an empty folder.
    Backup {
        #[command(flatten)]
        folder: Folder,
        /// The file to write, which must not exist
        file: PathBuf,
    },
    /// Erases logs for good; the server must be stopped.
    ///
    /// Nothing of them is left in the folder when this ends, but for their ids: clients that still have copies cannot
    /// bring them back. Backups are not reached. With `--before` traces of experiments stay, and those that people
    /// judged, and what went may come again.
    Erase {
        #[command(flatten)]
        folder: Folder,
        #[command(flatten)]
        what: What,
    },
    /// Runs of experiments on a server
    #[command(subcommand)]
    Experiment(commands::Experiment),
    /// Compares two runs on a server, row by row
    ///
    /// Rows are paired by their contents; each score's difference comes with its interval and a verdict, and the rows that
    /// changed are listed.
    ///
    /// Exit codes: 0 no score is worse than the margin allows, 1 one is for sure, 2 wrong arguments, 3 the rows tell neither,
    /// 4 the runs cannot be had or compared. Without `--margin`: 0, or 4.
    Compare(commands::Compare),
    /// Datasets on a server
    #[command(subcommand)]
    Dataset(commands::Dataset),
    /// Checks a folder beyond the database's own check; a server may be running on it.
    ///
    /// Exit codes: 0 all is well, 1 faults were found, or the folder cannot be used.
    Doctor {
        #[command(flatten)]
        folder: Folder,
        /// Make anew what follows from the logs (sums, indexes, words); the server must be stopped
        #[arg(long)]
        repair: bool,
    },
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct What {
    /// The whole trace that has a log of this id
    #[arg(long, value_name = "ID")]
    trace: Option<String>,
    /// All traces in which a log names this end user
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// All logs and runs of a project
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// All traces that started before this time, such as 2026-01-31T00:00:00Z
    #[arg(long, value_name = "TIME")]
    before: Option<parea_types::Timestamp>,
}

impl From<What> for Option<Erasure> {
    fn from(What { trace, user, project, before }: What) -> Self {
        let trace = trace.map(Erasure::Trace);
        trace.or(user.map(Erasure::User)).or(project.map(Erasure::Project)).or(before.map(Erasure::Before))
    }
}

#[derive(clap::Args)]
struct Folder {
    /// Folder that holds everything
    #[arg(long, env = "PAREA_DATA", default_value = ".parea", value_name = "DIR")]
    data: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    match Parea::parse().command {
        Command::Serve(serve) => serve.run().await,
        Command::Config(config) => config.run(),
        Command::Key(key) => key.run(),
        Command::Experiment(command) => commands::run(command.run()).await,
        Command::Compare(command) => commands::run(command.run()).await,
        Command::Dataset(command) => commands::run(command.run()).await,
        other => operate(other).await,
    }
}

/// The commands that are not serving.
async fn operate(command: Command) -> ExitCode {
    let done = match command {
        Command::Serve(_)
        | Command::Config(_)
        | Command::Key(_)
        | Command::Experiment(_)
        | Command::Compare(_)
        | Command::Dataset(_) => Ok(true),
        Command::Export { folder, after } => {
            let mut out = io::BufWriter::new(io::stdout().lock());
            operate::export(&folder.data, after, &mut out).map(|operate::Exported { logs, last }| {
                tell(format_args!("{logs} logs; `--after {last}` goes on from here"));
                true
            })
        }
        Command::Import { folder, file } => import(&folder.data, file).await,
        Command::Backup { folder, file } => operate::backup(&folder.data, &file).map(|()| {
            tell(format_args!("copied to {}", file.display()));
            true
        }),
        Command::Erase { folder, what } => {
            let what: Option<Erasure> = what.into();
            what.map_or(Ok(0), |what| operate::erase(&folder.data, &what)).map(|logs| {
                tell(format_args!("{logs} logs erased"));
                true
            })
        }
        Command::Doctor { folder, repair } => doctor(&folder.data, repair),
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

async fn import(data: &Path, file: Option<PathBuf>) -> Result<bool, OperateError> {
    let imported = match file {
        None => operate::import(data, io::stdin().lock()).await?,
        Some(path) => {
            let file = File::open(&path)
                .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
            operate::import(data, io::BufReader::new(file)).await?
        }
    };
    tell(format_args!("{imported}"));
    Ok(imported.refused == 0)
}

fn doctor(data: &Path, repair: bool) -> Result<bool, OperateError> {
    if repair {
        operate::repair(data)?;
    }
    let faults = operate::check(data)?;
    for fault in &faults {
        tell(format_args!("{fault}"));
    }
    match faults.len() {
        0 => tell(format_args!("all is well")),
        _ if repair => tell(format_args!("what is left concerns the logs themselves; restore a backup")),
        _ => tell(format_args!("stop the server and run `parea doctor --repair`, after a copy of the folder")),
    }
    Ok(faults.is_empty())
}

/// Writes a line on stderr, if anybody still reads it: `eprintln!` would panic.
fn tell(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{line}");
}
