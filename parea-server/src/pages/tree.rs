//! The logs of a trace in the order in which a tree is read.

use std::collections::HashMap;

use parea_types::{Status, TraceLog};

/// Deepest indent that is drawn. Deeper spans stand there too, with their depth as a number.
pub(super) const DEEPEST: u32 = 16;

/// What a span is, for its icon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A model call.
    Llm,
    /// An evaluation of its parent.
    Evaluation,
    /// Any other function.
    Function,
}

impl Kind {
    /// The name of the icon, and of the class that colours it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Llm => "llm",
            Self::Evaluation => "eval",
            Self::Function => "fn",
        }
    }

    /// In words, for those who cannot see the icon.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Llm => "model call",
            Self::Evaluation => "evaluation",
            Self::Function => "function",
        }
    }

    fn of(log: &TraceLog, parent: Option<&TraceLog>) -> Self {
        if log.configuration.model.is_some() {
            return Self::Llm;
        }
        let scores = parent.and_then(|parent| parent.scores.as_deref()).unwrap_or_default();
        match log.trace_name.as_deref() {
            Some(name) if scores.iter().any(|score| score.name == name) => Self::Evaluation,
            _ => Self::Function,
        }
    }
}

/// One span at its place in the tree.
pub(super) struct Node<'a> {
    pub(super) log: &'a TraceLog,
    pub(super) kind: Kind,
    /// Steps below the top level.
    pub(super) depth: u32,
    /// Whether it names a parent that is not here.
    pub(super) orphan: bool,
    /// Whether a sibling follows.
    pub(super) followed: bool,
    /// Bit *n*: the ancestor at depth *n* has a sibling that follows, so its line goes on past this row.
    pub(super) lines: u32,
}

/// Puts each log exactly once into reading order, whatever its links say: children below parents, siblings in execution
/// order. At the top stand the root, then what lost its parent; logs that form a ring are entered at their first.
pub(super) fn arrange<'a>(root_trace_id: &str, logs: &'a [TraceLog]) -> Vec<Node<'a>> {
    let index: HashMap<&str, usize> = logs.iter().enumerate().map(|(at, log)| (log.trace_id.as_str(), at)).collect();
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); logs.len()];
    let mut top = Vec::new();
    for (at, log) in logs.iter().enumerate() {
        match named_parent(log).map(|parent| index.get(parent)) {
            Some(Some(&parent)) if log.trace_id != root_trace_id => children[parent].push(at),
            _ => top.push(at),
        }
    }
    let order = |&at: &usize| (logs[at].execution_order, logs[at].start_timestamp);
    for siblings in &mut children {
        siblings.sort_by_key(order);
    }
    top.sort_by_key(|at| (logs[*at].trace_id != root_trace_id, order(at)));

    let mut walk = Walk { logs, root_trace_id, children, placed: vec![false; logs.len()], nodes: Vec::new() };
    walk.below(&top);
    // What is left hangs on no top: rings, and what hangs on them.
    for at in 0..logs.len() {
        if !walk.placed[at] {
            walk.below(&[at]);
        }
    }
    walk.nodes
}

fn named_parent(log: &TraceLog) -> Option<&str> {
    log.parent_trace_id.as_deref().filter(|parent| !parent.is_empty() && *parent != log.trace_id)
}

struct Walk<'a, 'b> {
    logs: &'a [TraceLog],
    root_trace_id: &'b str,
    children: Vec<Vec<usize>>,
    placed: Vec<bool>,
    nodes: Vec<Node<'a>>,
}

/// A span that waits for its place: a stack of these takes the place of recursion, for chains may be any length.
struct Pending {
    at: usize,
    parent: Option<usize>,
    depth: u32,
    followed: bool,
    lines: u32,
}

impl Walk<'_, '_> {
    fn below(&mut self, top: &[usize]) {
        let mut stack = Vec::new();
        pend(&mut stack, top, None, 0, 0);
        while let Some(next) = stack.pop() {
            if std::mem::replace(&mut self.placed[next.at], true) {
                continue;
            }
            let log = &self.logs[next.at];
            self.nodes.push(Node {
                log,
                kind: Kind::of(log, next.parent.map(|parent| &self.logs[parent])),
                depth: next.depth,
                orphan: next.parent.is_none() && log.trace_id != self.root_trace_id && named_parent(log).is_some(),
                followed: next.followed,
                lines: next.lines,
            });
            let goes_on = next.followed && next.depth < DEEPEST;
            let lines = next.lines | u32::from(goes_on) << next.depth.min(DEEPEST);
            pend(&mut stack, &self.children[next.at], Some(next.at), next.depth + 1, lines);
        }
    }
}

fn pend(stack: &mut Vec<Pending>, siblings: &[usize], parent: Option<usize>, depth: u32, lines: u32) {
    let last = siblings.len().saturating_sub(1);
    stack.extend(siblings.iter().enumerate().rev().map(|(n, &at)| Pending {
        at,
        parent,
        depth,
        followed: n < last,
        lines,
    }));
}

impl Node<'_> {
    /// Whether it failed.
    pub(super) fn failed(&self) -> bool {
        self.log.status == Some(Status::Error)
    }

    /// Its name, or what stands for one.
    pub(super) fn name(&self) -> &str {
        self.log.trace_name.as_deref().filter(|name| !name.is_empty()).unwrap_or("unnamed")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn log(id: usize, parent: Option<usize>) -> TraceLog {
        TraceLog {
            trace_id: id.to_string(),
            root_trace_id: Some("0".to_owned()),
            parent_trace_id: parent.map(|parent| parent.to_string()),
            execution_order: id as i64,
            ..TraceLog::default()
        }
    }

    fn shape(logs: &[TraceLog]) -> Vec<(&str, u32, bool)> {
        arrange("0", logs).iter().map(|node| (node.log.trace_id.as_str(), node.depth, node.orphan)).collect()
    }

    proptest! {
        #[test]
        fn every_log_has_exactly_one_place(parents in prop::collection::vec(prop::option::of(0usize..24), 0..20)) {
            let logs: Vec<TraceLog> = parents.iter().enumerate().map(|(id, parent)| log(id, *parent)).collect();
            let nodes = arrange("0", &logs);
            let mut ids: Vec<&str> = nodes.iter().map(|node| node.log.trace_id.as_str()).collect();
            ids.sort_unstable();
            ids.dedup();
            prop_assert_eq!(ids.len(), logs.len());
            prop_assert_eq!(nodes.len(), logs.len());
            for pair in nodes.windows(2) {
                prop_assert!(pair[1].depth <= pair[0].depth + 1);
            }
        }
    }

    #[test]
    fn children_stand_below_their_parents_in_execution_order() {
        let logs = [log(3, Some(0)), log(2, Some(1)), log(1, Some(0)), log(0, Some(0))];
        assert_eq!(shape(&logs), [("0", 0, false), ("1", 1, false), ("2", 2, false), ("3", 1, false)]);
    }

    #[test]
    fn a_line_runs_past_the_rows_between_two_siblings() {
        let logs = [log(0, None), log(1, Some(0)), log(2, Some(1)), log(3, Some(0)), log(4, Some(3))];
        let lines: Vec<(u32, bool)> = arrange("0", &logs).iter().map(|node| (node.lines, node.followed)).collect();
        assert_eq!(lines, [(0, false), (0, true), (0b10, false), (0, false), (0, false)]);
    }

    #[test]
    fn orphans_and_rings_stand_at_the_top() {
        let logs = [log(0, None), log(1, Some(9)), log(2, Some(1)), log(3, Some(4)), log(4, Some(3))];
        assert_eq!(shape(&logs), [("0", 0, false), ("1", 0, true), ("2", 1, false), ("3", 0, true), ("4", 1, false)]);
    }
}
