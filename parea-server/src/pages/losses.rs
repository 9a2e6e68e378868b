//! Logs that never came: what clients told of those that they had to give up.

use super::figures;

/// Reasons that are named; the others are counted together.
const NAMED: usize = 6;

/// The losses of a project in words.
pub(super) struct Losses {
    /// `12 logs were`
    pub(super) subject: String,
    /// `queue_full 11, too_large 1`, the most frequent first. The words are those of clients.
    pub(super) reasons: String,
}

impl Losses {
    /// `None` where nothing was lost.
    pub(super) fn of(mut counts: Vec<(String, u64)>) -> Option<Self> {
        let exact = |count: u64| figures::exact(i64::try_from(count).unwrap_or(i64::MAX));
        let total = sum(&counts);
        if total == 0 {
            return None;
        }
        counts.sort_by(|(reason, count), (other, others)| others.cmp(count).then_with(|| reason.cmp(other)));
        let rest = counts.split_off(counts.len().min(NAMED));
        let mut reasons: Vec<String> =
            counts.iter().map(|(reason, count)| format!("{reason} {}", exact(*count))).collect();
        if !rest.is_empty() {
            reasons.push(format!("others {}", exact(sum(&rest))));
        }
        let subject = if total == 1 { "1 log was".to_owned() } else { format!("{} logs were", exact(total)) };
        Some(Self { subject, reasons: reasons.join(", ") })
    }
}

fn sum(counts: &[(String, u64)]) -> u64 {
    counts.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
}
