//! A report as a table, as Markdown, and as JUnit's XML.

use std::{
    fmt::{self, Write as _},
    io,
};

use crate::report::{Outcome, Report, RowResult, RunStatus};

/// Failed rows that are shown; the JSON has all of them.
const SHOWN: usize = 10;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} · {} · {}", self.experiment, self.run_name, self.progress())?;
        let scores = self.score_lines();
        let width = scores.iter().map(|[name, ..]| name.chars().count()).max().unwrap_or(0);
        for [name, mean, interval, count] in &scores {
            let told = self.descriptions.get(name).map(|told| format!("  {}", cut(told, 80))).unwrap_or_default();
            writeln!(f, "  {name:<width$}  {mean:>8}  {interval:<18}  {count}{told}")?;
        }
        for score in &self.dataset_scores {
            writeln!(f, "  {:<width$}  {:>8}  (whole run)", score.name, number(score.score))?;
        }
        writeln!(f, "  {}", self.figures())?;
        for row in self.failures().take(SHOWN) {
            writeln!(
                f,
                "  ✗ row {}{} {}: {}",
                row.row,
                trial(&row),
                cut(&row.label(), 60),
                cut(row.error.as_deref().unwrap_or(""), 200)
            )?;
        }
        if self.failed() > SHOWN {
            writeln!(f, "  … and {} more failed rows", self.failed() - SHOWN)?;
        }
        for line in self.evaluation_errors() {
            writeln!(f, "  ! {line}")?;
        }
        for note in &self.notes {
            writeln!(f, "  note: {note}")?;
        }
        if let Some(comparison) = &self.comparison {
            write!(f, "\n{comparison}")?;
        }
        for check in &self.checks {
            writeln!(f, "{} {}", sign(check.outcome), check.message)?;
            for example in &check.examples {
                writeln!(f, "    {example}")?;
            }
        }
        if let Some(link) = &self.link {
            writeln!(f, "→ {link}")?;
        }
        Ok(())
    }
}

fn sign(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "✓",
        Outcome::NoEvidence => "?",
        Outcome::Failed => "✗",
    }
}

fn trial(row: &RowResult) -> String {
    if row.trial > 0 { format!(", trial {}", row.trial + 1) } else { String::new() }
}

impl Report {
    fn progress(&self) -> String {
        let mut text = match self.status {
            RunStatus::Interrupted => format!("{} of {} rows (interrupted)", self.rows.len(), self.planned),
            RunStatus::Stopped => {
                format!("{} of {} rows (stopped at the first failure)", self.rows.len(), self.planned)
            }
            _ => format!("{} rows", self.rows.len()),
        };
        if self.resumed > 0 {
            let _ = write!(text, ", {} of them done before", self.resumed);
        }
        let _ = write!(text, " in {:.1} s", self.seconds);
        text
    }

    /// Name, mean, interval and count of each score.
    fn score_lines(&self) -> Vec<[String; 4]> {
        let line = |score: crate::report::ScoreSummary| {
            let interval =
                score.interval.map_or("–".to_owned(), |i| format!("{} to {}", number(i.low), number(i.high)));
            [score.name, number(score.mean), interval, format!("n={}", score.count)]
        };
        self.scores().into_iter().map(line).collect()
    }

    fn figures(&self) -> String {
        let mut parts = Vec::new();
        if let (Some(middle), Some(most)) = (self.latency(0.5), self.latency(0.95)) {
            parts.push(format!("latency p50 {}, p95 {}", seconds(middle), seconds(most)));
        }
        let tokens: i64 = self.rows.cells().iter().map(|cell| cell.total_tokens).sum();
        if tokens > 0 {
            parts.push(format!("{tokens} tokens"));
        }
        if let Some(cost) = self.cost() {
            parts.push(format!("${cost:.4}"));
        }
        parts.push(format!("{} failed", self.failed()));
        parts.join(" · ")
    }

    /// Each error of an evaluation once, with how often it came.
    fn evaluation_errors(&self) -> Vec<String> {
        let mut counts: Vec<(String, usize)> = Vec::new();
        for error in self.rows.those(|cell| cell.complains).flat_map(|row| row.evaluation_errors) {
            match counts.iter().position(|(known, _)| *known == error) {
                Some(place) => counts[place].1 += 1,
                None if counts.len() < SHOWN => counts.push((error, 1)),
                None => {}
            }
        }
        counts.into_iter().map(|(error, count)| format!("evaluation {} ({count}×)", cut(&error, 200))).collect()
    }

    /// The report as Markdown, for a pull request or a job's summary.
    pub fn markdown(&self) -> String {
        let mut text = format!("## {} · {}\n\n{}\n\n", plain(&self.experiment), plain(&self.run_name), self.progress());
        text.push_str("| score | mean | 95 % interval | n |\n|---|---:|---|---:|\n");
        for cells in self.score_lines() {
            let _ = writeln!(text, "| {} |", cells.map(|cell| plain(&cell)).join(" | "));
        }
        for score in &self.dataset_scores {
            let _ = writeln!(text, "| {} | {} | whole run | |", plain(&score.name), number(score.score));
        }
        for (name, told) in &self.descriptions {
            let _ = writeln!(text, "\n`{}`: {}", plain(name), plain(told));
        }
        let _ = writeln!(text, "\n{}", self.figures());
        if self.failed() > 0 {
            let _ = write!(text, "\n<details><summary>{} rows failed</summary>\n\n", self.failed());
            for row in self.failures().take(50) {
                let error = row.error.as_deref().unwrap_or("");
                let _ = writeln!(text, "- row {}{}: `{}`", row.row, trial(&row), cut(error, 300).replace('`', "ˋ"));
            }
            text.push_str("\n</details>\n");
        }
        for note in &self.notes {
            let _ = writeln!(text, "\n> {}", plain(note));
        }
        if let Some(comparison) = &self.comparison {
            let _ = write!(text, "\n{}", comparison.markdown());
        }
        if !self.checks.is_empty() {
            text.push('\n');
        }
        for check in &self.checks {
            let _ = writeln!(text, "- {} {}", sign(check.outcome), plain(&check.message));
            for example in &check.examples {
                let _ = writeln!(text, "  - `{}`", example.replace('`', "ˋ"));
            }
        }
        if let Some(link) = &self.link {
            let _ = writeln!(text, "\n[{}]({link})", plain(&self.run_name));
        }
        text
    }

    /// The report as JUnit's XML, which CI systems show: a test case for each row, and one for each thing that was asked.
    pub fn junit(&self) -> String {
        let mut text = Vec::new();
        // Memory takes all that is written.
        let _ = self.junit_to(&mut text);
        String::from_utf8(text).unwrap_or_default()
    }

    pub(crate) fn junit_to(&self, out: &mut impl io::Write) -> io::Result<()> {
        let missed = |outcome| self.checks.iter().filter(|check| check.outcome == outcome).count();
        let (tests, errors) = (self.rows.len() + self.checks.len(), self.failed());
        let suite = xml(&self.experiment);
        write!(
            out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"{suite}\" tests=\"{tests}\" failures=\"{}\" \
             errors=\"{errors}\" skipped=\"{}\" time=\"{:.3}\">\n",
            missed(Outcome::Failed),
            missed(Outcome::NoEvidence),
            self.seconds
        )?;
        for row in self.rows.iter() {
            let name = xml(&format!("row {}{} {}", row.row, trial(&row), cut(&row.label(), 100)));
            write!(out, "  <testcase classname=\"{suite}\" name=\"{name}\" time=\"{:.3}\">", row.latency)?;
            if let Some(error) = &row.error {
                write!(out, "<error message=\"{}\">{}</error>", xml(&cut(error, 200)), xml(error))?;
            }
            let scores: Vec<String> =
                row.scores.iter().map(|score| format!("{} = {}", score.name, number(score.score))).collect();
            writeln!(out, "<system-out>{}</system-out></testcase>", xml(&scores.join("\n")))?;
        }
        for check in &self.checks {
            write!(out, "  <testcase classname=\"{suite}\" name=\"{}\">", xml(&check.name))?;
            let message = xml(&check.message);
            match check.outcome {
                Outcome::Passed => writeln!(out, "</testcase>")?,
                Outcome::NoEvidence => writeln!(out, "<skipped message=\"{message}\"/></testcase>")?,
                Outcome::Failed => {
                    let examples = xml(&check.examples.join("\n"));
                    writeln!(out, "<failure message=\"{message}\">{examples}</failure></testcase>")?;
                }
            }
        }
        out.write_all(b"</testsuite>\n")
    }
}

/// A row as an example of what went wrong: its score, its inputs, and what came out instead of what.
pub(crate) fn example(score: f64, row: &RowResult) -> String {
    let output = cut(row.output.as_deref().unwrap_or(""), 100);
    let instead = row.target.as_ref().map(|target| format!(", not {}", cut(target, 100))).unwrap_or_default();
    format!("{} row {}{} {}: {output}{instead}", number(score), row.row, trial(row), cut(&row.label(), 60))
}

/// At most four decimals, without zeros at the end.
fn number(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn seconds(value: f64) -> String {
    if value < 1.0 { format!("{:.1} ms", value * 1e3) } else { format!("{value:.2} s") }
}

/// The begin of a text on one line, without what would move a terminal's cursor.
fn cut(text: &str, letters: usize) -> String {
    let flat = || text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    let mut short: String = flat().take(letters).collect();
    if flat().count() > letters {
        short.push('…');
    }
    short
}

/// A text inside a line of Markdown.
fn plain(text: &str) -> String {
    cut(text, 400).replace('|', "\\|").replace('<', "&lt;")
}

/// A text inside XML. Control characters other than line ends and tabs have no place in it.
fn xml(text: &str) -> String {
    let allowed = |letter: &char| !letter.is_control() || matches!(letter, '\n' | '\t');
    let kept = text.chars().filter(allowed).filter(|letter| !matches!(letter, '\u{fffe}' | '\u{ffff}'));
    kept.fold(String::with_capacity(text.len()), |mut escaped, letter| {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            other => escaped.push(other),
        }
        escaped
    })
}
