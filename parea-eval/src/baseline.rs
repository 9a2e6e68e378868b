//! What a run is compared with.

use std::path::{Path, PathBuf};

use parea_stats::Run;

use crate::{ExperimentError, Report, journal, report::compared};

/// An earlier run: a [`Report`], or a text that names one.
#[derive(Clone, Debug)]
pub struct Baseline(Named);

#[derive(Clone, Debug)]
enum Named {
    Run(Box<Run>),
    /// A run's name or uuid, or the path of a report as JSON.
    Text(String),
    File(PathBuf),
}

impl From<&Report> for Baseline {
    fn from(report: &Report) -> Self {
        Self(Named::Run(Box::new(report.to_run())))
    }
}

impl From<&str> for Baseline {
    fn from(name: &str) -> Self {
        Self(Named::Text(name.to_owned()))
    }
}

impl From<String> for Baseline {
    fn from(name: String) -> Self {
        Self(Named::Text(name))
    }
}

impl From<&Path> for Baseline {
    fn from(path: &Path) -> Self {
        Self(Named::File(path.to_owned()))
    }
}

impl From<Run> for Baseline {
    fn from(run: Run) -> Self {
        Self(Named::Run(Box::new(run)))
    }
}

impl Baseline {
    /// The run itself: from the file, from this machine's journals, or from the server.
    #[cfg_attr(not(feature = "http"), expect(clippy::unused_async, reason = "a server alone is waited for"))]
    pub(crate) async fn find(self, experiment: &str, folder: &Path) -> Result<Run, ExperimentError> {
        let name = match self.0 {
            Named::Run(run) => return Ok(*run),
            Named::File(path) => return read(&path),
            Named::Text(name) => name,
        };
        if Path::new(&name).extension().is_some_and(|extension| extension == "json") {
            return read(Path::new(&name));
        }
        if let Some(finished) = journal::find(folder, experiment, &name) {
            let read = |place: &journal::Place| finished.source.result(place.at, place.length);
            let rows: Result<Vec<_>, _> =
                finished.cells.values().map(|place| read(place).map(|row| compared(&row))).collect();
            let mut rows = rows.map_err(|error| ExperimentError::Baseline(name, format!("its journal: {error}")))?;
            rows.sort_by(|a, b| (&a.key, a.trial).cmp(&(&b.key, b.trial)));
            return Ok(Run { name: finished.header.run_name, rows });
        }
        let here = format!("no run of that name or uuid is in {}", folder.display());
        #[cfg(feature = "http")]
        if let Some((api, project)) = parea_runtime::connection::server() {
            return crate::remote::run(&api, &project, experiment, &name)
                .await
                .map_err(|why| ExperimentError::Baseline(name, format!("{here}, and {why}")));
        }
        Err(ExperimentError::Baseline(name, format!("{here}, and there is no server to ask: call `parea::init` first")))
    }
}

fn read(path: &Path) -> Result<Run, ExperimentError> {
    let report = Report::read_json(path);
    let report = report.map_err(|error| ExperimentError::Baseline(path.display().to_string(), error.to_string()))?;
    Ok(report.to_run())
}
