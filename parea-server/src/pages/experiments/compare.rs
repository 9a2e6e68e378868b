//! `/compare?baseline=..&candidate=..`: is a run better than another, and in which rows?

use askama::Template;
use axum::{
    extract::{RawQuery, State},
    response::Html,
};
use parea_stats::{Flip, Run, ScoreComparison, Settings, Verdict, compare, run_of_logs};

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

/// The least difference that matters, where the URL names none.
const EFFECT: f64 = 0.05;
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
    /// How far the drawn intervals reach to either side of 0.
    reach: f64,
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
    /// In per cent of the width, which is [`ComparePage::reach`] to either side: where the interval begins, how long it
    /// is, where the difference is. `None` for scores beyond the scale from 0 to 1.
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
    let (mut baseline, mut candidate, mut effect) = (String::new(), String::new(), EFFECT);
    for (key, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match &*key {
            "baseline" => baseline = value.into_owned(),
            "candidate" => candidate = value.into_owned(),
            "effect" => effect = value.parse().ok().filter(|effect| (1e-9..=1e9).contains(effect)).unwrap_or(EFFECT),
            _ => {}
        }
    }
    let (baseline, before) = side(&state, &access, baseline).await?;
    let (candidate, after) = side(&state, &access, candidate).await?;
    let settings = Settings { minimal_effect: effect, ..Settings::default() };
    // It draws thousands of samples.
    let compared =
        tokio::task::spawn_blocking(move || compare(&before, &after, &settings).map_err(|error| error.to_string()));
    let compared = compared.await.unwrap_or_else(|_| Err("the comparison ended before it was done".to_owned()));
    let (compared, refused) = match compared {
        Ok(compared) => (Some(compared), None),
        Err(why) => (None, Some(why)),
    };
    let counts = compared.as_ref().map(|found| (found.paired, found.only_baseline, found.only_candidate));
    let (paired, only_baseline, only_candidate) = counts.unwrap_or_default();
    let scores = compared.as_ref().map(|all| all.scores.as_slice()).unwrap_or_default();
    let reach = reach(scores);
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
        scores: compared
            .iter()
            .flat_map(|all| all.scores.iter().map(|score| shown(score, reach, all.sentence(score))))
            .collect(),
        reach,
    };
    Ok(Html(html.render()?))
}

/// A run, and its rows as they are compared.
async fn side(state: &AppState, access: &Access, uuid: String) -> Result<(Side, Run), Failure> {
    let found = find(state, access, &uuid).await?;
    let mut run = Run { name: name(&found), rows: Vec::new() };
    each_trace(&*state.logs, &access.to_see(), &uuid, |tree| {
        run.rows.extend(run_of_logs("", std::slice::from_ref(tree)).rows);
    })
    .await?;
    let side = Side { url: url(&uuid), uuid, experiment: found.experiment.name, name: run.name.clone() };
    Ok((side, run))
}

/// The first round number that all intervals on the scale stay below.
fn reach(scores: &[ScoreComparison]) -> f64 {
    let ends = scores.iter().filter_map(|score| score.interval).map(|i| i.low.abs().max(i.high.abs()));
    let farthest = ends.filter(|end| *end <= 1.0).fold(0.0, f64::max);
    [0.01, 0.02, 0.05, 0.1, 0.2, 0.5].into_iter().find(|round| farthest <= *round).unwrap_or(1.0)
}

fn signed(value: f64) -> String {
    let text = figures::decimal(value.abs());
    match text.as_str() {
        "0" => text,
        _ if value < 0.0 => format!("−{text}"),
        _ => format!("+{text}"),
    }
}

fn shown(score: &ScoreComparison, reach: f64, sentence: String) -> Score {
    let (verdict, class) = match score.verdict {
        Verdict::Better => ("better", "good"),
        Verdict::Worse => ("worse", "poor"),
        Verdict::NoEvidence => ("no evidence", "plain"),
    };
    let on_scale = |value: f64| (-reach..=reach).contains(&value);
    let share = |length: f64| (length / reach * 500.0).round() / 10.0;
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
        sentence,
        bar: score
            .interval
            .filter(|i| on_scale(i.low) && on_scale(i.high))
            .map(|i| (50.0 + share(i.low), share(i.high - i.low).max(0.4), 50.0 + share(score.difference))),
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
        baseline_output: glance::output(&flip.baseline_output),
        candidate_output: glance::output(&flip.candidate_output),
        baseline_url: url(&flip.baseline_trace),
        candidate_url: url(&flip.candidate_trace),
    }
}
