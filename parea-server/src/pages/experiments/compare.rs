//! `/compare?baseline=..&candidate=..`: is a run better than another, and in which rows?

use askama::Template;
use axum::{
    extract::{RawQuery, State},
    response::Html,
};
use parea_stats::{Comparison, Flip, Run, ScoreComparison, Settings, Verdict, compare, run_of_logs};

use super::{compare_url, each_trace, find, name, url};
use crate::{
    auth::Access,
    pages::{
        assets::{URLS, Urls},
        failure::Failure,
        figures, glance, trace,
    },
    state::AppState,
};

/// Rows that changed which are shown of each score.
const FLIPS: usize = 50;

#[derive(Template)]
#[template(path = "compare.html")]
struct ComparePage<'a> {
    assets: &'a Urls,
    baseline: Side,
    candidate: Side,
    swapped: String,
    effect: f64,
    /// Why the two cannot be compared.
    refused: Option<String>,
    paired: usize,
    only_baseline: usize,
    only_candidate: usize,
    scores: Vec<Score>,
}

/// One of the two runs.
struct Side {
    uuid: String,
    url: String,
    experiment: String,
    name: String,
}

struct Score {
    name: String,
    rows: usize,
    baseline: String,
    candidate: String,
    difference: String,
    interval: Option<String>,
    p_value: String,
    verdict: &'static str,
    class: &'static str,
    sentence: String,
    /// From -1 to 1 in per cent of the width: where the interval begins, how long it is, where the difference is.
    bar: Option<(f64, f64, f64)>,
    flips: Vec<Change>,
    more: usize,
}

struct Change {
    label: String,
    before: String,
    after: String,
    worse: bool,
    baseline_output: String,
    candidate_output: String,
    baseline_url: Option<String>,
    candidate_url: Option<String>,
}

/// `GET /compare`
pub(in crate::pages) async fn show(
    State(state): State<AppState>,
    access: Access,
    RawQuery(query): RawQuery,
) -> Result<Html<String>, Failure> {
    let (mut baseline, mut candidate, mut effect) = (String::new(), String::new(), 0.05);
    for (key, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match &*key {
            "baseline" => baseline = value.into_owned(),
            "candidate" => candidate = value.into_owned(),
            "effect" => effect = value.parse().ok().filter(|effect| (1e-9..=1e9).contains(effect)).unwrap_or(0.05),
            _ => {}
        }
    }
    let mut sides = Vec::new();
    let mut runs = Vec::new();
    for uuid in [&baseline, &candidate] {
        let found = find(&state, &access, uuid).await?;
        let mut run = Run { name: name(&found), rows: Vec::new() };
        each_trace(&*state.logs, &access.to_see(), uuid, |tree| {
            run.rows.extend(run_of_logs("", std::slice::from_ref(tree)).rows);
        })
        .await?;
        let experiment = found.experiment.name.clone();
        sides.push(Side { uuid: uuid.clone(), url: url(uuid), experiment, name: run.name.clone() });
        runs.push(run);
    }
    let settings = Settings { minimal_effect: effect, ..Settings::default() };
    // It draws thousands of samples.
    let compared = tokio::task::spawn_blocking(move || match runs.as_slice() {
        [baseline, candidate] => compare(baseline, candidate, &settings).map_err(|error| error.to_string()),
        _ => Err("two runs are needed".to_owned()),
    });
    let compared = compared.await.unwrap_or_else(|_| Err("the comparison ended before it was done".to_owned()));
    let (Some(candidate), Some(baseline)) = (sides.pop(), sides.pop()) else {
        return Err(Failure::NoRun(String::new()));
    };
    let (compared, refused) = match compared {
        Ok(compared) => (Some(compared), None),
        Err(why) => (None, Some(why)),
    };
    let counts = compared.as_ref().map(|found| (found.paired, found.only_baseline, found.only_candidate));
    let (paired, only_baseline, only_candidate) = counts.unwrap_or_default();
    let html = ComparePage {
        assets: &URLS,
        swapped: compare_url(&candidate.uuid, &baseline.uuid),
        baseline,
        candidate,
        effect,
        refused,
        paired,
        only_baseline,
        only_candidate,
        scores: compared.iter().flat_map(|all| all.scores.iter().map(|score| shown(score, all))).collect(),
    };
    Ok(Html(html.render()?))
}

fn signed(value: f64) -> String {
    let text = figures::decimal(value.abs());
    match text.as_str() {
        "0" => text,
        _ if value < 0.0 => format!("−{text}"),
        _ => format!("+{text}"),
    }
}

fn shown(score: &ScoreComparison, comparison: &Comparison) -> Score {
    let (verdict, class) = match score.verdict {
        Verdict::Better => ("better", "good"),
        Verdict::Worse => ("worse", "poor"),
        Verdict::NoEvidence => ("no evidence", "plain"),
    };
    let on_scale = |value: f64| (-1.0..=1.0).contains(&value);
    let percent = |value: f64| ((value + 1.0) * 500.0).round() / 10.0;
    Score {
        name: score.name.clone(),
        rows: score.rows,
        baseline: figures::decimal(score.baseline),
        candidate: figures::decimal(score.candidate),
        difference: signed(score.difference),
        interval: score.interval.map(|i| format!("{} to {}", signed(i.low), signed(i.high))),
        p_value: match score.adjusted_p_value {
            p if p < 0.001 => "<0.001".to_owned(),
            p => figures::decimal(p),
        },
        verdict,
        class,
        sentence: comparison.sentence(score),
        bar: score.interval.filter(|i| on_scale(i.low) && on_scale(i.high)).map(|i| {
            let length = ((i.high - i.low) * 500.0).round() / 10.0;
            (percent(i.low), length.max(0.4), percent(score.difference))
        }),
        more: score.flips.len().saturating_sub(FLIPS),
        flips: score.flips.iter().take(FLIPS).map(change).collect(),
    }
}

fn change(flip: &Flip) -> Change {
    let url = |id: &Option<String>| id.as_deref().map(|id| trace::url(id, None));
    Change {
        label: glance::line(&flip.label),
        before: figures::decimal(flip.before),
        after: figures::decimal(flip.after),
        worse: flip.after < flip.before,
        baseline_output: glance::line(&flip.baseline_output),
        candidate_output: glance::line(&flip.candidate_output),
        baseline_url: url(&flip.baseline_trace),
        candidate_url: url(&flip.candidate_trace),
    }
}
