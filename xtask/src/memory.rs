//! `cargo xtask memory`: the tests that come by the few lines of `unsafe` code, with every access to memory watched.
//!
//! Races are left to `cargo xtask model`: ThreadSanitizer takes locks for races where the standard library is not built for
//! it, whose source stable toolchains lack, and gives up at a fork.

use std::env;

use crate::{
    Chore,
    step::{self, Failure},
};

pub(crate) const CHORE: Chore = Chore {
    name: "memory",
    about: "Runs the runtime's tests with every access to memory watched (AddressSanitizer)",
    run,
};

fn run(arguments: &[String]) -> Result<(), Failure> {
    if let Some(unknown) = arguments.first() {
        return Err(Failure::Usage(format!("`memory` takes no arguments, such as `{unknown}`")));
    }
    let (system, processor) = (env::consts::OS, env::consts::ARCH);
    if system != "linux" || !["x86_64", "aarch64"].contains(&processor) {
        return Err(Failure::Missing(format!(
            "the sanitizer is called for Linux on x86-64 and ARM64, and this is {system} on {processor}"
        )));
    }
    // Exits, forks, signals, panics and full disks are in `faults`; the logs of threads and the clock in the crate itself.
    // With a target that is named the flag is not for build scripts and macros, which no runtime is linked into.
    let mut tests = step::cargo("test --package parea-runtime --package parea --lib --test faults");
    tests.args(["--target-dir", "target/memory", "--target", &format!("{processor}-unknown-linux-gnu")]);
    // The flag is not stable, but its runtime comes with every toolchain. Leaks are not looked for: what lives as long as
    // the process, and the registries of some tests, are leaked on purpose. What is freed is kept back for a while, to
    // catch who uses it all the same: not for so much that a test takes it for a leak.
    let options = "detect_leaks=0:quarantine_size_mb=8";
    let watched = [("RUSTC_BOOTSTRAP", "1"), ("RUSTFLAGS", "-Zsanitizer=address"), ("ASAN_OPTIONS", options)];
    step::run("Memory", tests.envs(watched))
}
