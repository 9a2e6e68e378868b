//! `/search`: the spans in which all words of a query stand, the last to arrive first.

use std::collections::HashMap;

use askama::Template;
use axum::{
    extract::{RawQuery, State},
    response::Html,
};
use parea_store::{
    Project, Scope, TextPage,
    text::{Field, TextQuery},
};
use parea_types::{Status, Timestamp, TraceLog};

use super::{
    assets::{URLS, Urls},
    choice::{Choice, Filters},
    failure::Failure,
    figures, glance,
    list_query::ListQuery,
    markup::Markup,
    moment::{self, Moment},
    search_query::SearchQuery,
    snippet, trace, waterfall,
};
use crate::{auth::Access, state::AppState};

/// Spans on one page.
const LIMIT: u32 = 30;
/// Texts of a span that are shown; more are needed only for several words in as many places.
const TEXTS: usize = 3;
/// Characters of inputs or output that are looked at for a line about them.
const GLANCE: usize = 2_000;

#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage<'a> {
    assets: &'a Urls,
    query: &'a SearchQuery,
    filters: Filters<'a>,
    /// Why nothing can be looked for.
    refusal: Option<String>,
    rows: Vec<Row>,
    /// A project in the URL that is not in the store.
    unknown_project: bool,
    /// Whether one answer's share of the store was read before the page was full or the end was reached.
    unfinished: bool,
    /// The age of what was read last then.
    reached: Option<Moment>,
    newer: Option<SearchQuery>,
    older: Option<SearchQuery>,
}

struct Row {
    url: String,
    name: Markup,
    status: Option<Status>,
    /// Where the span belongs, unless it is the root.
    trace: Option<Above>,
    project: Option<String>,
    started: Moment,
    latency: Option<String>,
    texts: Vec<Text>,
}

/// The trace of a span.
enum Above {
    Named(String),
    Unnamed,
}

struct Text {
    field: &'static str,
    key: Option<String>,
    line: Markup,
    /// Whether it is there for its words, and not to tell what the span is about.
    is_hit: bool,
}

impl SearchPage<'_> {
    /// Whether nothing was asked.
    fn is_blank(&self) -> bool {
        self.query.text.trim().is_empty()
    }

    /// The same choice among traces.
    fn traces(&self) -> ListQuery {
        ListQuery::of(self.query.choice.clone())
    }

    /// The same words among all that this reader may see.
    fn everywhere(&self) -> SearchQuery {
        self.query.among(Choice::default())
    }
}

/// `GET /search`
pub(super) async fn show(
    State(state): State<AppState>,
    access: Access,
    RawQuery(query): RawQuery,
) -> Result<Html<String>, Failure> {
    let query = SearchQuery::parse(query.as_deref().unwrap_or_default());
    let mut projects = state.catalog.projects().await?;
    projects.retain(|project| access.has_uuid(&project.uuid));
    let now = moment::now();
    let chosen = query.choice.project.as_deref().map(|name| projects.iter().find(|project| project.name == name));
    let unknown_project = matches!(chosen, Some(None));
    let parsed = TextQuery::parse(&query.text);
    let page = match &parsed {
        Ok(words) if !unknown_project => {
            let scope = match chosen.flatten() {
                Some(project) => Scope { project: Some(project.uuid.clone()) },
                None => access.to_see(),
            };
            Some(state.logs.text(&scope, words, &query.choice.filter(now), query.after, LIMIT).await?)
        }
        _ => None,
    };
    let mixed = query.choice.project.is_none() && projects.len() > 1;
    let next = page.as_ref().and_then(|page| page.next);
    let unfinished = next.is_some() && page.as_ref().is_some_and(|page| page.rows.len() < LIMIT as usize);
    // It may be another project's log that was read last.
    let reached = page.as_ref().and_then(|page| page.reached).filter(|_| access.project.is_none());
    let rows = match (page, &parsed) {
        (Some(page), Ok(words)) => rows(page, words, if mixed { &projects } else { &[] }, now),
        _ => Vec::new(),
    };
    let html = SearchPage {
        assets: &URLS,
        filters: Filters::new(&query.choice, &projects),
        refusal: parsed.err().map(|error| error.to_string()),
        rows,
        unknown_project,
        unfinished,
        reached: reached.map(|reached| Moment::new(reached, now)),
        newer: query.newer(),
        older: next.map(|next| query.older(next)),
        query: &query,
    };
    Ok(Html(html.render()?))
}

fn rows(page: TextPage, words: &TextQuery, projects: &[Project], now: Timestamp) -> Vec<Row> {
    let names: HashMap<&str, &str> = projects.iter().map(|project| (&*project.uuid, &*project.name)).collect();
    let found = page.rows.iter().zip(page.trace_names);
    found.map(|(log, trace_name)| row(log, trace_name, words, &names, now)).collect()
}

fn row(
    log: &TraceLog,
    trace_name: Option<String>,
    words: &TextQuery,
    projects: &HashMap<&str, &str>,
    now: Timestamp,
) -> Row {
    let name = log.trace_name.as_deref().filter(|name| !name.is_empty()).unwrap_or("unnamed");
    let root = log.root_trace_id.as_deref().unwrap_or(&log.trace_id);
    let is_root = root == log.trace_id;
    Row {
        url: trace::url(root, (!is_root).then_some(&log.trace_id)),
        name: snippet::whole(name, &words.words(name)),
        status: log.status,
        trace: (!is_root).then(|| trace_name.filter(|name| !name.is_empty()).map_or(Above::Unnamed, Above::Named)),
        project: log.project_uuid.as_deref().and_then(|uuid| projects.get(uuid)).map(|&name| name.to_owned()),
        started: Moment::new(log.start_timestamp, now),
        latency: waterfall::latency(log).map(figures::duration),
        texts: texts(log, words),
    }
}

/// What is shown of a span: the texts with the words, and where only its name has them, what the span is about.
fn texts(log: &TraceLog, words: &TextQuery) -> Vec<Text> {
    let hits = words.hits(log).into_iter().filter(|hit| hit.field != Field::Name).take(TEXTS);
    let mut texts: Vec<Text> = hits
        .map(|hit| Text {
            field: field(hit.field),
            key: hit.key.map(str::to_owned),
            line: snippet::around(&hit.text, &hit.words),
            is_hit: true,
        })
        .collect();
    if texts.is_empty() {
        let told =
            |field, line: String| Text { field, key: None, line: Markup::marked([(false, &*line)]), is_hit: false };
        let inputs = log.inputs.as_ref().filter(|inputs| !inputs.is_empty()).map(|inputs| {
            let json = serde_json::to_string(inputs).unwrap_or_default();
            told(field(Field::Inputs), glance::inputs(begin(&json)))
        });
        let output = log.output.as_deref().map(|text| told(field(Field::Output), glance::output(begin(text))));
        texts.extend(inputs.or(output));
    }
    texts
}

fn field(field: Field) -> &'static str {
    match field {
        Field::Name => "name",
        Field::Output => "output",
        Field::Error => "error",
        Field::Inputs => "input",
        Field::Metadata => "metadata",
        Field::Messages => "message",
    }
}

fn begin(text: &str) -> &str {
    text.char_indices().nth(GLANCE).map_or(text, |(end, _)| &text[..end])
}
