//! The one clock: nanoseconds since the process first asked, and what that is in wall time.
//!
//! A reading is monotonic. It comes from the processor's counter once that is calibrated, which the exporter's thread
//! sees to, and from the system before and elsewhere. Wall times are made from readings when logs are written.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use parea_types::Timestamp;

use crate::tsc;

/// When this clock began.
static ORIGIN: OnceLock<Origin> = OnceLock::new();

/// How ticks become nanoseconds: a first measure soon after the start, and a finer one later. Each is set once.
static COARSE: OnceLock<Calibration> = OnceLock::new();
static FINE: OnceLock<Calibration> = OnceLock::new();

/// Wall time in nanoseconds since the Unix epoch, less the reading of the same moment.
static WALL_OFFSET: AtomicI64 = AtomicI64::new(0);

#[derive(Debug)]
struct Origin {
    instant: Instant,
    ticks: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Calibration {
    /// A moment by both clocks.
    ticks: u64,
    nanos: u64,
    /// Nanoseconds per tick, as a fraction of 2³².
    rate: u64,
}

impl Calibration {
    /// What the line through the origin and now says; `None` while they are too close to tell.
    fn measure(origin: &Origin) -> Option<Self> {
        let first = origin.ticks?;
        // Between two readings of the counter, so that an interruption shows: the narrowest of a few is taken.
        let (ticks, nanos, _) = (0..8)
            .map(|_| {
                let before = tsc::ticks();
                let nanos = nanos_since(origin);
                let after = tsc::ticks();
                (before.midpoint(after), nanos, after.saturating_sub(before))
            })
            .min_by_key(|(_, _, width)| *width)?;
        let passed = ticks.checked_sub(first).filter(|passed| *passed > 0)?;
        let rate = u64::try_from((u128::from(nanos) << 32) / u128::from(passed)).ok().filter(|rate| *rate > 0)?;
        Some(Self { ticks, nanos, rate })
    }

    #[inline]
    fn nanos(&self, ticks: u64) -> u64 {
        // Counters of two cores may differ by a little around the moment itself.
        let passed = ticks.saturating_sub(self.ticks);
        self.nanos + ((u128::from(passed) * u128::from(self.rate)) >> 32) as u64
    }
}

/// A reading: nanoseconds since the clock began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) u64);

impl Moment {
    #[inline]
    pub(crate) fn now() -> Self {
        if let Some(calibration) = FINE.get().or_else(|| COARSE.get()) {
            return Self(calibration.nanos(tsc::ticks()));
        }
        Self(nanos_since(origin()))
    }

    /// Time since `earlier`; none where the switch from one source to the other went back by a hair.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Nanoseconds since `earlier`, likewise.
    #[inline]
    pub(crate) fn nanos_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// 4096ths of a millisecond since the Unix epoch, for ids that sort by time. Without a meaning for a clock that is set
    /// before 1970.
    #[inline]
    pub(crate) fn unix_millis_4096(self) -> u64 {
        /// Of a nanosecond, as a fraction of 2⁶⁴.
        const PER_NANO: u128 = (4096 << 64) / 1_000_000;
        let nanos = (WALL_OFFSET.load(Ordering::Relaxed) as u64).wrapping_add(self.0);
        ((u128::from(nanos) * PER_NANO) >> 64) as u64
    }

    /// The moment in wall time, in microseconds since the Unix epoch.
    pub(crate) fn unix_micros(self) -> i64 {
        (WALL_OFFSET.load(Ordering::Relaxed) + self.0 as i64).div_euclid(1_000)
    }
}

/// Start and end as wall times. The end is the start plus what the monotonic clock measured, so that a clock that is
/// set while the span runs does not bend its latency.
pub(crate) fn interval(start: Moment, latency: Duration) -> (Timestamp, Timestamp) {
    let start = start.unix_micros();
    let end = start.saturating_add(i64::try_from(latency.as_micros()).unwrap_or(i64::MAX));
    (Timestamp::from_micros(start).unwrap_or_default(), Timestamp::from_micros(end).unwrap_or_default())
}

/// Called by the exporter's thread every now and then: measures what has not been measured yet, and follows a wall
/// clock that was set. Smaller differences are left alone, so that spans of one trace keep their order.
pub(crate) fn tend() {
    const COARSE_AFTER: Duration = Duration::from_millis(50);
    const FINE_AFTER: Duration = Duration::from_secs(5);
    const NOTICED: u64 = 2_000_000;

    let origin = origin();
    let age = origin.instant.elapsed();
    for (calibration, after) in [(&COARSE, COARSE_AFTER), (&FINE, FINE_AFTER)] {
        if age >= after
            && calibration.get().is_none()
            && let Some(measured) = Calibration::measure(origin)
        {
            // Only this function sets them, and losing a race against itself loses nothing.
            let _ = calibration.set(measured);
        }
    }
    let offset = wall_offset();
    if offset.abs_diff(WALL_OFFSET.load(Ordering::Relaxed)) > NOTICED {
        WALL_OFFSET.store(offset, Ordering::Relaxed);
    }
}

fn origin() -> &'static Origin {
    ORIGIN.get_or_init(|| {
        let instant = Instant::now();
        let ticks = tsc::is_usable().then(tsc::ticks);
        let wall = wall_nanos();
        WALL_OFFSET.store(wall.saturating_sub_unsigned(instant.elapsed().as_nanos() as u64), Ordering::Relaxed);
        Origin { instant, ticks }
    })
}

fn nanos_since(origin: &Origin) -> u64 {
    // 584 years.
    origin.instant.elapsed().as_nanos() as u64
}

fn wall_offset() -> i64 {
    wall_nanos().saturating_sub_unsigned(Moment::now().0)
}

/// Nanoseconds since the Unix epoch; negative before it. Reaches to the year 2262.
fn wall_nanos() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos),
    }
}

/// Microseconds since the Unix epoch by the wall clock alone.
pub(crate) fn wall_micros() -> i64 {
    wall_nanos().div_euclid(1_000)
}
