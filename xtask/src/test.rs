//! `cargo xtask test`: everything that a change must pass, and what it needs before that.

use std::{env, process::Command, time::Instant};

use crate::{
    Chore, find, install,
    step::{self, Failure, cargo},
    tally::Tally,
};

pub(crate) const CHORE: Chore =
    Chore { name: "test", about: "Installs what the tests need, then checks format, lints, docs and all tests", run };

fn run(arguments: &[String]) -> Result<(), Failure> {
    if !arguments.is_empty() {
        let arguments = arguments.join(" ");
        return Err(Failure::Usage(format!(
            "`cargo xtask test` takes no arguments; for some of the tests use `cargo test {arguments}`"
        )));
    }
    let begun = Instant::now();
    install::components()?;
    install::chromium()?;

    step::run("format", &mut cargo("fmt --all --check"))?;
    step::run("lints", &mut cargo("clippy --workspace --all-targets -- -D warnings"))?;
    // What a library sees that depends on `parea` and leaves the switch to its user.
    step::run("lints, switched off", &mut cargo("clippy -p parea --no-default-features -- -D warnings"))?;
    step::run("docs", cargo("doc --workspace --no-deps").env("RUSTDOCFLAGS", "-D warnings"))?;
    licences()?;

    let mut tally = Tally::default();
    // One failure does not hide the others.
    let mut tests = cargo("test --workspace --no-fail-fast");
    let ended = step::run_heard("tests", in_calm(&mut tests), |line| tally.read(line));
    println!("\n{tally} in {}", step::duration(begun.elapsed()));
    ended?;
    if tally.passed == 0 {
        return Err(Failure::Empty("no test has run".to_owned()));
    }
    Ok(())
}

/// Tests see neither the servers nor the keys that a developer's shell names, and are told where to find what is
/// needed: the browser, and the binary that `cargo test --workspace` has built by the time that they run.
fn in_calm(tests: &mut Command) -> &mut Command {
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("PAREA_") || name.starts_with("OPENAI_")) {
            tests.env_remove(name);
        }
    }
    if let Some(chromium) = find::chromium() {
        tests.env("CHROME", chromium);
    }
    if let Ok(this) = env::current_exe() {
        tests.env("PAREA_SERVER_BIN", this.with_file_name("parea").with_extension(env::consts::EXE_EXTENSION));
    }
    tests
}

/// Checks all of `deny.toml` where cargo-deny is at hand; it takes minutes to build, so it is not asked for, and that licences are
/// allowed is a test (`tests/dependencies.rs`). Advisories are left
/// out: they appear without a change of ours, so a change should not fail by them.
fn licences() -> Result<(), Failure> {
    if step::succeeds(&mut cargo("deny --version")) {
        return step::run("licences", &mut cargo("deny check bans licenses sources"));
    }
    println!("\n== bans and sources: skipped, for cargo-deny is not installed (`cargo install --locked cargo-deny`)");
    Ok(())
}
