//! `/experiments`: runs, newest first.

use std::collections::HashMap;

use askama::Template;
use axum::{
    extract::{RawQuery, State},
    response::Html,
};
use parea_types::{EvaluationScore, ExperimentWithStats, ListExperimentsRequest, StatisticOperation, Timestamp};

use super::{class, compare_url, name, url};
use crate::{
    auth::Access,
    pages::{
        assets::{URLS, Urls},
        choice::Choice,
        failure::Failure,
        figures::{self, ScoreChip},
        moment::{self, Moment},
    },
    state::AppState,
};

/// Runs that are shown; what is older is found by its project or experiment.
const LIMIT: usize = 200;
/// Score chips in a row; the others are counted.
const CHIPS: usize = 4;

#[derive(Template)]
#[template(path = "experiments.html")]
struct ListPage<'a> {
    assets: &'a Urls,
    /// For the search, which keeps the project.
    choice: Choice,
    projects: Vec<(String, bool)>,
    experiment: Option<String>,
    rows: Vec<Row>,
    /// How many runs there are beyond those shown.
    more: usize,
}

struct Row {
    url: String,
    experiment: String,
    experiment_url: String,
    run: String,
    status: &'static str,
    class: &'static str,
    created: Moment,
    samples: String,
    scores: Vec<ScoreChip>,
    more_scores: Vec<ScoreChip>,
    latency: Option<String>,
    tokens: Option<String>,
    cost: Option<String>,
    /// The comparison with the run before it of the same experiment.
    compare: Option<String>,
}

impl ListPage<'_> {
    fn has_tokens(&self) -> bool {
        self.rows.iter().any(|row| row.tokens.is_some())
    }

    fn has_costs(&self) -> bool {
        self.rows.iter().any(|row| row.cost.is_some())
    }
}

/// `GET /experiments`
pub(in crate::pages) async fn show(
    State(state): State<AppState>,
    access: Access,
    RawQuery(query): RawQuery,
) -> Result<Html<String>, Failure> {
    let query = query.unwrap_or_default();
    let said = |wanted: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(key, value)| key == wanted && !value.is_empty()).map(|(_, value)| value.into_owned())
    };
    let (project, experiment) = (said("project"), said("experiment"));
    let mut projects = state.catalog.projects().await?;
    projects.retain(|project| access.has_uuid(&project.uuid));
    let wanted = ListExperimentsRequest {
        project_name: project.clone(),
        experiment_name_filter: experiment.clone(),
        ..ListExperimentsRequest::default()
    };
    let mut runs = state.catalog.experiments(&access.to_see(), wanted).await?;
    if let Some(experiment) = &experiment {
        // The filter finds parts of names.
        runs.retain(|run| run.experiment.name == *experiment);
    }
    let more = runs.len().saturating_sub(LIMIT);
    let mut before: HashMap<(String, String), String> = HashMap::new();
    let mut compares: Vec<Option<String>> = Vec::new();
    for ExperimentWithStats { experiment: run, .. } in runs.iter().rev() {
        let earlier = before.insert((run.project_uuid.clone(), run.name.clone()), run.uuid.clone());
        compares.push(earlier.map(|earlier| compare_url(&earlier, &run.uuid)));
    }
    compares.reverse();
    runs.truncate(LIMIT);
    let uuids = runs.iter().map(|run| run.experiment.uuid.clone()).collect();
    let sizes = state.logs.experiment_sizes(&access.to_see(), uuids).await?;
    let now = moment::now();
    let rows = runs.into_iter().zip(sizes).zip(compares);
    let rows = rows.map(|((run, size), compare)| Row { compare, ..row(run, size, project.as_deref(), now) });
    let page = ListPage {
        assets: &URLS,
        rows: rows.collect(),
        more,
        projects: projects
            .into_iter()
            .map(|known| {
                let selected = project.as_deref() == Some(&known.name);
                (known.name, selected)
            })
            .collect(),
        experiment,
        choice: Choice { project, ..Choice::default() },
    };
    Ok(Html(page.render()?))
}

/// A run of so many traces, without its comparison.
fn row(run: ExperimentWithStats, size: u64, project: Option<&str>, now: Timestamp) -> Row {
    let figure = |name: &str| run.pinned_stats.iter().find(|figure| figure.var1 == name).map(|figure| figure.value);
    let chips = run.pinned_stats.iter().filter(|figure| !figure.is_built_in());
    let mut scores: Vec<ScoreChip> = chips
        .map(|figure| {
            let reason = (figure.operation == StatisticOperation::Custom).then(|| "of the whole run".to_owned());
            let (name, score) = (figure.var1.clone(), figure.value);
            ScoreChip::from(&EvaluationScore { name, score, reason, ..EvaluationScore::default() })
        })
        .collect();
    let more_scores = scores.split_off(scores.len().min(CHIPS));
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(project.map(|project| ("project", project)));
    query.append_pair("experiment", &run.experiment.name);
    Row {
        url: url(&run.experiment.uuid),
        experiment_url: format!("/experiments?{}", query.finish()),
        run: name(&run),
        status: run.status.as_str(),
        class: class(run.status),
        created: Moment::new(run.experiment.created_at, now),
        samples: figures::count(i64::try_from(size).unwrap_or(i64::MAX)),
        scores,
        more_scores,
        latency: figure("Latency").map(figures::duration),
        tokens: figure("Total Tokens").filter(|tokens| *tokens > 0.0).map(|tokens| figures::count(tokens as i64)),
        cost: figure("Cost").filter(|cost| *cost > 0.0).map(figures::cost),
        compare: None,
        experiment: run.experiment.name,
    }
}
