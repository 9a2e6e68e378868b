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

use std::{env, path::PathBuf};

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

  --spans N     Spans of the closed loop, in batches of 512 on 4 connections; 80,000 by default
  --ids v4|v7   Random ids, which is what the SDKs send and the default, or ids that grow with time
  --seconds N   Length of each of the other rounds; 10 by default
  --keep DIR    Work in this folder, which must be absent or empty, and leave it there
";

/// What was asked for on the command line.
struct Options {
    spans: u64,
    ids: Ids,
    seconds: u64,
    keep: Option<PathBuf>,
}

impl Options {
    fn read(arguments: &[String]) -> Result<Self, Failure> {
        let mut options = Self { spans: 80_000, ids: Ids::V4, seconds: 10, keep: None };
        let mut arguments = arguments.iter();
        while let Some(name) = arguments.next() {
            let wrong = |what: &str| Failure::Usage(format!("{what}\n\n{USAGE}"));
            if !["--spans", "--ids", "--seconds", "--keep"].contains(&name.as_str()) {
                return Err(wrong(&format!("`load` has no option `{name}`")));
            }
            let value = arguments.next().ok_or_else(|| wrong(&format!("`{name}` needs a value")))?;
            let number = || value.replace([',', '_'], "").parse().ok().filter(|number| *number > 0);
            match name.as_str() {
                "--spans" => options.spans = number().ok_or_else(|| wrong("`--spans` needs a number above 0"))?,
                "--seconds" => options.seconds = number().ok_or_else(|| wrong("`--seconds` needs a number above 0"))?,
                "--ids" => options.ids = Ids::named(value).ok_or_else(|| wrong("`--ids` is `v4` or `v7`"))?,
                _ => options.keep = Some(value.into()),
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
    let bin = build()?;
    let folder = process::Folder::make(options.keep.clone())?;
    let workload = Workload::new(options.ids);
    let mut table = Table::new(options.spans, options.ids);

    println!("\n== batches");
    let mut server = Served::start(&bin, &folder.path("batches"))?;
    table.row("ready, empty folder", format!("{:.0} ms", server.ready.as_secs_f64() * 1e3));
    let idle = server.memory();
    table.row("memory, idle", report::megabytes(idle));
    let closed = rounds::closed(&server, &workload, options.spans)?;
    table.round("closed loop, 4 × 512", &closed);
    table.row("… until the last span is found", format!("{:.0} ms", closed.behind.as_secs_f64() * 1e3));
    table.row("memory after it", report::megabytes(server.memory()));
    for query in queries::all(&server, &workload)? {
        table.query(&query);
    }
    let open = rounds::open(&server, &workload, 10_000, options.seconds)?;
    table.round("open loop, 10,000/s", &open);
    table.row("memory after it", report::megabytes(server.memory()));
    let sent = closed.spans + open.spans;
    server.kill();
    server = Served::start(&bin, &folder.path("batches"))?;
    table.row("ready after kill -9", format!("{:.0} ms", server.ready.as_secs_f64() * 1e3));
    server.settle();
    server.stop()?;
    table.row("disk per span of a batch", per_span(process::size_of(&folder.path("batches")), sent));

    println!("\n== single posts");
    server = Served::start(&bin, &folder.path("singles"))?;
    let mut sent = 0;
    for connections in [64, 4] {
        let round: Round = rounds::single(&server, &workload, Singles { connections, seconds: options.seconds })?;
        table.round(&format!("single posts, {connections} connections"), &round);
        sent += round.spans;
    }
    table.row("memory after it", report::megabytes(server.memory()));
    server.settle();
    server.stop()?;
    table.row("disk per span sent singly", per_span(process::size_of(&folder.path("singles")), sent));
    table.print();
    Ok(())
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
