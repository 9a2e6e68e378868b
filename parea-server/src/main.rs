//! The binary `parea`.

mod commands;

use std::{
    fmt,
    io::{self, Write},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

/// See, score and compare what your LLM code does.
#[derive(Parser)]
#[command(version)]
struct Parea {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves the Parea v1 API and the web interface from one folder
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
    /// Prints every setting of `parea serve`, its unit, and where its value came from
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
    /// Makes, lists and revokes the keys of a folder's server
    #[command(subcommand)]
    Key(commands::Key),
    /// Prints the logs that a folder's server refused, and why, oldest first, one JSON object a line
    ///
    /// `log` is what was sent: mend it and post it again. How much is kept is the setting `refused_limit`.
    ///
    /// Examples:
    ///   parea refused | jq -r '.detail[0].msg' | sort | uniq -c      what is wrong most often
    ///   parea refused | jq -r .log > again.ndjson
    #[command(verbatim_doc_comment)]
    Refused(commands::RefusedCommand),
    #[command(flatten)]
    Folder(commands::FolderCommand),
    /// Lists and shows runs of experiments on a server
    ///
    /// Exit codes: 0 done, 2 wrong arguments, 4 why not is on stderr.
    #[command(verbatim_doc_comment)]
    #[command(subcommand)]
    Experiment(commands::Experiment),
    /// Compares two runs on a server, row by row
    ///
    /// Rows are paired by their contents; each score's difference comes with its interval and a verdict, and the rows that
    /// changed are listed.
    ///
    /// Exit codes: 0 no score is worse than the margin allows, 1 one is for sure, 2 wrong arguments, 3 the rows tell neither,
    /// 4 the runs cannot be had or compared. Without `--margin`: 0, or 4.
    #[command(verbatim_doc_comment)]
    Compare(commands::Compare),
    /// Shows datasets on a server, and moves rows there and back
    ///
    /// Exit codes: 0 done, 1 `diff` has found differences, 2 wrong arguments, 4 why not is on stderr.
    #[command(verbatim_doc_comment)]
    #[command(subcommand)]
    Dataset(commands::Dataset),
}

#[tokio::main]
async fn main() -> ExitCode {
    match Parea::parse().command {
        Command::Serve(serve) => serve.run().await,
        Command::Config(config) => config.run(),
        Command::Key(key) => key.run(),
        Command::Refused(refused) => refused.run(),
        Command::Experiment(command) => commands::run(command.run()).await,
        Command::Compare(command) => commands::run(command.run()).await,
        Command::Dataset(command) => commands::run(command.run()).await,
        Command::Folder(command) => command.run().await,
    }
}

/// Writes a line on stderr, if anybody still reads it: `eprintln!` would panic.
fn tell(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{line}");
}
