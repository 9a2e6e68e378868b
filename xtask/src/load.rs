//! `cargo xtask load`: a server under the load of many traces, and what it costs.
//!
//! Builds `parea` for release, runs it on loopback with a folder of its own, sends what [`workload`] makes and prints a
//! table. Ends by itself and leaves nothing behind.

mod http;
mod process;
mod queries;
mod report;
mod rounds;
mod workload;

use std::{env, fs, path::PathBuf};

use crate::{
    Chore,
    step::{self, Failure},
};
use process::Served;
use report::Table;
use rounds::{Round, Singles};
use workload::{Ids, Workload};

pub(crate) const CHORE: Chore =
    Chore { name: "load", about: "A server under load: rates, answers, CPU, memory, disk (`load --help`)", run };

const USAGE: &str = "Usage: cargo xtask load [--spans N] [--ids v4|v7] [--seconds N] [--keep DIR]
                        [--only batches|singles] [--bin FILE]

  --spans N     Spans of the closed loop, in batches of 512 on 4 connections; 80,000 by default
  --ids v4|v7   Random ids, which is what the SDKs send and the default, or ids that grow with time
  --seconds N   Length of each of the other rounds; 10 by default
  --keep DIR    Work in this folder, which must be absent or empty, and leave it there
  --only PART   `singles`: the single posts alone; `batches`: all the rest
  --bin FILE    The `parea` to measure, for comparisons with another build; that of this tree, built first, by default
";

/// The halves of the load, which share nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Batches,
    Singles,
}

/// What was asked for on the command line.
struct Options {
    spans: u64,
    ids: Ids,
    seconds: u64,
    keep: Option<PathBuf>,
    only: Option<Part>,
    bin: Option<PathBuf>,
}

impl Options {
    fn read(arguments: &[String]) -> Result<Self, Failure> {
        let mut options = Self { spans: 80_000, ids: Ids::V4, seconds: 10, keep: None, only: None, bin: None };
        let mut arguments = arguments.iter();
        while let Some(name) = arguments.next() {
            let wrong = |what: &str| Failure::Usage(format!("{what}\n\n{USAGE}"));
            if !["--spans", "--ids", "--seconds", "--keep", "--only", "--bin"].contains(&name.as_str()) {
                return Err(wrong(&format!("`load` has no option `{name}`")));
            }
            let value = arguments.next().ok_or_else(|| wrong(&format!("`{name}` needs a value")))?;
            let number = || value.replace([',', '_'], "").parse().ok().filter(|number| *number > 0);
            match name.as_str() {
                "--spans" => options.spans = number().ok_or_else(|| wrong("`--spans` needs a number above 0"))?,
                "--seconds" => options.seconds = number().ok_or_else(|| wrong("`--seconds` needs a number above 0"))?,
                "--ids" => options.ids = Ids::named(value).ok_or_else(|| wrong("`--ids` is `v4` or `v7`"))?,
                "--keep" => options.keep = Some(value.into()),
                "--only" => match value.as_str() {
                    "batches" => options.only = Some(Part::Batches),
                    "singles" => options.only = Some(Part::Singles),
                    _ => return Err(wrong("`--only` is `batches` or `singles`")),
                },
                _ => options.bin = Some(value.into()),
            }
        }
        Ok(options)
    }
}

fn run(arguments: &[String]) -> Result<(), Failure> {
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        print!("{USAGE}");
        return Ok(());
    }
    let options = Options::read(arguments)?;
    let bin = options.bin.clone().map_or_else(build, Ok)?;
    let folder = process::Folder::make(options.keep.clone())?;
    let mut table = Table::new(options.spans, options.ids);
    table.row("binary", report::megabytes(fs::metadata(&bin).map_or(0, |meta| meta.len())));
    let load = Load { bin, folder, options };
    let workload = Workload::new(load.options.ids);
    let has = |part| load.options.only.is_none_or(|only| only == part);
    if has(Part::Batches) {
        load.batches(&workload, &mut table)?;
        load.scores(&workload, &mut table)?;
        load.chores(&workload, &mut table)?;
        load.other_ids(&mut table)?;
    }
    if has(Part::Singles) {
        load.singles(&workload, &mut table)?;
    }
    if has(Part::Batches) {
        load.long_chores(&mut table)?;
    }
    table.print();
    Ok(())
}

/// What all parts of the load share.
struct Load {
    bin: PathBuf,
    folder: process::Folder,
    options: Options,
}

impl Load {
    fn serve(&self, name: &str) -> Result<Served, Failure> {
        Served::start(&self.bin, &self.folder.path(name))
    }

    /// Batches, closed loop and open, with questions in between, and an end in the midst of it.
    fn batches(&self, workload: &Workload, table: &mut Table) -> Result<(), Failure> {
        println!("\n== batches");
        let mut server = self.serve("batches")?;
        table.row("ready, empty folder", report::millis(server.ready));
        table.row("memory, idle", report::megabytes(server.memory()));
        let closed = rounds::closed(&server, workload, self.options.spans)?;
        table.round("closed loop, 4 × 512", &closed);
        table.row("… until the last span is found", report::millis(closed.behind));
        table.row("memory after it", report::megabytes(server.memory()));
        for query in queries::all(&server, workload)? {
            table.query(&query);
        }
        let open = rounds::open(&server, workload, 10_000, &rounds::Until::seconds(self.options.seconds))?;
        table.round("open loop, 10,000/s", &open);
        table.row("memory after it", report::megabytes(server.memory()));
        table.row("longest that background work held the writer", report::millis(server.longest_hold()?));
        let killed = rounds::killed(&mut server, workload)?;
        server = self.serve("batches")?;
        table.row("ready after kill -9 under load", report::millis(server.ready));
        let lost = queries::missing(&server, &killed)?;
        table.row("acknowledged spans missing then", format!("{lost} of {}", killed.len() as u64 * workload::SPANS));
        server.settle();
        let stored = queries::total(&server)?;
        server.stop()?;
        table.row("disk per span of a batch", per_span(process::size_of(&self.folder.path("batches")), stored));
        Ok(())
    }

    /// Scores of the logs that are there.
    fn scores(&self, workload: &Workload, table: &mut Table) -> Result<(), Failure> {
        println!("\n== scores");
        let server = self.serve("batches")?;
        let roots = workload.roots();
        let times = (40_000 / roots.len().max(1) as u64).clamp(1, 8);
        table.round("scores of known logs, 4 × 512", &rounds::scores(&server, &roots, times)?);
        let singles = Singles { connections: 64, seconds: self.options.seconds };
        table.round("scores one by one, 64 connections", &rounds::single_scores(&server, &roots, singles)?);
        table.query(&queries::scored(&server)?);
        table.row("memory after it", report::megabytes(server.memory()));
        server.stop()
    }

    /// The commands on a folder, beside a server under load.
    fn chores(&self, workload: &Workload, table: &mut Table) -> Result<(), Failure> {
        println!("\n== chores beside an open loop of 10,000/s");
        let server = self.serve("batches")?;
        let data = self.folder.path("batches");
        let (export, backup) = (self.folder.path("logs.jsonl"), self.folder.path("backup.db"));
        let text = |path: &std::path::Path| path.display().to_string();
        let chores: [(&str, Vec<String>); 4] = [
            ("backup", vec!["backup".to_owned(), text(&backup)]),
            ("export", vec!["export".to_owned(), "--to".to_owned(), text(&export)]),
            ("retain", vec!["retain".to_owned(), "--keep-project".to_owned(), "other=1 h".to_owned()]),
            ("erase a user", vec!["erase".to_owned(), "--user".to_owned(), "user-7".to_owned()]),
        ];
        for (name, arguments) in chores {
            let before = process::size_of(&data);
            let until = rounds::Until::told();
            let (took, open) = std::thread::scope(|scope| {
                let chore = scope.spawn(|| {
                    let took = process::timed(&self.bin, &arguments, &data);
                    until.tell();
                    took
                });
                let open = rounds::open(&server, workload, 10_000, &until);
                (chore.join(), open)
            });
            let took = took.unwrap_or_else(|_| Err(Failure::Empty(format!("`{name}` panicked"))))?;
            let rate = before as f64 / 1e6 / took.as_secs_f64();
            table.round(&format!("open loop beside {name} ({:.2} s, {rate:.0} MB/s)", took.as_secs_f64()), &open?);
        }
        server.stop()
    }

    /// Those that take long, with nothing beside them.
    fn long_chores(&self, table: &mut Table) -> Result<(), Failure> {
        println!("\n== import and check");
        let export = self.folder.path("logs.jsonl");
        let megabytes = process::size_of_file(&export) as f64 / 1e6;
        let import = ["import".to_owned(), export.display().to_string()];
        let took = process::timed(&self.bin, &import, &self.folder.path("imported"))?.as_secs_f64();
        table.row("import", format!("{took:.1} s, {:.0} MB/s of JSON", megabytes / took));
        let took = process::timed(&self.bin, &["doctor".to_owned()], &self.folder.path("imported"))?.as_secs_f64();
        table.row("doctor on what was imported", format!("{took:.1} s"));
        Ok(())
    }

    /// The closed loop with ids of the other kind, on a folder of its own.
    fn other_ids(&self, table: &mut Table) -> Result<(), Failure> {
        println!("\n== the other ids");
        let workload = Workload::new(self.options.ids.other());
        let server = self.serve("other")?;
        let closed = rounds::closed(&server, &workload, self.options.spans.min(80_000))?;
        table.round(&format!("closed loop, ids of version {}", self.options.ids.other().version()), &closed);
        server.stop()
    }

    /// One span a request.
    fn singles(&self, workload: &Workload, table: &mut Table) -> Result<(), Failure> {
        println!("\n== single posts");
        let server = self.serve("singles")?;
        let mut sent = 0;
        for connections in [64, 4] {
            let singles = Singles { connections, seconds: self.options.seconds };
            let round: Round = rounds::single(&server, workload, singles)?;
            table.round(&format!("single posts, {connections} connections"), &round);
            sent += round.spans;
        }
        table.row("memory after it", report::megabytes(server.memory()));
        server.settle();
        table.row("longest that background work held the writer", report::millis(server.longest_hold()?));
        server.stop()?;
        table.row("disk per span sent singly", per_span(process::size_of(&self.folder.path("singles")), sent));
        Ok(())
    }
}

fn per_span(bytes: u64, spans: u64) -> String {
    format!("{} B", bytes / spans.max(1))
}

/// The server as users get it.
fn build() -> Result<PathBuf, Failure> {
    step::run("build", &mut step::cargo("build --release --package parea-server --bin parea"))?;
    // This program lies in `debug` or `release` of the folder where cargo builds.
    let this =
        env::current_exe().map_err(|source| Failure::Start { command: "cargo xtask load".to_owned(), source })?;
    let target = this.parent().and_then(std::path::Path::parent);
    let built = target.map(|target| target.join("release/parea").with_extension(env::consts::EXE_EXTENSION));
    built.filter(|bin| bin.exists()).ok_or_else(|| Failure::Empty("cargo built no `release/parea`".to_owned()))
}
