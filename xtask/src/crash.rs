//! `cargo xtask crash`: kills, power cuts and failing disks at full size, as a table.

use std::time::Instant;

use crate::{
    Chore, section,
    step::{self, Failure},
};

pub(crate) const CHORE: Chore = Chore {
    name: "crash",
    about: "20 kills under load, 200 power cuts, full and read-only disks: nothing acknowledged is lost",
    run,
};

const STEPS: &[(&str, &str)] = &[
    ("20 times kill -9 under full load", "-p parea-server --test server -- --ignored --exact crash::full_size"),
    ("200 power cuts", "-p parea-store --test power -- --ignored --exact full_size"),
    ("Full and read-only disks", "-p parea-server --test server -- disk::"),
    ("The same without a mount", "-p parea-store --test power -- weather::"),
];

/// What a test says to the table: `row: WHAT | TIMES | ACKNOWLEDGED`. It asserts the rest.
const ROW: &str = "row: ";

fn run(arguments: &[String]) -> Result<(), Failure> {
    if let Some(unknown) = arguments.first() {
        return Err(Failure::Usage(format!(
            "`crash` takes no arguments, such as `{unknown}`; PAREA_CRASH_SEED repeats what a failure told"
        )));
    }
    for package in ["parea-server --test server", "parea-store --test power"] {
        step::run("Build", &mut step::cargo(&format!("test --release -p {package} --no-run")))?;
    }
    let begun = Instant::now();
    let head = "| what happens | times | acknowledged by then | lost | took |\n|---|---|---|---|---|";
    let mut lines = vec![head.to_owned()];
    for (title, arguments) in STEPS {
        let begun = Instant::now();
        let mut rows = Vec::new();
        let mut test = step::cargo(&format!("test --release {arguments} --nocapture"));
        step::run_heard(title, &mut test, |line| {
            // Behind what the runner says of a test on the same line.
            rows.extend(line.split_once(ROW).map(|(_, row)| row.trim_end().to_owned()));
        })?;
        if rows.is_empty() {
            return Err(Failure::Empty(format!("{title}: no test has run")));
        }
        let took = step::duration(begun.elapsed());
        lines.extend(rows.into_iter().map(|row| {
            let lost = if row.contains("skipped") { "–" } else { "0" };
            format!("| {row} | {lost} | {took} |")
        }));
    }
    let took = step::duration(begun.elapsed());
    lines.push(format!("\nIn all {took}, each file sound by `parea doctor`'s checks.\n"));
    section::write("crash", &lines.join("\n"))
}
