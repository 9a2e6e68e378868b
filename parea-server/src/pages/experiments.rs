//! Runs of experiments: `/experiments`, one run, and two of them compared. The state is in the URL.

pub(super) mod compare;
pub(super) mod list;
pub(super) mod run;

use std::collections::BTreeMap;

use parea_stats::{Run, interval, summary};
use parea_store::{Logs, Scope, StoreError};
use parea_types::{ExperimentStatus, ExperimentWithStats, ListExperimentsRequest, TraceLogTree};

use super::{failure::Failure, figures, trace};
use crate::{auth::Access, state::AppState};

/// Traces that are read at once.
const PAGE: u32 = 500;
/// Traces of a run that a page takes into account.
const MOST: usize = 20_000;

/// The address of a run's page.
fn url(uuid: &str) -> String {
    format!("/experiments/{}", trace::segment(uuid))
}

/// The address of a comparison.
fn compare_url(baseline: &str, candidate: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("baseline", baseline).append_pair("candidate", candidate);
    format!("/compare?{}", query.finish())
}

/// The class that colours a status.
fn class(status: ExperimentStatus) -> &'static str {
    match status {
        ExperimentStatus::Completed => "ok",
        ExperimentStatus::Failed => "bad",
        ExperimentStatus::Pending | ExperimentStatus::Running => "warn",
    }
}

/// The run of that uuid.
async fn find(state: &AppState, access: &Access, uuid: &str) -> Result<ExperimentWithStats, Failure> {
    let wanted = ListExperimentsRequest { experiment_uuids: Some(vec![uuid.to_owned()]), ..Default::default() };
    let found = state.catalog.experiments(&access.to_see(), wanted).await?.pop();
    found.ok_or_else(|| Failure::NoRun(uuid.to_owned()))
}

/// How a run is called.
fn name(run: &ExperimentWithStats) -> String {
    run.experiment.run_name.clone().unwrap_or_else(|| run.experiment.uuid.clone())
}

/// Looks at all traces of a run, page by page, so that they are never all in memory; `true` if there are more than are read.
async fn each_trace(
    logs: &dyn Logs,
    scope: &Scope,
    uuid: &str,
    mut look: impl FnMut(&TraceLogTree) + Send,
) -> Result<bool, StoreError> {
    let (mut after, mut count) = (None, 0);
    loop {
        let page = logs.experiment_page(scope, uuid, after, PAGE).await?;
        for tree in &page.rows {
            look(tree);
        }
        count += page.rows.len();
        after = page.next;
        if after.is_none() || count >= MOST {
            return Ok(after.is_some());
        }
    }
}

/// A score over a run's rows.
struct Summary {
    name: String,
    mean: String,
    interval: Option<String>,
    count: usize,
    /// On the scale from 0 to 1, in per cent: where the interval begins, how long it is, and where the mean is. `None` for
    /// scores beyond that scale.
    bar: Option<(f64, f64, f64)>,
    description: Option<String>,
}

/// Each score, by name. Trials of a row, and rows of the same content, are one draw of the interval.
fn summaries(run: &Run, descriptions: &BTreeMap<String, String>) -> Vec<Summary> {
    let mut by_name: BTreeMap<&str, Vec<(&str, f64)>> = BTreeMap::new();
    for row in &run.rows {
        for (name, score) in &row.scores {
            by_name.entry(name).or_default().push((&row.key, *score));
        }
    }
    let summary = |(name, scored): (&str, Vec<(&str, f64)>)| {
        let values: Vec<f64> = scored.iter().map(|(_, value)| *value).collect();
        let interval = interval::of_rows(scored, 0.95);
        let mean = summary::mean(&values).unwrap_or_default();
        let on_scale = values.iter().all(|value| (0.0..=1.0).contains(value));
        let percent = |value: f64| (value * 1000.0).round() / 10.0;
        Summary {
            name: name.to_owned(),
            mean: figures::decimal(mean),
            interval: interval.map(|i| format!("{} to {}", figures::decimal(i.low), figures::decimal(i.high))),
            count: values.len(),
            bar: interval
                .filter(|_| on_scale)
                .map(|i| (percent(i.low.max(0.0)), percent((i.high - i.low).max(0.004)), percent(mean))),
            description: descriptions.get(name).cloned(),
        }
    };
    by_name.into_iter().map(summary).collect()
}
