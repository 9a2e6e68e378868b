//! `/experiments/{uuid}`: one run, its scores with their intervals, and its rows.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    extract::{Path, RawQuery, State},
    response::Html,
};
use parea_stats::{Run, run_of_logs, summary};
use parea_types::{EvaluationScore, ListExperimentsRequest, StatisticOperation, TraceLogTree};

use super::{Summary, class, each_trace, find, name, summaries, url};
use crate::{
    auth::Access,
    pages::{
        assets::{URLS, Urls},
        failure::Failure,
        figures::{self, ScoreChip},
        glance,
        moment::{self, Moment},
        trace,
    },
    state::AppState,
};

/// Rows on one page.
const LIMIT: usize = 100;
/// Score chips in a row.
const CHIPS: usize = 5;
/// Runs that are offered for a comparison.
const OTHERS: usize = 50;

#[derive(Template)]
#[template(path = "run.html")]
struct RunPage<'a> {
    assets: &'a Urls,
    uuid: &'a str,
    url: String,
    experiment: &'a str,
    experiments_url: String,
    name: String,
    status: &'static str,
    class: &'static str,
    created: Moment,
    metadata: Vec<(String, String)>,
    scores: Vec<Summary>,
    /// Scores of the whole run.
    whole: Vec<(String, String)>,
    facts: Vec<(&'static str, String)>,
    failed: usize,
    only_failed: bool,
    rows: Vec<Row>,
    matching: usize,
    first: usize,
    last: usize,
    earlier: Option<String>,
    later: Option<String>,
    /// Other runs of the experiment: uuid and name.
    others: Vec<(String, String)>,
    cut: bool,
}

struct Row {
    url: String,
    failed: bool,
    inputs: String,
    output: String,
    target: Option<String>,
    trial: Option<u32>,
    scores: Vec<ScoreChip>,
    more_scores: Vec<ScoreChip>,
    latency: Option<String>,
    cost: Option<String>,
}

impl RunPage<'_> {
    /// Whether some score says what it tells.
    fn is_told(&self) -> bool {
        self.scores.iter().any(|score| score.description.is_some())
    }

    /// Whether some row of the page has a cost.
    fn has_costs(&self) -> bool {
        self.rows.iter().any(|row| row.cost.is_some())
    }
}

/// `GET /experiments/{uuid}`
pub(in crate::pages) async fn show(
    State(state): State<AppState>,
    access: Access,
    Path(uuid): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Html<String>, Failure> {
    let run = find(&state, &access, &uuid).await?;
    let (mut only_failed, mut from) = (false, 0);
    for (key, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match &*key {
            "show" => only_failed = value == "failed",
            "from" => from = value.parse().unwrap_or(0),
            _ => {}
        }
    }
    let mut seen = Seen { run: Run { name: name(&run), rows: Vec::new() }, ..Seen::default() };
    let cut = each_trace(&*state.logs, &access.to_see(), &uuid, |tree| seen.take(tree, only_failed, from)).await?;
    let facts = seen.facts();
    let Seen { run: all, rows, matching, descriptions, .. } = seen;
    let wanted = ListExperimentsRequest {
        experiment_name_filter: Some(run.experiment.name.clone()),
        ..ListExperimentsRequest::default()
    };
    let siblings = state.catalog.experiments(&access.to_see(), wanted).await?.into_iter().filter(|other| {
        let (other, own) = (&other.experiment, &run.experiment);
        other.name == own.name && other.project_uuid == own.project_uuid && other.uuid != own.uuid
    });
    let page = |from: usize| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if only_failed {
            query.append_pair("show", "failed");
        }
        query.append_pair("from", &from.to_string());
        format!("{}?{}", url(&uuid), query.finish())
    };
    let mut experiments = form_urlencoded::Serializer::new(String::new());
    experiments.append_pair("experiment", &run.experiment.name);
    let custom = run.pinned_stats.iter().filter(|figure| figure.operation == StatisticOperation::Custom);
    let scores = summaries(&all, &descriptions);
    let html = RunPage {
        assets: &URLS,
        uuid: &uuid,
        url: url(&uuid),
        experiment: &run.experiment.name,
        experiments_url: format!("/experiments?{}", experiments.finish()),
        status: run.status.as_str(),
        class: class(run.status),
        created: Moment::new(run.experiment.created_at, moment::now()),
        metadata: run.experiment.metadata.clone().unwrap_or_default().into_iter().collect(),
        scores,
        whole: custom.map(|figure| (figure.var1.clone(), figures::decimal(figure.value))).collect(),
        facts,
        failed: all.rows.iter().filter(|row| row.failed).count(),
        only_failed,
        first: if rows.is_empty() { 0 } else { from + 1 },
        last: from + rows.len(),
        earlier: (from > 0).then(|| page(from.saturating_sub(LIMIT))),
        later: (from + rows.len() < matching).then(|| page(from + LIMIT)),
        rows,
        matching,
        others: siblings.take(OTHERS).map(|other| (other.experiment.uuid.clone(), name(&other))).collect(),
        name: all.name,
        cut,
    };
    Ok(Html(html.render()?))
}

/// What the page tells of a run's traces, of which none is kept.
#[derive(Default)]
struct Seen {
    /// All rows, without the texts that only [`Self::rows`] show.
    run: Run,
    /// Those of the page.
    rows: Vec<Row>,
    /// How many the page is one of.
    matching: usize,
    latencies: Vec<f64>,
    cost: Option<f64>,
    tokens: i64,
    /// What evaluations tell, by their names.
    descriptions: BTreeMap<String, String>,
}

impl Seen {
    fn take(&mut self, tree: &TraceLogTree, only_failed: bool, from: usize) {
        let Some(mut told) = run_of_logs("", std::slice::from_ref(tree)).rows.into_iter().next() else { return };
        let cost = sum(tree, |node| node.log.cost);
        self.cost = cost.map(|own| own + self.cost.unwrap_or(0.0)).or(self.cost);
        self.tokens += tree.iter().map(|node| node.log.total_tokens.unwrap_or(0)).sum::<i64>();
        self.latencies.extend(tree.log.latency.filter(|_| !told.failed));
        for node in tree {
            let text = node.log.metadata.as_ref().and_then(|metadata| metadata.get("description")?.as_str());
            if let (Some(name), Some(text)) = (&node.log.trace_name, text) {
                self.descriptions.entry(name.clone()).or_insert_with(|| text.to_owned());
            }
        }
        if told.failed || !only_failed {
            if self.matching >= from && self.rows.len() < LIMIT {
                self.rows.push(row(tree, &told, cost));
            }
            self.matching += 1;
        }
        told.output = String::new();
        told.label = String::new();
        self.run.rows.push(told);
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = vec![("rows", figures::exact(self.run.rows.len() as i64))];
        for (label, share) in [("latency p50", 0.5), ("p95", 0.95)] {
            facts.extend(summary::percentile(&self.latencies, share).map(|value| (label, figures::duration(value))));
        }
        if self.tokens > 0 {
            facts.push(("tokens", figures::count(self.tokens)));
        }
        facts.extend(self.cost.map(|cost| ("cost", figures::cost(cost))));
        facts
    }
}

fn sum(tree: &TraceLogTree, figure: impl Fn(&TraceLogTree) -> Option<f64>) -> Option<f64> {
    tree.iter().filter_map(figure).reduce(|sum, next| sum + next)
}

fn row(tree: &TraceLogTree, told: &parea_stats::Row, cost: Option<f64>) -> Row {
    let log = &tree.log;
    let reason = |name: &str| {
        let own = log.scores.iter().flatten().find(|score| score.name == name);
        own.and_then(|score| score.reason.clone())
    };
    let chips = told.scores.iter().map(|(name, score)| {
        let (name, score, reason) = (name.clone(), *score, reason(name));
        ScoreChip::from(&EvaluationScore { name, score, reason, ..EvaluationScore::default() })
    });
    let mut scores: Vec<ScoreChip> = chips.collect();
    let more_scores = scores.split_off(scores.len().min(CHIPS));
    Row {
        url: trace::url(&log.trace_id, None),
        failed: told.failed,
        inputs: log
            .inputs
            .as_ref()
            .and_then(|inputs| serde_json::to_string(inputs).ok())
            .map(|json| glance::inputs(&json))
            .unwrap_or_default(),
        output: glance::output(&told.output),
        target: log.target.as_deref().map(glance::line).filter(|target| !target.is_empty()),
        trial: (told.trial > 0).then_some(told.trial + 1),
        scores,
        more_scores,
        latency: log.latency.map(figures::duration),
        cost: cost.filter(|cost| *cost > 0.0).map(figures::cost),
    }
}
