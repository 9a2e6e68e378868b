//! `parea compare`: is a run better than another?

use parea_stats::{Comparison, Settings, compare, run_of_logs};

use super::{CommandError, api::Remote, experiments::pretty};

/// The arguments.
#[derive(clap::Args)]
pub(crate) struct Compare {
    /// The run to compare with, by its uuid or name
    baseline: String,
    /// The run to judge
    candidate: String,
    #[command(flatten)]
    remote: Remote,
    /// The project, where several have a run of that name
    #[arg(long)]
    project: Option<String>,
    /// The largest loss that is accepted: exit code 1 when a score is worse by more for sure, 3 when the rows tell neither
    #[arg(long, value_name = "LOSS", allow_negative_numbers = true, value_parser = loss)]
    margin: Option<f64>,
    /// The least difference that matters, for the number of rows that it takes to see it
    #[arg(long, default_value_t = 0.05, value_name = "DIFFERENCE", allow_negative_numbers = true, value_parser = difference)]
    effect: f64,
    /// As Markdown, for a pull request
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    /// As JSON, with every row that changed
    #[arg(long)]
    json: bool,
}

impl Compare {
    pub(crate) async fn run(self) -> Result<(String, u8), CommandError> {
        let api = self.remote.connect()?;
        let mut runs = Vec::new();
        for name in [&self.baseline, &self.candidate] {
            let run = api.find_run(name, self.project.as_deref()).await?;
            let traces = api.traces(&run).await?;
            runs.push(run_of_logs(run.experiment.run_name.as_deref().unwrap_or(name), &traces));
        }
        let settings = Settings { minimal_effect: self.effect, ..Settings::default() };
        let comparison =
            compare(&runs[0], &runs[1], &settings).map_err(|error| CommandError::new(error.to_string()))?;
        let code = self.margin.map_or(0, |margin| exit_code(&comparison, margin));
        let text = match (self.json, self.markdown) {
            (true, _) => pretty(&comparison)?,
            (_, true) => comparison.markdown(),
            _ => comparison.to_string(),
        };
        Ok((text, code))
    }
}

fn loss(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|loss: &f64| loss.is_finite() && *loss >= 0.0)
        .ok_or("a number of 0 or more is wanted".to_owned())
}

fn difference(text: &str) -> Result<f64, String> {
    loss(text).ok().filter(|difference| *difference > 0.0).ok_or("a number above 0 is wanted".to_owned())
}

/// 1 if a score is surely worse by more than the margin, 3 if the rows do not tell it of one, else 0.
fn exit_code(comparison: &Comparison, margin: f64) -> u8 {
    if !comparison.regressions(margin).is_empty() {
        return 1;
    }
    if comparison.scores.iter().all(|score| score.regressed(margin) == Some(false)) { 0 } else { 3 }
}
