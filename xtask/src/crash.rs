//! `cargo xtask crash`: kills, power cuts and failing disks at full size.

use crate::{
    Chore,
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

fn run(arguments: &[String]) -> Result<(), Failure> {
    if let Some(unknown) = arguments.first() {
        return Err(Failure::Usage(format!(
            "`crash` takes no arguments, such as `{unknown}`; PAREA_CRASH_SEED repeats what a failure told"
        )));
    }
    for (title, arguments) in STEPS {
        step::run(title, &mut step::cargo(&format!("test --release {arguments} --nocapture")))?;
    }
    Ok(())
}
