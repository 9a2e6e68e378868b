//! A trace as text: for tests, terminals and bug reports.

use std::{collections::HashMap, fmt::Write as _};

use parea_types::{Status, TraceLog, TraceLogTree};

/// How much of each span is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Name, status, error, scores: the same at every run, fit for a snapshot.
    Shape,
    /// Also the latency and the begin of inputs and output.
    Full,
}

/// Renders logs in any order, linked by their parents. Logs whose parent is not among them stand at the left, as
/// roots do.
///
/// ```text
/// answer (ok)
/// ├─ retrieve (error: no index)
/// └─ generate (ok) score accuracy 0.8
/// ```
pub fn render(logs: &[TraceLog], detail: Detail) -> String {
    let ids: HashMap<&str, usize> =
        logs.iter().enumerate().map(|(index, log)| (log.trace_id.as_str(), index)).collect();
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); logs.len()];
    let mut roots = Vec::new();
    for (index, log) in logs.iter().enumerate() {
        let parent = log.parent_trace_id.as_deref().filter(|parent| *parent != log.trace_id);
        match parent.and_then(|parent| ids.get(parent)) {
            Some(&parent) => children[parent].push(index),
            None => roots.push(index),
        }
    }
    let order = |&index: &usize| (logs[index].execution_order, logs[index].start_timestamp);
    roots.sort_by_key(|index| logs[*index].start_timestamp);
    for siblings in &mut children {
        siblings.sort_by_key(order);
    }

    let mut text = String::new();
    // Deep traces must not overflow the stack: what is still to be shown lies on the heap, the next line on top.
    let mut waiting: Vec<(usize, String, &str, &str)> =
        roots.into_iter().rev().map(|root| (root, String::new(), "", "")).collect();
    while let Some((index, indent, branch, below)) = waiting.pop() {
        text.push_str(&indent);
        text.push_str(branch);
        line(&logs[index], detail, &mut text);
        let indent = indent + below;
        for (nth, child) in children[index].iter().enumerate().rev() {
            let last = nth + 1 == children[index].len();
            let (branch, below) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            waiting.push((*child, indent.clone(), branch, below));
        }
    }
    text
}

/// [`render`] for a log with its descendants, as the server returns it.
pub fn render_tree(tree: &TraceLogTree, detail: Detail) -> String {
    let mut logs = Vec::new();
    let mut waiting = vec![tree];
    while let Some(tree) = waiting.pop() {
        logs.push(tree.log.clone());
        waiting.extend(&tree.children_logs);
    }
    render(&logs, detail)
}

fn line(log: &TraceLog, detail: Detail, text: &mut String) {
    text.extend(log.trace_name.as_deref().unwrap_or("(no name)").chars().map(printable));
    text.push_str(match log.status {
        Some(Status::Error) => " (error",
        Some(Status::Success) | None => " (ok",
    });
    if detail == Detail::Full
        && let Some(latency) = log.latency
    {
        // Writing to a string does not fail.
        let _ = write!(text, ", {}", human_seconds(latency));
    }
    if let Some(error) = &log.error {
        text.push_str(": ");
        text.push_str(&preview(error));
    }
    text.push(')');
    for score in log.scores.iter().flatten() {
        // Four decimals tell two runs apart; more only push the rest off the line.
        let shown = if score.score.abs() < 1e9 { (score.score * 1e4).round() / 1e4 } else { score.score };
        text.push_str(" score ");
        text.extend(score.name.chars().map(printable));
        let _ = write!(text, " {shown}");
    }
    if detail == Detail::Full {
        if let Some(inputs) = log.inputs.as_ref().filter(|inputs| !inputs.is_empty()) {
            let inputs: Vec<String> =
                inputs.iter().map(|(name, value)| format!("{name}={}", preview(&value.to_string()))).collect();
            let _ = write!(text, "  {}", inputs.join(" "));
        }
        if let Some(output) = &log.output {
            let _ = write!(text, " → {}", preview(output));
        }
    }
    text.push('\n');
}

/// The first line, or as much of it as fits beside others.
fn preview(text: &str) -> String {
    const LONGEST: usize = 60;
    let line = text.lines().next().unwrap_or_default();
    let end = line.char_indices().nth(LONGEST).map_or(line.len(), |(end, _)| end);
    let mut shown: String = line[..end].chars().map(printable).collect();
    if end < text.len() {
        shown.push('…');
    }
    shown
}

/// What a terminal takes for a command is none: names and outputs are foreign texts.
fn printable(letter: char) -> char {
    if letter.is_control() { ' ' } else { letter }
}

fn human_seconds(seconds: f64) -> String {
    if seconds < 1.0 {
        format!("{:.1} ms", seconds * 1e3)
    } else if seconds < 60.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{}m {:.0}s", (seconds / 60.0).floor(), seconds % 60.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_gives_a_terminal_no_commands() {
        let log = TraceLog {
            trace_name: Some("a\u{1b}[2Jb".to_owned()),
            output: Some("red \u{1b}[31m and \u{9b}0m\rover".to_owned()),
            ..TraceLog::default()
        };
        assert_eq!(render(&[log], Detail::Full), "a [2Jb (ok) → red  [31m and  0m over\n");
    }
}
