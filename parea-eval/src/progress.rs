//! How far a run has come, on one line of the terminal.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use crate::report::RowResult;

/// The line is drawn no more often than this.
const PAUSE: Duration = Duration::from_millis(100);

/// Nothing where stderr is no terminal, or where quiet was asked for.
#[derive(Debug)]
pub(crate) struct Progress {
    shown: bool,
    total: usize,
    done: usize,
    failed: usize,
    resumed: usize,
    cost: f64,
    scores: BTreeMap<String, (f64, f64)>,
    start: Instant,
    drawn: Option<Instant>,
}

impl Progress {
    pub(crate) fn new(total: usize, quiet: bool) -> Self {
        Self {
            shown: !quiet && io::stderr().is_terminal(),
            total,
            done: 0,
            failed: 0,
            resumed: 0,
            cost: 0.0,
            scores: BTreeMap::new(),
            start: Instant::now(),
            drawn: None,
        }
    }

    /// Counts a row that an earlier part of the run has done.
    pub(crate) fn resumed(&mut self, result: &RowResult) {
        self.resumed += 1;
        self.count(result);
    }

    /// Counts a row, and draws the line.
    pub(crate) fn row(&mut self, result: &RowResult) {
        self.count(result);
        if self.shown && self.drawn.is_none_or(|drawn| drawn.elapsed() >= PAUSE) {
            self.drawn = Some(Instant::now());
            // `\x1b[2K` empties the line, which may have been longer.
            let _ = write!(io::stderr(), "\r\x1b[2K{}", self.line());
        }
    }

    fn count(&mut self, result: &RowResult) {
        self.done += 1;
        self.failed += usize::from(result.error.is_some());
        self.cost += result.cost.unwrap_or(0.0);
        for score in &result.scores {
            let (sum, count) = self.scores.entry(score.name.clone()).or_default();
            *sum += score.score;
            *count += 1.0;
        }
    }

    /// Takes the line away: the report says the rest.
    pub(crate) fn end(&self) {
        if self.drawn.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[2K");
        }
    }

    fn line(&self) -> String {
        const WIDTH: usize = 20;
        let filled = (self.done * WIDTH).checked_div(self.total).unwrap_or(WIDTH).min(WIDTH);
        let rate = (self.done - self.resumed) as f64 / self.start.elapsed().as_secs_f64().max(1e-3);
        let bar = "━".repeat(filled) + &"─".repeat(WIDTH - filled);
        let mut line = format!("{bar} {}/{} · {rate:.1} rows/s", self.done, self.total);
        if self.failed > 0 {
            let _ = write!(line, " · {} failed", self.failed);
        }
        for (name, (sum, count)) in self.scores.iter().take(3) {
            let _ = write!(line, " · {name} {:.3}", sum / count);
        }
        if self.cost > 0.0 {
            let _ = write!(line, " · ${:.4}", self.cost);
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use parea_runtime::types::EvaluationScore;

    use super::*;

    #[test]
    fn the_line_tells_how_far_and_how_good() {
        let mut progress = Progress::new(4, true);
        progress.resumed(&RowResult::default());
        let scores = vec![EvaluationScore::new("exact", 1.0).unwrap()];
        progress.row(&RowResult { scores, cost: Some(0.5), ..RowResult::default() });
        progress.row(&RowResult { error: Some("no".to_owned()), ..RowResult::default() });
        let line = progress.line();
        assert!(line.starts_with("━━━━━━━━━━━━━━━───── 3/4 · "), "{line}");
        assert!(line.ends_with(" rows/s · 1 failed · exact 1.000 · $0.5000"), "{line}");
    }
}
