//! `parea experiment`: runs as the server has them.

use clap::Subcommand;
use parea_stats::{interval, summary};
use parea_types::{ExperimentWithStats, ListExperimentsRequest, TraceLogTree};

use super::{
    CommandError,
    api::Remote,
    table::{count, number, table},
};

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Experiment {
    /// Lists runs, the newest first, with their figures
    List {
        #[command(flatten)]
        remote: Remote,
        /// Only those of this project
        #[arg(long)]
        project: Option<String>,
        /// Only those of experiments whose name has this in it
        #[arg(long)]
        name: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Shows one run: its metadata, each score with its interval, and the rows that failed
    Show {
        /// The run's uuid or name
        run: String,
        #[command(flatten)]
        remote: Remote,
        /// The project, where several have a run of that name
        #[arg(long)]
        project: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

impl Experiment {
    pub(crate) async fn run(self) -> Result<(String, u8), CommandError> {
        let text = match self {
            Self::List { remote, project, name, json } => {
                let wanted = ListExperimentsRequest {
                    project_name: project,
                    experiment_name_filter: name,
                    ..ListExperimentsRequest::default()
                };
                let mut runs: Vec<ExperimentWithStats> = remote.connect()?.post("/experiments", &wanted).await?;
                runs.sort_by_key(|run| std::cmp::Reverse(run.experiment.created_at));
                if json { pretty(&runs)? } else { list(&runs) }
            }
            Self::Show { run, remote, project, json } => {
                let api = remote.connect()?;
                let run = api.find_run(&run, project.as_deref()).await?;
                if json { pretty(&run)? } else { show(&run, &api.traces(&run).await?) }
            }
        };
        Ok((text, 0))
    }
}

pub(super) fn pretty(value: &impl serde::Serialize) -> Result<String, CommandError> {
    let text = serde_json::to_string_pretty(value).map_err(|error| CommandError::new(error.to_string()))?;
    Ok(text + "\n")
}

fn list(runs: &[ExperimentWithStats]) -> String {
    if runs.is_empty() {
        return "no runs\n".to_owned();
    }
    let mut rows = vec![["created", "experiment", "run", "status", "rows", "figures"].map(str::to_owned).to_vec()];
    for run in runs {
        // Those that every run has are left to `show`.
        let scores = run.pinned_stats.iter().filter(|figure| !figure.is_built_in());
        let figures: Vec<String> = scores.map(|figure| format!("{} {}", figure.var1, number(figure.value))).collect();
        rows.push(vec![
            run.experiment.created_at.to_string(),
            run.experiment.name.clone(),
            run.experiment.run_name.clone().unwrap_or_default(),
            run.status.as_str().to_owned(),
            run.num_samples.unwrap_or(0).to_string(),
            figures.join(", "),
        ]);
    }
    table(&rows)
}

fn show(run: &ExperimentWithStats, traces: &[TraceLogTree]) -> String {
    let experiment = &run.experiment;
    let name = experiment.run_name.as_deref().unwrap_or_default();
    let mut text = format!("{} · {name} · {} · {}\n", experiment.name, run.status.as_str(), experiment.uuid);
    let metadata = experiment.metadata.iter().flatten();
    text.push_str(&table(&metadata.map(|(key, value)| vec![format!("  {key}"), value.clone()]).collect::<Vec<_>>()));
    let logged = parea_stats::run_of_logs(name, traces);
    let mut names: Vec<&str> = logged.rows.iter().flat_map(|row| row.scores.keys().map(String::as_str)).collect();
    names.sort_unstable();
    names.dedup();
    let mut rows = vec![["  score", "mean", "95 % interval", "rows"].map(str::to_owned).to_vec()];
    for name in names {
        let scored = logged.rows.iter().filter_map(|row| Some((row.key.as_str(), *row.scores.get(name)?)));
        let interval = interval::of_rows(scored.clone(), 0.95);
        let values: Vec<f64> = scored.map(|(_, value)| value).collect();
        rows.push(vec![
            format!("  {name}"),
            number(summary::mean(&values).unwrap_or_default()),
            interval.map_or("–".to_owned(), |i| format!("{} to {}", number(i.low), number(i.high))),
            values.len().to_string(),
        ]);
    }
    text.push_str(&table(&rows));
    let latencies: Vec<f64> = traces.iter().filter_map(|tree| tree.log.latency).collect();
    let latency = |share| summary::percentile(&latencies, share).unwrap_or_default();
    let failed: Vec<_> = logged.rows.iter().filter(|row| row.failed).collect();
    let sum = format!(
        "  {}, latency p50 {} s, p95 {} s, {} failed\n",
        count(logged.rows.len() as u64, "row"),
        number(latency(0.5)),
        number(latency(0.95)),
        failed.len()
    );
    text.push_str(&sum);
    let shown = failed.iter().take(20).map(|row| vec!["  ✗".to_owned(), row.label.clone(), row.output.clone()]);
    text + &table(&shown.collect::<Vec<_>>())
}
