//! Whatever order logs arrive in, and however often: the trees and sums are those of a plain model in memory.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use parea_store::{After, LogFilter, Logs, Patch, Scope, SqliteStore};
use parea_types::{Status, Timestamp, TraceLog, TraceLogTree};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::json;

/// One version of a log. Some ids are parents that never come.
#[derive(Clone, Debug)]
struct Version {
    id: u8,
    parent: Option<u8>,
    root: Option<u8>,
    started: u8,
    order: u8,
    tokens: u8,
    cost: Option<u8>,
    is_error: Option<bool>,
    score: Option<(&'static str, u8)>,
}

/// Some are UUIDs, which the store keeps in another form than other texts, and all are in the order of their numbers.
fn name(id: u8) -> String {
    let last = if id.is_multiple_of(2) { 'f' } else { 'g' };
    format!("{id:08x}-0000-4000-8000-00000000000{last}")
}

fn number(name: &str) -> u8 {
    u8::from_str_radix(&name[..8], 16).unwrap()
}

impl Version {
    /// As a client sends it, with the place in the history that its `last_updated_at` gives it.
    fn patch(&self, age: usize) -> Patch {
        let time = |seconds: usize| Timestamp::from_micros(1_700_000_000_000_000 + seconds as i64 * 1_000_000).unwrap();
        Patch::Post(Box::new(
            serde_json::from_value(json!({
                "trace_id": name(self.id),
                "parent_trace_id": self.parent.map(name),
                "root_trace_id": self.root.map(name),
                "project_name": "p",
                "start_timestamp": time(usize::from(self.started)),
                "execution_order": self.order,
                "input_tokens": self.tokens,
                "cost": self.cost.map(|quarters| f64::from(quarters) / 4.0),
                "status": self.is_error.map(|is_error| if is_error { "error" } else { "success" }),
                "scores": self.score.map(|(name, score)| json!([{"name": name, "score": score}])),
                "last_updated_at": time(1000 + age),
            }))
            .unwrap(),
        ))
    }

    /// This one with what a newer one says over it.
    fn under(&self, newer: &Self) -> Self {
        Self {
            id: self.id,
            parent: newer.parent.or(self.parent),
            root: newer.root.or(self.root),
            started: newer.started,
            order: if newer.order == 0 { self.order } else { newer.order },
            tokens: if newer.tokens == 0 { self.tokens } else { newer.tokens },
            cost: newer.cost.filter(|cost| *cost > 0).or(self.cost).or(newer.cost),
            is_error: newer.is_error.or(self.is_error),
            score: None,
        }
    }
}

/// What all versions together make.
struct Model {
    logs: BTreeMap<u8, Version>,
    /// Scores by log, the newest last.
    scores: BTreeMap<u8, Vec<(&'static str, u8)>>,
}

impl Model {
    fn of(versions: &[Version]) -> Self {
        let mut model = Self { logs: BTreeMap::new(), scores: BTreeMap::new() };
        for version in versions {
            let log = model.logs.get(&version.id).map_or_else(|| version.clone(), |older| older.under(version));
            model.logs.insert(version.id, log);
            let scores = model.scores.entry(version.id).or_default();
            if let Some((name, score)) = version.score {
                scores.retain(|(other, _)| *other != name);
                scores.push((name, score));
            }
        }
        model
    }

    fn parent(&self, id: u8) -> u8 {
        self.logs[&id].parent.unwrap_or(id)
    }

    fn root(&self, id: u8) -> u8 {
        let mut way = Vec::new();
        let mut at = id;
        loop {
            if let Some(start) = way.iter().position(|seen| *seen == at) {
                return *way[start..].iter().min().unwrap();
            }
            way.push(at);
            match self.logs.get(&at) {
                None => return at,
                Some(log) => match (log.root, self.parent(at)) {
                    (Some(root), _) => return root,
                    (None, parent) if parent == at => return at,
                    (None, parent) => at = parent,
                },
            }
        }
    }

    /// Ids in execution order.
    fn ordered(&self, ids: impl IntoIterator<Item = u8>) -> Vec<u8> {
        let mut ids: Vec<u8> = ids.into_iter().collect();
        ids.sort_by_key(|id| (self.logs[id].order, self.logs[id].started, *id));
        ids
    }

    fn children(&self, id: u8) -> Vec<u8> {
        self.ordered(self.logs.keys().copied().filter(|child| *child != id && self.parent(*child) == id))
    }

    /// All below a log, itself included.
    fn below(&self, top: u8) -> BTreeSet<u8> {
        let mut found = BTreeSet::from([top]);
        loop {
            let before = found.len();
            found.extend(self.logs.keys().copied().filter(|id| found.contains(&self.parent(*id))).collect::<Vec<_>>());
            if found.len() == before {
                return found;
            }
        }
    }

    fn scores(&self, top: u8, ids: impl IntoIterator<Item = u8>) -> Vec<(String, f64)> {
        let own = self.scores.get(&top).cloned().unwrap_or_default();
        let others = self.ordered(ids).into_iter().filter(|id| *id != top).flat_map(|id| self.scores[&id].clone());
        let copies: Vec<_> = others.filter(|(name, _)| own.iter().all(|(mine, _)| mine != name)).collect();
        own.into_iter().chain(copies).map(|(name, score)| (name.to_owned(), f64::from(score))).collect()
    }

    /// The tree below a log as lines: depth, id, scores.
    fn tree(&self, top: u8) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut waiting = vec![(0, top)];
        while let Some((depth, id)) = waiting.pop() {
            let children: Vec<u8> = self.children(id).into_iter().filter(|child| *child != top).collect();
            let below =
                if self.below(id).contains(&top) && id != top { self.cut_below(id, top) } else { self.below(id) };
            lines.push((depth, name(id), self.scores(id, below)));
            waiting.extend(children.into_iter().rev().map(|child| (depth + 1, child)));
        }
        lines
    }

    /// All below `id` when `top`, which is in a circle with it, hangs nowhere.
    fn cut_below(&self, id: u8, top: u8) -> BTreeSet<u8> {
        let mut logs = self.logs.clone();
        logs.get_mut(&top).unwrap().parent = None;
        Self { logs, scores: self.scores.clone() }.below(id)
    }
}

type Line = (usize, String, Vec<(String, f64)>);

fn scores(log: &TraceLog) -> Vec<(String, f64)> {
    log.scores.iter().flatten().map(|score| (score.name.clone(), score.score)).collect()
}

fn lines(tree: &TraceLogTree) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut waiting = vec![(0, tree)];
    while let Some((depth, tree)) = waiting.pop() {
        lines.push((depth, tree.log.trace_id.clone(), scores(&tree.log)));
        waiting.extend(tree.children_logs.iter().rev().map(|child| (depth + 1, child)));
    }
    lines
}

fn version() -> impl Strategy<Value = Version> {
    let link = || prop::option::weighted(0.7, 0..8_u8);
    let root = prop::option::weighted(0.3, 0..8_u8);
    let score = prop::option::weighted(0.4, (select(vec!["x", "y", "z"]), 0..4_u8));
    (
        0..6_u8,
        link(),
        root,
        0..20_u8,
        0..4_u8,
        0..5_u8,
        prop::option::of(0..3_u8),
        prop::option::of(any::<bool>()),
        score,
    )
        .prop_map(|(id, parent, root, started, order, tokens, cost, is_error, score)| Version {
            id,
            parent,
            root,
            started,
            order,
            tokens,
            cost,
            is_error,
            score,
        })
}

/// Versions from old to new, and the order in which they arrive, some twice, in batches.
fn history() -> impl Strategy<Value = (Vec<Version>, Vec<usize>, usize)> {
    vec(version(), 1..12).prop_flat_map(|versions| {
        let count = versions.len();
        let repeats = vec(0..count, 0..4);
        let arrivals = repeats.prop_flat_map(move |repeats| {
            let all: Vec<usize> = (0..count).chain(repeats).collect();
            Just(all).prop_shuffle()
        });
        (Just(versions), arrivals, 1..6_usize)
    })
}

async fn check(versions: &[Version], arrivals: &[usize], batch: usize) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    for batch in arrivals.chunks(batch) {
        store.commit(batch.iter().map(|age| versions[*age].patch(*age)).collect()).await.unwrap();
    }
    let model = Model::of(versions);
    for id in 0..8 {
        let read = store.tree(&name(id)).await.unwrap();
        prop_assert_eq!(read.as_ref().map(lines), model.logs.contains_key(&id).then(|| model.tree(id)));
    }
    let mut roots: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
    for id in model.logs.keys() {
        roots.entry(model.root(*id)).or_default().push(*id);
    }
    let traces = store.traces(&Scope::default(), &LogFilter::default(), After::Start, 100).await.unwrap().rows;
    prop_assert_eq!(traces.len(), roots.len());
    for trace in traces {
        let root = number(&trace.root_trace_id);
        let ids = roots.get(&root).cloned().unwrap_or_default();
        let logs: Vec<&Version> = ids.iter().map(|id| &model.logs[id]).collect();
        let own = logs.iter().find(|log| log.id == root);
        prop_assert_eq!(trace.spans, logs.len() as u64);
        prop_assert_eq!(trace.errors, logs.iter().filter(|log| log.is_error == Some(true)).count() as u64);
        prop_assert_eq!(trace.input_tokens, logs.iter().map(|log| i64::from(log.tokens)).sum::<i64>());
        let costs: Vec<f64> = logs.iter().filter_map(|log| log.cost).map(|cost| f64::from(cost) / 4.0).collect();
        prop_assert_eq!(trace.cost, (!costs.is_empty()).then(|| costs.iter().sum()));
        let earliest = logs.iter().map(|log| i64::from(log.started)).min().unwrap();
        prop_assert_eq!(trace.started.micros(), 1_700_000_000_000_000 + earliest * 1_000_000);
        prop_assert_eq!(trace.has_root, own.is_some());
        prop_assert_eq!(trace.status.map(|status| status == Status::Error), own.and_then(|log| log.is_error));
        let summed: Vec<_> = trace.scores.iter().map(|score| (score.name.clone(), score.score)).collect();
        let top = own.map_or(u8::MAX, |log| log.id);
        prop_assert_eq!(summed, model.scores(top, ids.iter().copied()));
        let unlinked = store.trace(&trace.root_trace_id).await.unwrap();
        let order: Vec<_> = unlinked.iter().map(|log| log.trace_id.clone()).collect();
        prop_assert_eq!(order, model.ordered(ids).into_iter().map(name).collect::<Vec<_>>());
    }
    let page = store.page(&Scope::default(), &LogFilter::default(), After::Start, 100).await.unwrap().rows;
    prop_assert_eq!(page.len(), model.logs.len());
    for row in page {
        let id = number(&row.log.trace_id);
        let is_root = model.parent(id) == id;
        prop_assert_eq!(row.log.parent_trace_id.clone(), Some(name(model.parent(id))));
        prop_assert_eq!(row.log.root_trace_id.clone(), Some(name(model.root(id))));
        let whole = model.tree(id);
        prop_assert_eq!(scores(&row.log), whole[0].2.clone());
        prop_assert_eq!(lines(&row), if is_root { whole } else { whole[..1].to_vec() });
        let children: Vec<String> = model.children(id).into_iter().map(name).collect();
        prop_assert_eq!(row.log.children.clone(), Some(children));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_order_of_arrival_ends_in_the_same_trees((versions, arrivals, batch) in history()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(check(&versions, &arrivals, batch))?;
    }
}
