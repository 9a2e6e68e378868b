//! A comparison for the terminal and for a pull request.

use std::fmt::{self, Write as _};

use crate::comparison::{Comparison, Flip, Method, ScoreComparison, Verdict};

/// Flips that are shown of each score; the JSON has all of them.
const SHOWN: usize = 5;

/// Letters of an output that are shown.
const LETTERS: usize = 120;

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} compared with {}: {} rows paired by content{}",
            self.candidate,
            self.baseline,
            self.paired,
            self.unpaired()
        )?;
        if self.scores.is_empty() {
            return writeln!(f, "No score is in both runs.");
        }
        let interval = format!("{:.0} % interval", self.confidence * 100.0);
        let heads = ["score", "baseline", "candidate", "difference", &interval, "p (Holm)", "rows", "verdict"];
        let mut table = vec![heads.map(str::to_owned)];
        table.extend(self.scores.iter().map(cells));
        write_table(f, &table)?;
        for score in &self.scores {
            writeln!(f, "{}: {}", score.name, self.sentence(score))?;
        }
        for score in self.scores.iter().filter(|score| !score.flips.is_empty()) {
            writeln!(f, "\n{}: {} rows changed", score.name, score.flips.len())?;
            for flip in score.flips.iter().take(SHOWN) {
                writeln!(f, "  {} → {}  {}", number(flip.before), number(flip.after), cut(&flip.label))?;
                writeln!(f, "    baseline:  {}", cut(&flip.baseline_output))?;
                writeln!(f, "    candidate: {}", cut(&flip.candidate_output))?;
            }
            if score.flips.len() > SHOWN {
                writeln!(f, "  … and {} more", score.flips.len() - SHOWN)?;
            }
        }
        Ok(())
    }
}

fn cells(score: &ScoreComparison) -> [String; 8] {
    let interval = score.interval.map_or("–".to_owned(), |i| format!("{} to {}", signed(i.low), signed(i.high)));
    [
        score.name.clone(),
        number(score.baseline),
        number(score.candidate),
        signed(score.difference),
        interval,
        p_value(score.adjusted_p_value),
        score.rows.to_string(),
        score.verdict.to_string(),
    ]
}

/// Columns as wide as their widest cell; the first and the last to the left, numbers to the right.
fn write_table(f: &mut fmt::Formatter<'_>, table: &[[String; 8]]) -> fmt::Result {
    let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..8).map(width).collect();
    for row in table {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let gap = if column == 0 { "" } else { "  " };
            if column == 0 || column == 7 {
                write!(line, "{gap}{cell:<0$}", widths[column])?;
            } else {
                write!(line, "{gap}{cell:>0$}", widths[column])?;
            }
        }
        writeln!(f, "{}", line.trim_end())?;
    }
    Ok(())
}

impl Comparison {
    fn unpaired(&self) -> String {
        match (self.only_baseline, self.only_candidate) {
            (0, 0) => String::new(),
            (one, other) => format!(" ({one} only in {}, {other} only in {})", self.baseline, self.candidate),
        }
    }

    /// What the figures say, in words.
    pub fn sentence(&self, score: &ScoreComparison) -> String {
        let method = match score.method {
            Method::Bootstrap => "BCa bootstrap over rows, sign-flip test",
            Method::PairedProportions => "score interval, exact McNemar test",
        };
        let missing = match score.missing {
            0 => String::new(),
            missing => format!("; {missing} paired rows lack the score"),
        };
        let said = match score.verdict {
            Verdict::Better => format!("better by {}", number(score.difference)),
            Verdict::Worse => format!("worse by {}", number(-score.difference)),
            Verdict::NoEvidence => match score.rows_needed {
                Some(rows) if rows > score.rows as u64 => format!(
                    "no evidence of a difference; a difference of {} would take about {rows} rows to be seen (there are {})",
                    number(self.minimal_effect),
                    score.rows
                ),
                Some(_) => format!(
                    "no evidence of a difference, though {} rows would show one of {} 4 times in 5",
                    score.rows,
                    number(self.minimal_effect)
                ),
                None if score.flips.is_empty() => "no evidence of a difference: no row changed".to_owned(),
                None => "no evidence of a difference".to_owned(),
            },
        };
        format!("{said} ({method}{missing})")
    }

    /// The comparison as Markdown, flipped rows folded away.
    pub fn markdown(&self) -> String {
        let mut text = format!(
            "### {} compared with {}: **{}**\n\n{} rows paired by content{}\n\n",
            code(&self.candidate),
            code(&self.baseline),
            self.verdict(),
            self.paired,
            self.unpaired()
        );
        let _ = writeln!(
            text,
            "| score | baseline | candidate | difference | {:.0} % interval | p (Holm) | rows | verdict |\n\
             |---|---:|---:|---:|---|---:|---:|---|",
            self.confidence * 100.0
        );
        for score in &self.scores {
            let cells = cells(score).map(|cell| cell.replace('|', "\\|"));
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        }
        for score in self.scores.iter().filter(|score| !score.flips.is_empty()) {
            let _ =
                write!(text, "\n<details><summary>{}: {} rows changed</summary>\n\n", score.name, score.flips.len());
            text.push_str("| | row | baseline | candidate |\n|---|---|---|---|\n");
            for Flip { label, before, after, baseline_output, candidate_output, .. } in score.flips.iter().take(20) {
                let change = format!("{} → {}", number(*before), number(*after));
                let row = [change, code(label), code(baseline_output), code(candidate_output)];
                let _ = writeln!(text, "| {} |", row.join(" | "));
            }
            text.push_str("\n</details>\n");
        }
        text
    }
}

/// At most four decimals, without zeros at the end.
fn number(value: f64) -> String {
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

fn signed(value: f64) -> String {
    let text = number(value);
    if text.starts_with('-') || text == "0" { text } else { format!("+{text}") }
}

fn p_value(p: f64) -> String {
    if p < 0.0001 { "< 0.0001".to_owned() } else { format!("{p:.4}") }
}

/// The begin of a text, on one line, without what would move a terminal's cursor.
fn cut(text: &str) -> String {
    let flat = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    let mut short: String = flat.clone().take(LETTERS).collect();
    if flat.count() > LETTERS {
        short.push('…');
    }
    short
}

/// A text as code inside a cell of a table.
fn code(text: &str) -> String {
    let text = cut(text).replace('`', "ˋ").replace('|', "\\|");
    if text.is_empty() { "(empty)".to_owned() } else { format!("`{text}`") }
}
