//! The chores of this repository: `cargo xtask` lists them.
//!
//! Built on the standard library alone, so that a fresh clone is at work at once. Each chore is a file with a
//! `CHORE`; [`CHORES`] is where a new one is added.

#![expect(clippy::print_stdout, reason = "a program for the terminal")]

mod bench;
mod burst;
mod cost;
mod crash;
mod faults;
#[path = "../../parea-server/tests/browser/find.rs"]
mod find;
mod fuzz;
mod install;
mod load;
mod memory;
mod model;
mod section;
mod step;
mod tally;
mod test;

use std::{env, process::ExitCode};

use step::Failure;

/// Something that `cargo xtask NAME` does.
struct Chore {
    name: &'static str,
    about: &'static str,
    run: fn(&[String]) -> Result<(), Failure>,
}

const CHORES: &[Chore] = &[
    test::CHORE,
    bench::CHORE,
    burst::CHORE,
    cost::CHORE,
    crash::CHORE,
    faults::CHORE,
    fuzz::CHORE,
    load::CHORE,
    memory::CHORE,
    model::CHORE,
];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let name = arguments.first().map_or("--help", String::as_str);
    if ["--help", "-h", "help"].contains(&name) {
        print!("{}", usage());
        return ExitCode::SUCCESS;
    }
    let Some(chore) = CHORES.iter().find(|chore| chore.name == name) else {
        eprint!("error: there is no chore `{name}`\n\n{}", usage());
        return ExitCode::from(2);
    };
    match (chore.run)(&arguments[1..]) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::from(if matches!(failure, Failure::Usage(_)) { 2 } else { 1 })
        }
    }
}

fn usage() -> String {
    let chores = CHORES.iter().map(|chore| format!("  {:<8} {}\n", chore.name, chore.about));
    format!("Usage: cargo xtask CHORE\n\n{}", chores.collect::<String>())
}
