//! `/`: the traces, newest first.

use std::collections::HashMap;

use askama::Template;
use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, header},
    response::Html,
};
use parea_store::{After, Page, Project, Scope, TraceSummary};
use parea_types::{Status, Timestamp};

use super::{
    assets::{URLS, Urls},
    choice::Filters,
    failure::Failure,
    figures::{self, ScoreChip},
    glance,
    list_query::ListQuery,
    losses::Losses,
    moment::{self, Moment},
    trace,
};
use crate::{auth::Access, state::AppState};

/// Traces on one page.
const LIMIT: u32 = 50;
/// Chips of one kind in a row; the others are counted.
const CHIPS: usize = 2;

#[derive(Template)]
#[template(path = "list.html")]
struct ListPage<'a> {
    assets: &'a Urls,
    query: &'a ListQuery,
    filters: Filters<'a>,
    rows: Vec<Row>,
    /// The classes of columns that have nothing on this page, which leave their room to the others.
    without: String,
    /// Whether rows of several projects may stand beside one another.
    mixed: bool,
    newer: Option<ListQuery>,
    older: Option<ListQuery>,
    /// What to point a client at.
    base_url: String,
    /// A project in the URL that is not in the store.
    unknown_project: bool,
    /// What clients of the chosen project had to give up.
    losses: Option<Losses>,
}

struct Row {
    url: String,
    id: String,
    name: Option<String>,
    /// `None` while the root has not come.
    mark: Option<Mark>,
    /// Failed spans of a trace that has not failed itself.
    failed_within: u64,
    project: Option<String>,
    started: Moment,
    inputs: String,
    output: String,
    /// Why it failed, in place of what it did not answer.
    error: String,
    scores: Vec<ScoreChip>,
    more_scores: Vec<ScoreChip>,
    tags: Vec<String>,
    more_tags: Vec<String>,
    user: Option<String>,
    session: Option<String>,
    spans: String,
    tokens: Option<String>,
    tokens_in_detail: String,
    cost: Option<String>,
    latency: Option<String>,
    /// The latency's share of the page's longest, on a scale of roots so that short ones are still told apart.
    share: u32,
}

/// How a root ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Success,
    Error,
    Unknown,
}

/// `GET /`
pub(super) async fn show(
    State(state): State<AppState>,
    access: Access,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Html<String>, Failure> {
    let query = ListQuery::parse(query.as_deref().unwrap_or_default());
    let mut projects = state.catalog.projects().await?;
    projects.retain(|project| access.has_uuid(&project.uuid));
    let now = moment::now();
    let chosen = query.choice.project.as_deref().map(|name| projects.iter().find(|project| project.name == name));
    let unknown_project = matches!(chosen, Some(None));
    let page = if unknown_project {
        Page { rows: Vec::new(), next: None }
    } else {
        let scope = match chosen.flatten() {
            Some(project) => Scope { project: Some(project.uuid.clone()) },
            None => access.to_see(),
        };
        let after = query.after.clone().map_or(After::Start, After::Cursor);
        state.logs.traces(&scope, &query.choice.filter(now), after, LIMIT).await?
    };

    let losses = match chosen.flatten() {
        Some(project) => Losses::of(state.logs.losses(&Scope { project: Some(project.uuid.clone()) }).await?),
        None => None,
    };
    let mixed = query.choice.project.is_none() && projects.len() > 1;
    let older = page.next.map(|next| query.older(next));
    let rows = rows(page.rows, if mixed { &projects } else { &[] }, now);
    let html = ListPage {
        assets: &URLS,
        filters: Filters::new(&query.choice, &projects),
        without: without(&rows),
        rows,
        mixed,
        newer: query.newer(),
        older,
        base_url: base_url(&headers, state.config.tls_cert.is_some()),
        unknown_project,
        losses,
        query: &query,
    };
    Ok(Html(html.render()?))
}

/// The API's address as this browser would reach it.
fn base_url(headers: &HeaderMap, is_tls: bool) -> String {
    let scheme = if is_tls { "https" } else { "http" };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1:7273");
    format!("{scheme}://{host}/api/parea/v1")
}

fn without(rows: &[Row]) -> String {
    let columns = [
        ("no-scores", rows.iter().all(|row| row.failed_within == 0 && row.scores.is_empty())),
        ("no-tags", rows.iter().all(|row| row.tags.is_empty())),
        ("no-who", rows.iter().all(|row| row.user.is_none() && row.session.is_none())),
        ("no-tokens", rows.iter().all(|row| row.tokens.is_none())),
        ("no-cost", rows.iter().all(|row| row.cost.is_none())),
    ];
    let empty = columns.into_iter().filter(|(_, is_empty)| *is_empty);
    empty.map(|(class, _)| class).collect::<Vec<_>>().join(" ")
}

fn rows(traces: Vec<TraceSummary>, projects: &[Project], now: Timestamp) -> Vec<Row> {
    let names: HashMap<&str, &str> = projects.iter().map(|project| (&*project.uuid, &*project.name)).collect();
    let longest = traces.iter().filter_map(|trace| trace.latency).fold(0.0, f64::max);
    traces.into_iter().map(|trace| row(trace, &names, longest, now)).collect()
}

fn row(trace: TraceSummary, projects: &HashMap<&str, &str>, longest: f64, now: Timestamp) -> Row {
    let mut scores: Vec<ScoreChip> = trace.scores.iter().map(ScoreChip::from).collect();
    let more_scores = scores.split_off(scores.len().min(CHIPS));
    let mut tags = trace.tags;
    let more_tags = tags.split_off(tags.len().min(CHIPS));
    let tokens = trace.total_tokens.max(trace.input_tokens + trace.output_tokens);
    Row {
        url: trace::url(&trace.root_trace_id, None),
        name: trace.name.filter(|name| !name.is_empty()),
        mark: trace.has_root.then_some(match trace.status {
            Some(Status::Success) => Mark::Success,
            Some(Status::Error) => Mark::Error,
            None => Mark::Unknown,
        }),
        failed_within: if trace.status == Some(Status::Error) { 0 } else { trace.errors },
        project: projects.get(&*trace.project_uuid).map(|&name| name.to_owned()),
        started: Moment::new(trace.started, now),
        inputs: trace.inputs_preview.as_deref().map(glance::inputs).unwrap_or_default(),
        output: trace.output_preview.as_deref().map(glance::output).unwrap_or_default(),
        error: trace.error_preview.as_deref().map(glance::line).unwrap_or_default(),
        scores,
        more_scores,
        tags,
        more_tags,
        user: trace.end_user_identifier,
        session: trace.session_id,
        spans: figures::count(trace.spans as i64),
        tokens: (tokens > 0).then(|| figures::count(tokens)),
        tokens_in_detail: format!(
            "{} in, {} out",
            figures::exact(trace.input_tokens),
            figures::exact(trace.output_tokens)
        ),
        cost: trace.cost.filter(|cost| *cost != 0.0).map(figures::cost),
        latency: trace.latency.map(figures::duration),
        share: trace
            .latency
            .filter(|_| longest > 0.0)
            .map_or(0, |latency| (100.0 * (latency / longest).max(0.0).sqrt()) as u32),
        id: trace.root_trace_id,
    }
}
