//! `bench`: what an annotated call costs at run time, beside the peers, by the crate in `benches`.
//!
//! Libraries take turns within one run, each in a process of its own; of several rounds the least counts. Instructions
//! are counted by callgrind where that is installed.

use std::{collections::BTreeMap, env, fmt::Write as _, path::PathBuf, process::Stdio};

use crate::{
    Chore, section,
    step::{self, Failure, cargo, program, succeeds},
};

pub(crate) const CHORE: Chore =
    Chore { name: "bench", about: "measures what an annotated call costs, beside the peers", run };

/// The first is what the others are compared with.
const LIBRARIES: [&str; 6] = ["plain", "parea", "fastrace", "opentelemetry_sdk", "tracing", "tracing-opentelemetry"];
const CASES: [&str; 9] =
    ["bare", "bare root", "args", "args root", "error", "nested 10", "nested 100", "async ready", "async yield"];
const ROUNDS: usize = 3;
/// Calls under callgrind.
const COUNTED: u32 = 1_000;

/// Figures of one kind: by library, then by case.
type Figures = BTreeMap<(usize, usize), f64>;

fn run(arguments: &[String]) -> Result<(), Failure> {
    if !arguments.is_empty() {
        return Err(Failure::Usage("`cargo xtask bench` takes no arguments".to_owned()));
    }
    let mut build = cargo("build --release --manifest-path benches/Cargo.toml");
    let target = env::current_dir().unwrap_or_default().join("target/benches");
    build.env("CARGO_TARGET_DIR", &target);
    step::run("Benchmarks", &mut build)?;
    let binary = target.join("release").join(format!("parea-benches{}", env::consts::EXE_SUFFIX));

    let mut times = Figures::new();
    for _ in 0..ROUNDS {
        for (library, name) in LIBRARIES.iter().enumerate() {
            for (case, figure) in lines(&binary, &["time", name])? {
                let least = times.entry((library, case)).or_insert(f64::INFINITY);
                *least = least.min(figure);
            }
        }
    }
    let mut allocations = Figures::new();
    for (library, name) in LIBRARIES.iter().enumerate() {
        for (case, figure) in lines(&binary, &["allocations", name])? {
            allocations.insert((library, case), figure);
        }
    }
    let mut page = table("Nanoseconds of a call", &over_plain(&times), 0);
    page += &table("Allocations", &allocations, 2);
    if succeeds(&mut program("valgrind", "--version")) {
        let mut instructions = Figures::new();
        for (library, name) in LIBRARIES.iter().enumerate() {
            for (case, of) in CASES.iter().enumerate() {
                instructions.insert((library, case), count(&binary, name, of)?);
            }
        }
        page += &table("Instructions", &over_plain(&instructions), 0);
    } else {
        println!("\nInstructions are not counted: valgrind is not installed.");
    }
    page += "Recording off, in nanoseconds:";
    for (case, figure) in lines(&binary, &["time", "parea", "off"])? {
        let over = figure - times.get(&(0, case)).copied().unwrap_or_default();
        // Writing to a string does not fail.
        let _ = write!(page, "{} {} {over:.1}", if case == 0 { "" } else { "," }, CASES[case]);
    }
    page += ".\n\nTwo threads flat out, a hundred calls in a trace:\n\n";
    for name in &LIBRARIES[1..] {
        let _ = writeln!(page, "- {name}: {}", output(&binary, &["flat-out", name])?.trim().replace('\t', ", "));
    }
    section::write("bench", &page)
}

/// Lines of a case and a figure.
fn lines(binary: &PathBuf, arguments: &[&str]) -> Result<Vec<(usize, f64)>, Failure> {
    let output = output(binary, arguments)?;
    let line = |line: &str| {
        let (case, figure) = line.split_once('\t')?;
        Some((CASES.iter().position(|known| *known == case)?, figure.parse().ok()?))
    };
    Ok(output.lines().filter_map(line).collect())
}

/// Instructions of one call, by callgrind.
fn count(binary: &PathBuf, library: &str, case: &str) -> Result<f64, Failure> {
    let mut command = program(
        "valgrind",
        "--tool=callgrind --collect-atstart=no --toggle-collect=*measured* --callgrind-out-file=/dev/null",
    );
    command.arg(binary).args(["count", library, case, &COUNTED.to_string()]);
    let output = command.output().map_err(|source| Failure::Start { command: "valgrind".to_owned(), source })?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse::<f64>().ok());
    collected
        .map(|instructions| instructions / f64::from(COUNTED))
        .ok_or_else(|| Failure::Empty(format!("callgrind counted nothing for {library}, {case}")))
}

fn output(binary: &PathBuf, arguments: &[&str]) -> Result<String, Failure> {
    let mut command = program(binary, "");
    command.args(arguments).stderr(Stdio::inherit());
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

fn table(title: &str, figures: &Figures, decimals: usize) -> String {
    let mut table = format!("| {title} | {} |\n|---|{}\n", CASES.join(" | "), "---|".repeat(CASES.len()));
    for (library, name) in LIBRARIES.iter().enumerate().skip(1) {
        let cells = (0..CASES.len()).map(|case| {
            let figure = figures.get(&(library, case));
            figure.map_or_else(|| "–".to_owned(), |figure| format!("{figure:.decimals$}"))
        });
        // Writing to a string does not fail.
        let _ = writeln!(table, "| {name} | {} |", cells.collect::<Vec<_>>().join(" | "));
    }
    table + "\n"
}
