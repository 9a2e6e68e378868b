//! An experiment as a test of `cargo test`: what `#[parea::test_eval]` calls.

use std::{env, sync::OnceLock};

use serde::Serialize;

use crate::{Experiment, ExperimentError, Report, RowFailure, least};

/// Runs the experiment, and fails with its report if something that was asked does not hold.
///
/// Every row has to succeed unless the test asks something else of `succeeded`. The run goes to a server if the environment
/// names one, as that of a program would.
///
/// # Panics
///
/// As tests fail.
#[track_caller]
pub fn test_eval<Running>(experiment: Experiment, run: impl FnOnce(Experiment) -> Running)
where
    Running: Future<Output = Result<Report, ExperimentError>>,
{
    start_client();
    let mut experiment = experiment.quiet().keep_on_ctrl_c(false);
    if !experiment.asks_for("succeeded") {
        experiment = experiment.require("succeeded", least().at_least(1.0));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.unwrap_or_else(|error| panic!("no Tokio runtime can be started: {error}"));
    match runtime.block_on(run(experiment)) {
        Ok(report) => drop(report.assert()),
        Err(error) => panic!("{error}"),
    }
}

/// A client for all tests of the process, where the environment asks for one. Without, a test needs no server and leaves
/// logs nowhere.
fn start_client() {
    static GUARD: OnceLock<Option<parea_runtime::Guard>> = OnceLock::new();
    let named = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    if named("PAREA_BASE_URL") || named("PAREA_API_KEY") {
        // The test may have called `init` itself.
        GUARD.get_or_init(|| parea_runtime::init().ok());
    }
}

/// What a row's function returned. A `Result` is told by its type, so that aliases work.
#[derive(Debug)]
pub struct Returned<T>(pub T);

impl<T: Serialize, E: Into<RowFailure>> Returned<Result<T, E>> {
    /// The value, or why the row failed.
    pub fn outcome(self) -> Result<T, RowFailure> {
        self.0.map_err(Into::into)
    }
}

/// What is no `Result`. Methods of the type itself come first, so this one is for the rest.
pub trait Plain {
    /// The value.
    type Value;

    /// The value as a success.
    fn outcome(self) -> Result<Self::Value, RowFailure>;
}

impl<T: Serialize> Plain for Returned<T> {
    type Value = T;

    fn outcome(self) -> Result<T, RowFailure> {
        Ok(self.0)
    }
}
