//! `/traces/{root_trace_id}`: one trace as tree and waterfall, and one of its spans in full.

use std::fmt::Write as _;

use askama::Template;
use axum::{
    extract::{Path, RawQuery, State},
    response::{Html, IntoResponse, Redirect, Response},
};
use parea_types::{Status, TraceLog};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    assets::{URLS, Urls},
    failure::Failure,
    figures::{self, ScoreChip},
    list_query::ListQuery,
    moment::{self, Moment},
    span::{Pane, Part},
    tree::{self, DEEPEST, Kind, Node},
    waterfall::{self, Axis, Bar, Tick},
};
use crate::{auth::Access, state::AppState};

/// Rows of a tree that are sent at once; browsers stay quick with as many.
const ROWS: usize = 2_000;
/// Score chips in the header; the others are counted.
const CHIPS: usize = 6;
/// Pixels of one step of indent and of a row's height, as the guides are drawn.
const STEP: u32 = 13;
const MIDDLE: u32 = 13;

#[derive(Template)]
#[template(path = "trace.html")]
struct TracePage<'a> {
    assets: &'a Urls,
    id: &'a str,
    /// Name of the root; `None` while it has not come.
    name: Option<&'a str>,
    status: Option<Status>,
    started: Moment,
    latency: Option<String>,
    spans: String,
    errors: usize,
    tokens: Option<String>,
    tokens_in_detail: String,
    cost: Option<String>,
    scores: Vec<ScoreChip>,
    more_scores: Vec<ScoreChip>,
    tags: &'a [String],
    project: Option<String>,
    project_url: String,
    ticks: Vec<Tick>,
    rows: Vec<Row<'a>>,
    /// Which rows these are, when they are not all.
    slice: Option<Slice>,
    pane: Pane,
}

/// A part of a tree that is too long for one page.
struct Slice {
    first: String,
    last: String,
    all: String,
    earlier: Option<String>,
    later: Option<String>,
}

/// The pane alone, for the script.
#[derive(Template)]
#[template(path = "span.html")]
struct SpanFragment {
    pane: Pane,
}

struct Row<'a> {
    query: String,
    name: &'a str,
    kind: Kind,
    level: u32,
    failed: bool,
    orphan: bool,
    selected: bool,
    model: Option<&'a str>,
    latency: Option<String>,
    bar: Bar,
    guides: Guides,
}

/// The lines that lead from a parent to its children, as an SVG path.
struct Guides {
    width: u32,
    path: String,
    /// The true depth, where it is beyond what is drawn.
    beyond: Option<u32>,
}

impl Guides {
    fn new(node: &Node<'_>) -> Self {
        let drawn = node.depth.min(DEEPEST);
        let mut path = String::new();
        // Writing to a String cannot fail.
        for depth in (1..drawn).filter(|depth| node.lines >> depth & 1 == 1) {
            let _ = write!(path, "M{} 0v{}", depth * STEP - STEP / 2, 2 * MIDDLE);
        }
        if drawn > 0 {
            let x = drawn * STEP - STEP / 2;
            let _ = write!(path, "M{x} 0v{MIDDLE}h{}", STEP / 2 - 1);
            if node.followed && node.depth <= DEEPEST {
                let _ = write!(path, "M{x} {MIDDLE}v{MIDDLE}");
            }
        }
        Self { width: drawn * STEP, path, beyond: (node.depth > DEEPEST).then_some(node.depth) }
    }
}

/// What the URL says beyond the trace's id.
#[derive(Default)]
struct Selection {
    span: Option<String>,
    pane_only: bool,
}

impl Selection {
    fn parse(query: &str) -> Self {
        let mut selection = Self::default();
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "span" => selection.span = Some(value.into_owned()),
                "part" => selection.pane_only = value == "span",
                _ => {}
            }
        }
        selection
    }
}

/// `GET /traces/{root_trace_id}`
pub(super) async fn show(
    State(state): State<AppState>,
    access: Access,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let logs = state.logs.trace_in(&access.to_see(), &id).await?;
    if logs.is_empty() {
        return elsewhere(&state, &access, id).await;
    }
    let selection = Selection::parse(query.as_deref().unwrap_or_default());
    let now = moment::now();
    let axis = Axis::new(&logs);
    let nodes = tree::arrange(&id, &logs);
    let selected = selection.span.as_deref().and_then(|span| nodes.iter().position(|node| node.log.trace_id == span));
    let selected = selected.unwrap_or(0);
    let Some(pane) = Pane::new(&nodes, selected, &axis, now) else { return Err(Failure::NoTrace(id)) };
    if selection.pane_only {
        return Ok(Html(SpanFragment { pane }.render()?).into_response());
    }

    let root = logs.iter().find(|log| log.trace_id == id);
    let projects = state.catalog.projects().await?;
    let sum = |of: fn(&TraceLog) -> Option<i64>| logs.iter().filter_map(of).fold(0, i64::saturating_add);
    let (input, output) = (sum(|log| log.input_tokens), sum(|log| log.output_tokens));
    let tokens = sum(|log| log.total_tokens).max(input.saturating_add(output));
    let cost = logs.iter().filter_map(|log| log.cost).sum::<f64>();
    let mut scores: Vec<ScoreChip> =
        nodes.iter().flat_map(|node| node.log.scores.iter().flatten()).map(ScoreChip::from).collect();
    let more_scores = scores.split_off(scores.len().min(CHIPS));
    let project = logs.iter().find_map(|log| log.project_uuid.as_deref());
    let project = projects.into_iter().find(|known| Some(&*known.uuid) == project).map(|project| project.name);
    let page = TracePage {
        assets: &URLS,
        name: root.map(|root| root.trace_name.as_deref().filter(|name| !name.is_empty()).unwrap_or("unnamed")),
        status: root.and_then(|root| root.status),
        started: Moment::new(logs.iter().map(|log| log.start_timestamp).min().unwrap_or_default(), now),
        latency: root.and_then(waterfall::latency).map(figures::duration),
        spans: figures::exact(logs.len() as i64),
        errors: nodes.iter().filter(|node| node.failed()).count(),
        tokens: (tokens > 0).then(|| figures::count(tokens)),
        tokens_in_detail: format!("{} in, {} out", figures::exact(input), figures::exact(output)),
        cost: (cost != 0.0).then(|| figures::cost(cost)),
        scores,
        more_scores,
        tags: root.and_then(|root| root.tags.as_deref()).unwrap_or_default(),
        project_url: ListQuery::of_project(project.clone()).to_string(),
        project,
        ticks: axis.ticks(),
        slice: slice(&nodes, selected),
        rows: rows(&nodes, selected, &axis),
        pane,
        id: &id,
    };
    Ok(Html(page.render()?).into_response())
}

/// Any span's id leads to its trace.
async fn elsewhere(state: &AppState, access: &Access, id: String) -> Result<Response, Failure> {
    let tree = state.logs.tree_in(&access.to_see(), &id).await?;
    match tree.as_ref().and_then(|tree| tree.log.root_trace_id.as_deref()).filter(|root| *root != id) {
        Some(root) => Ok(Redirect::temporary(&url(root, Some(&id))).into_response()),
        None => Err(Failure::NoTrace(id)),
    }
}

fn rows<'a>(nodes: &[Node<'a>], selected: usize, axis: &Axis) -> Vec<Row<'a>> {
    let first = selected / ROWS * ROWS;
    let row = |(at, node): (usize, &Node<'a>)| Row {
        query: span_query(node.log),
        name: node.log.trace_name.as_deref().filter(|name| !name.is_empty()).unwrap_or("unnamed"),
        kind: node.kind,
        level: node.depth + 1,
        failed: node.failed(),
        orphan: node.orphan,
        selected: at == selected,
        model: node.log.configuration.model.as_deref(),
        latency: waterfall::latency(node.log).map(figures::duration),
        bar: axis.bar(node.log),
        guides: Guides::new(node),
    };
    nodes.iter().enumerate().skip(first).take(ROWS).map(row).collect()
}

fn slice(nodes: &[Node<'_>], selected: usize) -> Option<Slice> {
    let first = selected / ROWS * ROWS;
    let end = nodes.len().min(first + ROWS);
    let link = |at: usize| nodes.get(at).map(|node| span_query(node.log));
    (nodes.len() > ROWS).then(|| Slice {
        first: figures::exact(first as i64 + 1),
        last: figures::exact(end as i64),
        all: figures::exact(nodes.len() as i64),
        earlier: first.checked_sub(ROWS).and_then(link),
        later: link(end),
    })
}

/// What a path segment or a query value may hold as it is: what RFC 3986 calls unreserved.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The address of a trace, with one of its spans selected.
pub(super) fn url(root_trace_id: &str, span: Option<&str>) -> String {
    let mut url = format!("/traces/{}", utf8_percent_encode(root_trace_id, SEGMENT));
    if let Some(span) = span {
        url.push_str("?span=");
        url.extend(utf8_percent_encode(span, SEGMENT));
    }
    url
}

/// A text as one segment of an address.
pub(super) fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// The address of a span of the trace that is being looked at.
pub(super) fn span_query(log: &TraceLog) -> String {
    format!("?span={}", utf8_percent_encode(&log.trace_id, SEGMENT))
}
