//! `cargo xtask faults`: what is lost to hostile servers and sudden ends, as a table.

use crate::{
    Chore,
    step::{self, Failure},
};

pub(crate) const CHORE: Chore = Chore {
    name: "faults",
    about: "1,000 calls against servers that fail and programs that end suddenly: what is lost, and the wait at the end",
    run,
};

fn run(arguments: &[String]) -> Result<(), Failure> {
    if let Some(unknown) = arguments.first() {
        return Err(Failure::Usage(format!("`faults` takes no arguments, such as `{unknown}`")));
    }
    let test = "test --release --package parea --test faults -- --ignored --exact table::full_size --nocapture";
    step::run("Faults as a table", &mut step::cargo(test))?;
    let soak = "test --release --package parea --test faults -- --ignored --exact soak::a_million_spans --nocapture";
    step::run("A million spans to a server that keeps failing", &mut step::cargo(soak))
}
