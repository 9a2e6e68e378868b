//! The one clock: nanoseconds since the process first asked, and what that is in wall time.
//!
//! A reading is monotonic. It comes from the processor's counter once that is calibrated, which the exporter's thread
//! sees to, and from the system before and elsewhere. Wall times are made from readings when logs are written.
//!
//! | what happens | what becomes of times |
//! |---|---|
//! | the wall clock is set (NTP, by hand) | latencies stay; logs that are written from then on are by the new time, their start and end both |
//! | the machine sleeps, and the counter runs on | the sleep counts as any other time |
//! | it sleeps, and the counter stands still or starts over; the machine moves to another processor | the counter is not used any more; the sleep does not count |
//!
//! In any case no span ends before it starts.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use parea_types::Timestamp;

use crate::processor;

/// When this clock began.
static ORIGIN: OnceLock<Origin> = OnceLock::new();

/// What the program reads.
static CLOCK: Clock = Clock::new();

#[derive(Debug)]
struct Origin {
    instant: Instant,
    ticks: Option<u64>,
}

/// How ticks become nanoseconds, and these become wall time.
#[derive(Debug)]
struct Clock {
    /// A first measure soon after the start, and a finer one later. Each is set once, before it is chosen.
    calibrations: [Calibration; 2],
    /// Which of them holds; none of them where the counter cannot be read, or not yet, or not any more.
    chosen: AtomicUsize,
    /// By how much the counter is ahead of the system's clock, which does not count sleep.
    ahead: AtomicU64,
    /// Wall time in nanoseconds since the Unix epoch, less the reading of the same moment.
    wall_offset: AtomicI64,
}

/// No calibration holds yet.
const NOT_YET: usize = usize::MAX;
/// Nor ever again.
const GIVEN_UP: usize = usize::MAX - 1;

#[derive(Debug)]
struct Calibration {
    /// A moment by both clocks.
    ticks: AtomicU64,
    nanos: AtomicU64,
    /// Nanoseconds per tick, as a fraction of 2³².
    rate: AtomicU64,
}

/// What the clocks say at one moment, in nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Readings {
    /// By the counter, if that is chosen.
    counter: Option<u64>,
    /// By the system's monotonic clock.
    system: u64,
    /// Since the Unix epoch.
    wall: i64,
}

/// Compares the clocks, as the exporter's thread has it do every now and then.
#[derive(Debug, Default)]
pub(crate) struct Keeper {
    /// What they said the last time.
    last: Option<Readings>,
}

impl Clock {
    const fn new() -> Self {
        Self {
            calibrations: [const { Calibration::new() }; 2],
            chosen: AtomicUsize::new(NOT_YET),
            ahead: AtomicU64::new(0),
            wall_offset: AtomicI64::new(0),
        }
    }

    /// What the counter says, if it can be believed.
    #[expect(clippy::inline_always, reason = "a few instructions, twice per span")]
    #[inline(always)]
    fn counted(&self, ticks: impl FnOnce() -> u64) -> Option<u64> {
        self.calibrations.get(self.chosen.load(Ordering::Acquire))?.nanos(ticks())
    }

    /// What the system's clock says, going on where the counter stood.
    fn by_system(&self, system: u64) -> u64 {
        system + self.ahead.load(Ordering::Relaxed)
    }

    fn calibrate(&self, which: usize, (ticks, nanos, rate): (u64, u64, u64)) {
        let Some(calibration) = self.calibrations.get(which) else { return };
        calibration.ticks.store(ticks, Ordering::Relaxed);
        calibration.nanos.store(nanos, Ordering::Relaxed);
        calibration.rate.store(rate, Ordering::Relaxed);
        self.chosen.store(which, Ordering::Release);
    }
}

impl Calibration {
    const fn new() -> Self {
        Self { ticks: AtomicU64::new(0), nanos: AtomicU64::new(0), rate: AtomicU64::new(0) }
    }

    /// What the line through the origin and now says; `None` while they are too close to tell.
    fn measure(origin: &Origin) -> Option<(u64, u64, u64)> {
        let first = origin.ticks?;
        // Between two readings of the counter, so that an interruption shows: the narrowest of a few is taken.
        let (ticks, nanos, _) = (0..8)
            .map(|_| {
                let before = processor::ticks();
                let nanos = nanos_since(origin);
                let after = processor::ticks();
                (before.midpoint(after), nanos, after.saturating_sub(before))
            })
            .min_by_key(|(_, _, width)| *width)?;
        let passed = ticks.checked_sub(first).filter(|passed| *passed > 0)?;
        let rate = u64::try_from((u128::from(nanos) << 32) / u128::from(passed)).ok().filter(|rate| *rate > 0)?;
        Some((ticks, nanos, rate))
    }

    /// `None` before the calibration: the counter has started over. Counters of two cores may differ by a little around the
    /// moment itself, for which the system's clock will do as well.
    #[expect(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    fn nanos(&self, ticks: u64) -> Option<u64> {
        let passed = ticks.checked_sub(self.ticks.load(Ordering::Relaxed))?;
        let since = (u128::from(passed) * u128::from(self.rate.load(Ordering::Relaxed))) >> 32;
        Some(self.nanos.load(Ordering::Relaxed) + since as u64)
    }
}

impl Readings {
    /// `None` if the thread was held up between them, by which a good counter would seem to have leapt.
    fn at_once(origin: &Origin) -> Option<Self> {
        /// They take less than a microsecond.
        const AT_ONCE: u64 = 1_000_000;
        let before = nanos_since(origin);
        let (counter, wall) = (CLOCK.counted(processor::ticks), wall_nanos());
        let system = nanos_since(origin);
        (system - before <= AT_ONCE).then_some(Self { counter, system, wall })
    }
}

impl Keeper {
    /// Measures what has not been measured yet, and compares the clocks.
    pub(crate) fn tend(&mut self) {
        const AFTER: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(5)];
        let origin = origin();
        let chosen = CLOCK.chosen.load(Ordering::Relaxed);
        let next = if chosen == NOT_YET { 0 } else { chosen.saturating_add(1) };
        if AFTER.get(next).is_some_and(|after| origin.instant.elapsed() >= *after)
            && let Some(measured) = Calibration::measure(origin)
        {
            CLOCK.calibrate(next, measured);
            // The step from one measure to the other is none of the counter's.
            self.last = None;
        }
        // Where it is held up each time, the next comparison will do.
        if let Some(now) = (0..4).find_map(|_| Readings::at_once(origin)) {
            self.compare(&CLOCK, now);
        }
    }

    /// Gives the counter up if it has not gone with the other clocks since the last time, and follows a wall clock that was
    /// set.
    fn compare(&mut self, clock: &Clock, now: Readings) {
        /// Smaller differences are left alone, so that spans of one trace keep their order.
        const NOTICED: u64 = 2_000_000;
        let last = self.last.replace(now);
        if clock.chosen.load(Ordering::Relaxed) < clock.calibrations.len() {
            match now.counter {
                Some(counter) if last.is_none_or(|last| has_gone_with(&last, &now, counter)) => {
                    clock.ahead.store(counter.saturating_sub(now.system), Ordering::Relaxed);
                }
                // Readings go on from the last one that was right.
                _ => clock.chosen.store(GIVEN_UP, Ordering::Release),
            }
        }
        let believed = now.counter.filter(|_| clock.chosen.load(Ordering::Relaxed) < clock.calibrations.len());
        let offset = now.wall.saturating_sub_unsigned(believed.unwrap_or_else(|| clock.by_system(now.system)));
        if offset.abs_diff(clock.wall_offset.load(Ordering::Relaxed)) > NOTICED {
            clock.wall_offset.store(offset, Ordering::Relaxed);
        }
    }
}

/// Whether the counter's step is that of the monotonic clock, or that of the wall clock, which goes on in a machine that
/// sleeps as most counters do.
fn has_gone_with(last: &Readings, now: &Readings, counter: u64) -> bool {
    /// What reading three clocks one after the other may take, and a thousandth: NTP slows clocks down by half of that.
    const ALLOWED: u64 = 50_000_000;
    let allowed = |step: u64| ALLOWED + step / 1_000;
    // Where it was not read the last time, the system's clock was.
    let Some(counted) = counter.checked_sub(last.counter.unwrap_or(last.system)) else { return false };
    let system = now.system.saturating_sub(last.system);
    let wall = now.wall.saturating_sub(last.wall);
    let sleeps = u64::try_from(wall).is_ok_and(|wall| wall > system && counted.abs_diff(wall) <= allowed(wall));
    counted.abs_diff(system) <= allowed(system) || sleeps
}

/// A reading: nanoseconds since the clock began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) u64);

impl Moment {
    #[inline]
    pub(crate) fn now() -> Self {
        Self::quick().unwrap_or_else(|| Self(CLOCK.by_system(nanos_since(origin()))))
    }

    /// [`now`](Self::now), if the counter says it.
    #[inline]
    pub(crate) fn quick() -> Option<Self> {
        CLOCK.counted(processor::ticks).map(Self)
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
        let nanos = (CLOCK.wall_offset.load(Ordering::Relaxed) as u64).wrapping_add(self.0);
        ((u128::from(nanos) * PER_NANO) >> 64) as u64
    }

    /// The moment in wall time, in microseconds since the Unix epoch.
    pub(crate) fn unix_micros(self) -> i64 {
        (CLOCK.wall_offset.load(Ordering::Relaxed) + self.0 as i64).div_euclid(1_000)
    }
}

/// Start and end as wall times. The end is the start plus what the monotonic clock measured, so that a clock that is
/// set while the span runs does not bend its latency.
pub(crate) fn interval(start: Moment, latency: Duration) -> (Timestamp, Timestamp) {
    let start = start.unix_micros();
    let end = start.saturating_add(i64::try_from(latency.as_micros()).unwrap_or(i64::MAX));
    (Timestamp::from_micros(start).unwrap_or_default(), Timestamp::from_micros(end).unwrap_or_default())
}

fn origin() -> &'static Origin {
    ORIGIN.get_or_init(|| {
        let instant = Instant::now();
        let ticks = processor::is_usable().then(processor::ticks);
        let wall = wall_nanos();
        CLOCK.wall_offset.store(wall.saturating_sub_unsigned(instant.elapsed().as_nanos() as u64), Ordering::Relaxed);
        Origin { instant, ticks }
    })
}

fn nanos_since(origin: &Origin) -> u64 {
    // 584 years.
    origin.instant.elapsed().as_nanos() as u64
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

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    /// When the machine of these tests was started.
    const WALL: i64 = 1_700_000_000_000_000_000;

    /// A machine whose clocks can be set.
    struct Machine {
        clock: Clock,
        keeper: Keeper,
        ticks: u64,
        system: u64,
        wall: i64,
    }

    impl Machine {
        /// Ten seconds after its start, with a counter of two ticks a nanosecond.
        fn new() -> Self {
            let clock = Clock::new();
            let mut machine = Self { clock, keeper: Keeper::default(), ticks: 1 << 40, system: 0, wall: WALL };
            machine.clock.calibrate(1, (machine.ticks, 0, 1 << 31));
            machine.pass(10 * SECOND);
            machine.tend();
            machine
        }

        fn pass(&mut self, nanos: u64) {
            self.ticks += 2 * nanos;
            self.system += nanos;
            self.wall += nanos as i64;
        }

        fn tend(&mut self) {
            let counter = self.clock.counted(|| self.ticks);
            self.keeper.compare(&self.clock, Readings { counter, system: self.system, wall: self.wall });
        }

        fn now(&self) -> u64 {
            self.clock.counted(|| self.ticks).unwrap_or_else(|| self.clock.by_system(self.system))
        }

        fn counts(&self) -> bool {
            self.clock.counted(|| self.ticks).is_some()
        }

        /// The wall time of a reading, as logs have it.
        fn wall(&self, reading: u64) -> i64 {
            self.clock.wall_offset.load(Ordering::Relaxed) + reading as i64
        }
    }

    #[test]
    fn readings_go_with_time_and_wall_times_with_the_wall_clock() {
        let mut machine = Machine::new();
        for _ in 0..1_000 {
            // A clock that NTP slows down.
            machine.pass(SECOND);
            machine.ticks += 2 * SECOND / 2_100;
            machine.tend();
            assert!(machine.counts());
            assert!((machine.wall(machine.now()) - machine.wall).abs() <= 2_000_000);
        }
        let begun = machine.now();
        machine.wall -= 3_600 * SECOND as i64;
        machine.pass(SECOND);
        machine.tend();
        assert!(machine.counts(), "that the wall clock is set says nothing of the counter");
        assert_eq!(machine.now() - begun, SECOND);
        assert_eq!(machine.wall(machine.now()), machine.wall);
    }

    #[test]
    fn a_sleep_counts_where_the_counter_ran_on() {
        let mut machine = Machine::new();
        let begun = machine.now();
        machine.ticks += 2 * 3_600 * SECOND;
        machine.wall += 3_600 * SECOND as i64;
        machine.pass(SECOND);
        // Before anybody has looked, and after.
        for _ in 0..2 {
            assert_eq!((machine.now() - begun, machine.wall(machine.now())), (3_601 * SECOND, machine.wall));
            machine.tend();
            assert!(machine.counts());
        }
        // And goes on so when the counter starts over later.
        machine.ticks = 5;
        for seconds in [3_602, 3_603] {
            machine.pass(SECOND);
            assert_eq!((machine.now() - begun, machine.wall(machine.now())), (seconds * SECOND, machine.wall));
            machine.tend();
        }
    }

    #[test]
    fn a_counter_that_starts_over_stands_still_or_leaps_is_given_up() {
        for (ticks, after) in [(0, SECOND), (1 << 40, SECOND), (1 << 50, SECOND), (1 << 62, SECOND / 10)] {
            let mut machine = Machine::new();
            let begun = machine.now();
            machine.ticks = ticks;
            // It slept, which the system's clock leaves out.
            machine.wall += 7_200 * SECOND as i64;
            machine.pass(after);
            machine.tend();
            assert!(!machine.counts(), "{ticks}");
            machine.pass(SECOND);
            machine.tend();
            assert_eq!(machine.now() - begun, after + SECOND, "{ticks}");
            assert_eq!(machine.wall(machine.now()), machine.wall, "{ticks}");
        }
    }
}
