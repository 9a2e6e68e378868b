//! `cargo xtask model`: every order in which threads can meet, where that decides whether a flush comes back and whether each
//! record is taken once.

use crate::{
    Chore,
    step::{self, Failure},
};

pub(crate) const CHORE: Chore = Chore {
    name: "model",
    about: "Goes through every order in which program, flush and exporter can meet (loom)",
    run,
};

fn run(arguments: &[String]) -> Result<(), Failure> {
    if let Some(unknown) = arguments.first() {
        return Err(Failure::Usage(format!("`model` takes no arguments, such as `{unknown}`")));
    }
    // A folder of its own, for the flag would have everything else built anew.
    let test = "test --package parea-runtime --lib --target-dir target/model model";
    step::run("Model", step::cargo(test).env("RUSTFLAGS", "--cfg parea_loom"))
}
