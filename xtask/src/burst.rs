//! `cargo xtask burst`: the burst tests at full size, with their figures.

use crate::{
    Chore,
    step::{self, Failure},
};

pub(crate) const CHORE: Chore = Chore {
    name: "burst",
    about: "100,000 paced and 1,000,000 unpaced calls into a server: what arrived, and how",
    run,
};

fn run(arguments: &[String]) -> Result<(), Failure> {
    if let Some(unknown) = arguments.first() {
        return Err(Failure::Usage(format!("`burst` takes no arguments, such as `{unknown}`")));
    }
    let test = "test --release --package parea --test burst -- --ignored --exact full_size --nocapture";
    step::run("Burst at full size", &mut step::cargo(test))
}
