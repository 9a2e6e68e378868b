//! From logs that name their parents to a tree. Nothing here recurses: chains are thousands deep in practice.

use std::collections::HashMap;

use parea_types::{EvaluationScore, TraceLog, TraceLogTree};

use crate::row::latency;

/// Copies of scores in what is read of one trace. A chain of thousands of logs, each with scores, would be millions.
const MANY: usize = 250_000;

/// How many levels up scores are copied where they would be too many; to the root they are copied from anywhere.
const LEVELS: usize = 64;

/// Places siblings, and whole traces: by execution order, then start, then id.
pub(crate) fn in_order(a: &TraceLog, b: &TraceLog) -> std::cmp::Ordering {
    (a.execution_order, a.start_timestamp, &a.trace_id).cmp(&(b.execution_order, b.start_timestamp, &b.trace_id))
}

/// The number by which the API names a child: the upper 53 bits of the FNV-1a hash (64 bits) of its id's bytes, so
/// that JavaScript reads it exactly.
pub(crate) fn child_id(trace_id: &str) -> i64 {
    (fnv(trace_id) >> 11) as i64
}

/// The FNV-1a hash of a text, 64 bits.
pub(crate) fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Builds the tree below the log named `top`, filling in what reads promise: children by links as well as by what was
/// sent, scores of descendants, latency. Logs that do not hang below `top` are left out; whatever cycles the links
/// have, every log is placed at most once.
pub(crate) fn grow(top: &str, mut nodes: Vec<TraceLog>) -> Option<TraceLogTree> {
    nodes.sort_by(in_order);
    let index: HashMap<&str, usize> =
        nodes.iter().enumerate().map(|(place, log)| (log.trace_id.as_str(), place)).collect();
    let top = *index.get(top)?;
    let mut parents = vec![None; nodes.len()];
    let mut children = vec![Vec::new(); nodes.len()];
    for (place, log) in nodes.iter().enumerate() {
        let parent = log.parent_trace_id.as_deref().and_then(|parent| index.get(parent)).copied();
        if let Some(parent) = parent.filter(|parent| *parent != place && place != top) {
            parents[place] = Some(parent);
            children[parent].push(place);
        }
    }
    // Parents before children; a cycle apart from `top` is never reached.
    let mut order = vec![top];
    let mut next = 0;
    while let Some(&place) = order.get(next) {
        order.extend(&children[place]);
        next += 1;
    }
    let mut reached = vec![false; nodes.len()];
    for &place in &order {
        reached[place] = true;
    }
    let copies = copied_scores(&nodes, &parents, &reached, top);
    let links: Vec<Vec<String>> =
        children.iter().map(|children| children.iter().map(|child| nodes[*child].trace_id.clone()).collect()).collect();
    let mut grown: Vec<Option<TraceLogTree>> = nodes
        .into_iter()
        .zip(copies)
        .zip(links)
        .map(|((log, copies), links)| Some(TraceLogTree { log: fill(log, links, copies), children_logs: Vec::new() }))
        .collect();
    for &place in order.iter().rev() {
        let below = children[place].iter().filter_map(|child| grown[*child].take()).collect();
        if let Some(tree) = &mut grown[place] {
            tree.children_logs = below;
        }
    }
    grown[top].take()
}

/// For each log the scores of those below it. `nodes` are in execution order, and so are the copies.
fn copied_scores(
    nodes: &[TraceLog],
    parents: &[Option<usize>],
    reached: &[bool],
    top: usize,
) -> Vec<Vec<EvaluationScore>> {
    let root = Some(top).filter(|top| is_root(&nodes[*top]));
    let scored = || {
        let all = nodes.iter().enumerate().filter(|(place, _)| reached[*place]);
        all.map(|(place, log)| (place, log.scores.as_deref().unwrap_or_default()))
    };
    let levels = levels(scored().map(|(place, scores)| (place, scores.len())), parents);
    let mut copies = vec![Vec::new(); nodes.len()];
    for (place, scores) in scored().filter(|(_, scores)| !scores.is_empty()) {
        for ancestor in above(place, parents, levels, root) {
            copies[ancestor].extend(not_in(scores, nodes[ancestor].scores.as_deref()));
        }
    }
    copies
}

fn is_root(log: &TraceLog) -> bool {
    log.parent_trace_id.as_ref().is_none_or(|parent| *parent == log.trace_id)
}

/// How many levels up scores are copied: all, unless that makes too many copies. `scored` has how many each log carries.
pub(crate) fn levels(scored: impl Iterator<Item = (usize, usize)>, parents: &[Option<usize>]) -> usize {
    let mut copies = 0;
    for (place, count) in scored.filter(|(_, count)| *count > 0) {
        let mut above = parents[place];
        while let Some(ancestor) = above {
            copies += count;
            if copies > MANY {
                return LEVELS;
            }
            above = parents[ancestor];
        }
    }
    usize::MAX
}

/// Those to which the scores of the log at `place` are copied: so many levels of them, the nearest first, and `root`
/// however far it is.
pub(crate) fn above(
    place: usize,
    parents: &[Option<usize>],
    levels: usize,
    root: Option<usize>,
) -> impl Iterator<Item = usize> {
    let mut near = std::iter::successors(parents[place], |ancestor| parents[*ancestor]).take(levels);
    let mut far = root.filter(|root| *root != place);
    std::iter::from_fn(move || {
        let Some(ancestor) = near.next() else { return far.take() };
        far = far.filter(|root| *root != ancestor);
        Some(ancestor)
    })
}

/// The scores whose name the log does not carry itself.
pub(crate) fn not_in<'a>(
    scores: &'a [EvaluationScore],
    own: Option<&'a [EvaluationScore]>,
) -> impl Iterator<Item = EvaluationScore> + 'a {
    let own = own.unwrap_or_default();
    scores.iter().filter(|score| own.iter().all(|mine| mine.name != score.name)).cloned()
}

/// Fills one log. `links` are the ids of its children in order.
pub(crate) fn fill(mut log: TraceLog, links: Vec<String>, copies: Vec<EvaluationScore>) -> TraceLog {
    let mut children = links;
    let linked: std::collections::HashSet<String> = children.iter().cloned().collect();
    // Those that were announced and have not come, or that name another parent.
    children.extend(log.children.take().into_iter().flatten().filter(|child| !linked.contains(child)));
    log.children_ids = Some(children.iter().map(|child| child_id(child)).collect());
    log.children = Some(children);
    log.scores.get_or_insert_default().extend(copies);
    log.latency = latency(&log);
    log
}
