//! `bench`: what an annotated call costs at run time, beside the peers, by the crate in `benches`.
//!
//! Libraries take turns within one run, each in a process of its own; of several rounds the least counts. Instructions
//! are counted by callgrind where that is installed.

use std::{collections::BTreeMap, env, ffi::OsStr, fmt::Write as _, path::PathBuf, process::Stdio};

#[path = "../../benches/src/cases.rs"]
mod cases;

use cases::CASES;

use crate::{
    Chore, section,
    step::{self, Failure, cargo, program, succeeds},
};

pub(crate) const CHORE: Chore =
    Chore { name: "bench", about: "measures what an annotated call costs, beside the peers", run };

/// The first is what the others are compared with.
const LIBRARIES: [&str; 6] = ["plain", "parea", "fastrace", "opentelemetry_sdk", "tracing", "tracing-opentelemetry"];
/// Those of them that can send.
const SENDING: [&str; 4] = ["parea", "fastrace", "opentelemetry_sdk", "tracing-opentelemetry"];
/// The last two differ by so many polls, and the table shows what one of them costs.
const FURTHER: f64 = 10.0;
const YIELD: usize = 8;
const YIELDS: usize = 9;
const ROUNDS: usize = 3;
/// Calls under callgrind.
const COUNTED: u32 = 1_000;

/// The program that measures.
struct Bench {
    program: PathBuf,
    /// What a run that measures time is run by, such as `taskset -c 1`.
    under: Vec<String>,
}

/// Figures of one kind: by library, then by case.
type Figures = BTreeMap<(usize, usize), f64>;

fn run(arguments: &[String]) -> Result<(), Failure> {
    let under = match arguments {
        [] => "",
        [option, command] if option == "--under" => command,
        _ => return Err(Failure::Usage("usage: cargo xtask bench [--under \"COMMAND ARGUMENTS\"]".to_owned())),
    };
    let under = under.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let bench = |program| Bench { program, under: under.clone() };
    let binary = &bench(built("Benchmarks", "benches", "", &[])?);
    let without = &bench(built("Benchmarks, compiled out", "benches-without", "--no-default-features", &[])?);
    let alone = "--no-default-features --features enable";
    let usual = &bench(built("Benchmarks, Cargo's own release profile", "benches-usual", alone, &USUAL)?);
    let counts = succeeds(&mut program("valgrind", "--version"));
    if !counts {
        println!("\nInstructions are not counted: valgrind is not installed.");
    }

    let mut times = Figures::new();
    for _ in 0..ROUNDS {
        for (library, name) in LIBRARIES.iter().enumerate() {
            for (case, figure) in lines(binary, &["time", name])? {
                let least = times.entry((library, case)).or_insert(f64::INFINITY);
                *least = least.min(figure);
            }
        }
    }
    let mut allocations = Figures::new();
    for (library, name) in LIBRARIES.iter().enumerate() {
        for (case, figure) in lines(binary, &["allocations", name])? {
            allocations.insert((library, case), figure);
        }
    }
    let mut page = table("Nanoseconds of a call", &LIBRARIES[1..], &over_plain(&times), 0);
    page += &table("Allocations", &LIBRARIES[1..], &over_plain(&allocations), 2);
    if counts {
        let instructions = counted(binary, &LIBRARIES)?;
        page += &table("Instructions", &LIBRARIES[1..], &over_plain(&instructions), 0);
        let instructions = counted(usual, &LIBRARIES[..2])?;
        page += &table("Instructions in Cargo's own release profile", &LIBRARIES[1..2], &over_plain(&instructions), 0);
    }
    page += &unrecorded(binary, without, counts)?;
    page += "Two threads flat out, a hundred calls in a trace, exporters that drop:\n\n";
    for name in &LIBRARIES[1..] {
        page += &flat_out(binary, name, &[])?;
    }
    page += "\nThe same, and exporters that send what they get to a server on this machine that takes everything; the peers by OTLP \
             over HTTP:\n\n";
    for name in SENDING {
        page += &flat_out(binary, name, &["all", "sent"])?;
    }
    page += "\nOne thread, an eighth of the calls, for what the background does with each. Sent as above; and ours alone, made a \
             line of JSON and searched for secrets:\n\n";
    for name in SENDING {
        page += &flat_out(binary, name, &["sent"])?;
    }
    page += &flat_out(binary, "parea", &["encoded"])?;
    section::write("bench", &page)
}

/// What most programs are built with: no LTO, 16 units.
const USUAL: [(&str, &str); 2] =
    [("CARGO_PROFILE_RELEASE_LTO", "false"), ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")];

/// Builds the package in `benches` with these features, and another profile than its own.
fn built(title: &str, folder: &str, features: &str, profile: &[(&str, &str)]) -> Result<PathBuf, Failure> {
    let mut build = cargo(&format!("build --release --manifest-path benches/Cargo.toml {features}"));
    let target = env::current_dir().unwrap_or_default().join("target").join(folder);
    build.env("CARGO_TARGET_DIR", &target).envs(profile.iter().copied());
    step::run(title, &mut build)?;
    Ok(target.join("release").join(format!("parea-benches{}", env::consts::EXE_SUFFIX)))
}

/// What a call costs that is not recorded, over the plain function.
fn unrecorded(binary: &Bench, without: &Bench, counts: bool) -> Result<String, Failure> {
    let rows = ["plain", "off at run time", "not in the sample", "compiled out"];
    let ways: [(&Bench, &str, &[&str]); 4] = [
        (binary, "plain", &["off"]),
        (binary, "parea", &["off"]),
        (binary, "parea", &["sampled-out"]),
        (without, "parea", &["off"]),
    ];
    let (mut times, mut instructions) = (Figures::new(), Figures::new());
    for (row, (binary, library, how)) in ways.into_iter().enumerate() {
        for (case, figure) in lines(binary, &[&["time", library], how].concat())? {
            times.insert((row, case), figure);
        }
        for (case, of) in CASES.iter().enumerate().filter(|_| counts) {
            instructions.insert((row, case), count(binary, &[library, of], how)?);
        }
    }
    // A plain function of the same build.
    let mut page = table("Nanoseconds of a call that is not recorded", &rows[1..], &over_plain(&times), 1);
    if counts {
        page += &table("Instructions of a call that is not recorded", &rows[1..], &over_plain(&instructions), 0);
    }
    Ok(page)
}

/// A line of a list. Of a few rounds the one that cost the application least.
fn flat_out(binary: &Bench, library: &str, how: &[&str]) -> Result<String, Failure> {
    let arguments = [&["flat-out", library], how].concat();
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push(output(binary, &arguments)?.trim().replace('\t', ", "));
    }
    let cost = |line: &String| {
        let (_, rest) = line.split_once("application ")?;
        rest.split(' ').next()?.parse::<u64>().ok()
    };
    let least = rounds.into_iter().min_by_key(|line| cost(line).unwrap_or(u64::MAX)).unwrap_or_default();
    let fate = if how.contains(&"encoded") { ", encoded" } else { "" };
    Ok(format!("- {library}{fate}: {least}\n"))
}

/// Lines of a case and a figure.
fn lines(binary: &Bench, arguments: &[&str]) -> Result<Vec<(usize, f64)>, Failure> {
    let output = output(binary, arguments)?;
    let line = |line: &str| {
        let (case, figure) = line.split_once('\t')?;
        Some((CASES.iter().position(|known| *known == case)?, figure.parse().ok()?))
    };
    Ok(output.lines().filter_map(line).collect())
}

/// Instructions of one call, by library and case.
fn counted(binary: &Bench, libraries: &[&str]) -> Result<Figures, Failure> {
    let mut instructions = Figures::new();
    for (library, name) in libraries.iter().enumerate() {
        for (case, of) in CASES.iter().enumerate() {
            instructions.insert((library, case), count(binary, &[name, of], &[])?);
        }
    }
    Ok(instructions)
}

/// Instructions of one call, by callgrind.
fn count(binary: &Bench, library_and_case: &[&str], how: &[&str]) -> Result<f64, Failure> {
    let mut command = program(
        "valgrind",
        "--tool=callgrind --collect-atstart=no --toggle-collect=*measured* --callgrind-out-file=/dev/null",
    );
    command.arg(&binary.program).arg("count").args(library_and_case).arg(COUNTED.to_string()).args(how);
    let output = command.output().map_err(|source| Failure::Start { command: "valgrind".to_owned(), source })?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse::<f64>().ok());
    collected
        .map(|instructions| instructions / f64::from(COUNTED))
        .ok_or_else(|| Failure::Empty(format!("callgrind counted nothing for {}", library_and_case.join(", "))))
}

fn output(binary: &Bench, arguments: &[&str]) -> Result<String, Failure> {
    let mut words = binary.under.iter().map(OsStr::new).chain([binary.program.as_os_str()]);
    let mut command = program(words.next().unwrap_or_default(), "");
    command.args(words).args(arguments).stderr(Stdio::inherit());
    let name = format!("parea-benches {}", arguments.join(" "));
    let output = command.output().map_err(|source| Failure::Start { command: name.clone(), source })?;
    if !output.status.success() {
        return Err(Failure::Exit { command: name, status: output.status });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn over_plain(figures: &Figures) -> Figures {
    let plain = |case| figures.get(&(0, case)).copied().unwrap_or_default();
    figures.iter().map(|(&(library, case), figure)| ((library, case), figure - plain(case))).collect()
}

/// A row for each library but the first, which is what they are compared with.
fn table(title: &str, rows: &[&str], figures: &Figures, decimals: usize) -> String {
    let columns = [&CASES[..YIELDS], &["further poll"]].concat();
    let mut table = format!("| {title} | {} |\n|---|{}\n", columns.join(" | "), "---|".repeat(columns.len()));
    for (row, name) in rows.iter().enumerate() {
        let figure = |case: usize| figures.get(&(row + 1, case)).copied();
        let further = figure(YIELDS).zip(figure(YIELD)).map(|(many, one)| (many - one) / FURTHER);
        let cells = (0..YIELDS).map(figure).chain([further]);
        let cells = cells.map(|figure| figure.map_or_else(|| "–".to_owned(), |figure| format!("{figure:.decimals$}")));
        // Writing to a string does not fail.
        let _ = writeln!(table, "| {name} | {} |", cells.collect::<Vec<_>>().join(" | "));
    }
    table + "\n"
}
