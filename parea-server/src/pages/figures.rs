//! Numbers as people read them.

use parea_types::EvaluationScore;

/// Seconds: `4 µs`, `0.2 ms`, `340 ms`, `3.4 s`, `1m 12s`, `2h 05m`.
pub(super) fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "–".to_owned();
    }
    if seconds < 0.0 {
        return format!("−{}", duration(-seconds));
    }
    // The bounds are those at which the rounded figure would reach the next unit.
    match seconds {
        0.0 => "0 ms".to_owned(),
        s if s < 0.000_099_5 => format!("{:.0} µs", s * 1e6),
        s if s < 0.009_95 => format!("{:.1} ms", s * 1e3),
        s if s < 0.999_5 => format!("{:.0} ms", s * 1e3),
        s if s < 9.995 => format!("{s:.2} s"),
        s if s < 59.95 => format!("{s:.1} s"),
        s if s < 3_599.5 => {
            let whole = s.round() as u64;
            format!("{}m {:02}s", whole / 60, whole % 60)
        }
        s => {
            let minutes = (s / 60.0).round() as u64;
            format!("{}h {:02}m", minutes / 60, minutes % 60)
        }
    }
}

/// A count: `999`, `12.3k`, `4.5M`.
pub(super) fn count(number: i64) -> String {
    let magnitude = number.unsigned_abs();
    let float = number as f64;
    match magnitude {
        0..=999 => number.to_string(),
        1_000..=99_949 => format!("{:.1}k", float / 1e3),
        99_950..=999_499 => format!("{:.0}k", float / 1e3),
        999_500..=999_949_999 => format!("{:.1}M", float / 1e6),
        _ => format!("{:.1}G", float / 1e9),
    }
}

/// A count with its thousands set apart: `12,345`.
pub(super) fn exact(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "−" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// US dollars with two figures that count: `$0`, `<$0.0001`, `$0.0042`, `$0.13`, `$12.40`.
pub(super) fn cost(dollars: f64) -> String {
    match dollars {
        d if !d.is_finite() => "–".to_owned(),
        0.0 => "$0".to_owned(),
        d if d < 0.0 => format!("−{}", cost(-d)),
        d if d < 0.000_1 => "<$0.0001".to_owned(),
        d if d < 0.01 => format!("${d:.4}"),
        d if d < 0.1 => format!("${d:.3}"),
        d => format!("${d:.2}"),
    }
}

/// At most three decimals, and none that are zero: `0.8`, `1`, `0.667`.
pub(super) fn decimal(number: f64) -> String {
    let text = format!("{number:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// A score, ready to be shown as a chip.
pub(super) struct ScoreChip {
    pub(super) name: String,
    pub(super) value: String,
    /// The class that colours it: `poor`, `fair` or `good` on the scale from 0 to 1, `plain` off it.
    pub(super) class: &'static str,
    pub(super) reason: Option<String>,
}

impl From<&EvaluationScore> for ScoreChip {
    fn from(score: &EvaluationScore) -> Self {
        let class = match score.score {
            s if !(0.0..=1.0).contains(&s) => "plain",
            s if s < 0.4 => "poor",
            s if s < 0.75 => "fair",
            _ => "good",
        };
        Self { name: score.name.clone(), value: decimal(score.score), class, reason: score.reason.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_take_the_unit_that_fits() {
        let read =
            [0.0, 4e-6, 2e-4, 0.000_099_6, 0.009_96, 0.0438, 0.999_6, 3.4, 9.996, 34.25, 59.96, 72.0, 3_599.6, 7_500.0]
                .map(duration);
        let expected = [
            "0 ms", "4 µs", "0.2 ms", "0.1 ms", "10 ms", "44 ms", "1.00 s", "3.40 s", "10.0 s", "34.2 s", "1m 00s",
            "1m 12s", "1h 00m", "2h 05m",
        ];
        assert_eq!(read, expected);
        assert_eq!(duration(f64::NAN), "–");
        assert_eq!(duration(-0.5), "−500 ms");
    }

    #[test]
    fn counts_and_costs_keep_what_matters() {
        assert_eq!(
            [0, 999, 1_000, 12_345, 99_999, 999_999, 4_500_000].map(count),
            ["0", "999", "1.0k", "12.3k", "100k", "1.0M", "4.5M"]
        );
        assert_eq!([0, 999, 1_000, -1_234_567].map(exact), ["0", "999", "1,000", "−1,234,567"]);
        assert_eq!(
            [0.0, 0.000_01, 0.004_2, 0.034, 0.126, 12.4].map(cost),
            ["$0", "<$0.0001", "$0.0042", "$0.034", "$0.13", "$12.40"]
        );
        assert_eq!([0.8, 1.0, 2.0 / 3.0, -0.000_01].map(decimal), ["0.8", "1", "0.667", "0"]);
    }
}
