//! What was measured, as a table.

use std::time::Duration;

use super::{queries::Query, rounds::Round, workload::Ids};

/// Figures as they come, printed at the end too.
pub(super) struct Table {
    title: String,
    rows: Vec<(String, String)>,
}

impl Table {
    pub(super) fn new(spans: u64, ids: Ids) -> Self {
        Self { title: format!("{spans} spans, ids of version {}", ids.version()), rows: Vec::new() }
    }

    pub(super) fn row(&mut self, what: &str, figure: String) {
        println!("{what}: {figure}");
        self.rows.push((what.to_owned(), figure));
    }

    pub(super) fn round(&mut self, what: &str, round: &Round) {
        let rate = round.spans as f64 / round.elapsed.as_secs_f64();
        let cpu = round.cpu / round.spans as f64 * 1e4;
        let (median, p95) = (quantile(&round.answers, 0.5), quantile(&round.answers, 0.95));
        let longest = quantile(&round.answers, 1.0);
        self.row(
            what,
            format!("{rate:.0} spans/s; answers {median}, p95 {p95}, longest {longest}; {cpu:.2} CPU-s per 10,000"),
        );
    }

    pub(super) fn query(&mut self, query: &Query) {
        let (median, p95) = (quantile(&query.answers, 0.5), quantile(&query.answers, 0.95));
        self.row(&format!("query: {}", query.name), format!("{median}, p95 {p95} ({} found)", query.found));
    }

    pub(super) fn print(&self) {
        println!("\n| {} | |\n|---|---|", self.title);
        for (what, figure) in &self.rows {
            println!("| {what} | {figure} |");
        }
    }
}

pub(super) fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

pub(super) fn millis(time: Duration) -> String {
    quantile(&[time], 1.0)
}

/// In milliseconds.
fn quantile(answers: &[Duration], at: f64) -> String {
    let mut sorted = answers.to_vec();
    sorted.sort_unstable();
    let place = ((sorted.len() as f64 * at).ceil() as usize).clamp(1, sorted.len().max(1)) - 1;
    let millis = sorted.get(place).map_or(f64::NAN, |answer| answer.as_secs_f64() * 1e3);
    if millis < 10.0 { format!("{millis:.1} ms") } else { format!("{millis:.0} ms") }
}
