//! Points in time as people read them: near ones by their distance, all of them exactly on hover.

use parea_types::Timestamp;

/// A point in time, ready for a `<time>` element. The script turns `utc` into the reader's own zone.
pub(super) struct Moment {
    /// For machines, in the `datetime` attribute.
    pub(super) iso: String,
    /// `2026-11-20 15:28:34 UTC`
    pub(super) utc: String,
    /// `3m ago`; beyond a week the day.
    pub(super) relative: String,
}

impl Moment {
    pub(super) fn new(time: Timestamp, now: Timestamp) -> Self {
        let moment = time.as_datetime();
        Self {
            iso: moment.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
            utc: moment.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
            relative: relative(now.seconds_since(time)).unwrap_or_else(|| moment.format("%Y-%m-%d").to_string()),
        }
    }
}

fn relative(age: f64) -> Option<String> {
    // A client's clock may run a little ahead of ours.
    let seconds = (age >= -60.0).then_some(age.max(0.0) as u64)?;
    Some(match seconds {
        0..10 => "now".to_owned(),
        10..60 => format!("{seconds}s ago"),
        60..3_600 => format!("{}m ago", seconds / 60),
        3_600..86_400 => format!("{}h ago", seconds / 3_600),
        86_400..604_800 => format!("{}d ago", seconds / 86_400),
        _ => return None,
    })
}

/// The present, as logs spell it.
pub(super) fn now() -> Timestamp {
    chrono::Utc::now().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_moments_are_told_by_distance_and_far_ones_by_day() {
        let now: Timestamp = "2026-11-20 12:00:00".parse().unwrap();
        let shown = |text: &str| Moment::new(text.parse().unwrap(), now).relative;
        assert_eq!(shown("2026-11-20 12:00:30"), "now");
        assert_eq!(shown("2026-11-20 11:59:18"), "42s ago");
        assert_eq!(shown("2026-11-20 09:30:00"), "2h ago");
        assert_eq!(shown("2026-11-14 12:00:00"), "6d ago");
        assert_eq!(shown("2026-11-01 12:00:00"), "2026-11-01");
        assert_eq!(shown("2027-01-01 00:00:00"), "2027-01-01");
    }
}
