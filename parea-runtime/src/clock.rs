//! The one clock: wall time for when, monotonic time for how long.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parea_types::Timestamp;

/// The moment a span started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    /// Microseconds since the Unix epoch.
    wall: i64,
    monotonic: Instant,
}

impl Start {
    pub(crate) fn now() -> Self {
        Self { wall: wall_micros(), monotonic: Instant::now() }
    }

    /// Milliseconds since the Unix epoch, for ids that sort by time. 0 for a clock that is set before 1970.
    pub(crate) fn unix_millis(self) -> u64 {
        u64::try_from(self.wall / 1_000).unwrap_or_default()
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.monotonic.elapsed()
    }

    /// Start and end as wall times. The end is the start plus what the monotonic clock measured, so that a clock
    /// that is set while the span runs does not bend its latency.
    pub(crate) fn interval(self, latency: Duration) -> (Timestamp, Timestamp) {
        let end = self.wall.saturating_add(i64::try_from(latency.as_micros()).unwrap_or(i64::MAX));
        (Timestamp::from_micros(self.wall).unwrap_or_default(), Timestamp::from_micros(end).unwrap_or_default())
    }
}

/// Microseconds since the Unix epoch; negative before it.
pub(crate) fn wall_micros() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |micros| -micros),
    }
}
