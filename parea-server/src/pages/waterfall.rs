//! When each span ran, drawn as a bar on the trace's own time axis.

use std::fmt;

use parea_types::TraceLog;

use super::figures;

/// The time that a trace took, from its first start to its last end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    start: i64,
    /// In microseconds, at least one.
    length: i64,
}

impl Axis {
    pub(super) fn new(logs: &[TraceLog]) -> Self {
        let start = logs.iter().map(|log| log.start_timestamp.micros()).min().unwrap_or_default();
        let end =
            logs.iter().map(|log| log.start_timestamp.micros().saturating_add(length(log).unwrap_or_default())).max();
        Self { start, length: end.unwrap_or_default().saturating_sub(start).max(1) }
    }

    /// The place of one span on it.
    pub(super) fn bar(&self, log: &TraceLog) -> Bar {
        let left = self.share(log.start_timestamp.micros().saturating_sub(self.start));
        let width = length(log).map(|length| self.share(length));
        let wait = log.time_to_first_token.filter(|_| width.is_some()).map(|seconds| self.share(micros(seconds)));
        let left = left.min(100.0 - THINNEST);
        Bar {
            left: Percent(left),
            // Not `clamp`, which panics where rounding lets the bounds cross.
            width: width.map(|width| Percent(width.max(THINNEST).min(100.0 - left))),
            wait: wait.filter(|wait| *wait > THINNEST).map(|wait| Percent(wait.min(100.0 - left))),
        }
    }

    /// Seconds from the trace's start to the span's.
    pub(super) fn offset(&self, log: &TraceLog) -> f64 {
        log.start_timestamp.micros().saturating_sub(self.start) as f64 / 1e6
    }

    /// Round times at even distances, three to five of them, the trace's start not among them.
    pub(super) fn ticks(&self) -> Vec<Tick> {
        let rough = self.length as f64 / 4.0;
        let decade = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0].map(|n| n * decade).into_iter().find(|step| *step >= rough * 0.99);
        let step = step.unwrap_or(rough).max(1.0);
        (1..=8)
            .map(|n| f64::from(n) * step)
            .take_while(|at| *at < self.length as f64 * 0.97)
            .map(|at| Tick { at: Percent(self.share(at as i64)), label: tick_label(at / 1e6) })
            .collect()
    }

    fn share(&self, micros: i64) -> f64 {
        100.0 * micros.max(0) as f64 / self.length as f64
    }
}

/// Round times need no decimals that are zero.
fn tick_label(seconds: f64) -> String {
    match seconds {
        s if s < 0.001 => format!("{} µs", figures::decimal(s * 1e6)),
        s if s < 1.0 => format!("{} ms", figures::decimal(s * 1e3)),
        s if s < 60.0 => format!("{} s", figures::decimal(s)),
        s => figures::duration(s),
    }
}

/// How long a span took, in microseconds: its latency, or the time between its stamps.
fn length(log: &TraceLog) -> Option<i64> {
    let measured = log.latency.filter(|latency| latency.is_finite() && *latency >= 0.0).map(micros);
    measured.or_else(|| Some(log.end_timestamp?.micros().saturating_sub(log.start_timestamp.micros()).max(0)))
}

fn micros(seconds: f64) -> i64 {
    (seconds * 1e6) as i64
}

/// Seconds that a span took, by the same rule as its bar.
pub(super) fn latency(log: &TraceLog) -> Option<f64> {
    log.latency.or_else(|| length(log).map(|micros| micros as f64 / 1e6))
}

/// Narrowest bar, in percent, that is still seen.
const THINNEST: f64 = 0.6;

/// A span's place on the axis.
pub(super) struct Bar {
    pub(super) left: Percent,
    /// `None` for a span whose end is unknown.
    pub(super) width: Option<Percent>,
    /// The part of it that passed before the first token.
    pub(super) wait: Option<Percent>,
}

/// A round time on the axis.
pub(super) struct Tick {
    pub(super) at: Percent,
    pub(super) label: String,
}

/// A share of the axis, as SVG attributes take it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Percent(f64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", figures::decimal(self.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn log(start_micros: i64, latency: Option<f64>) -> TraceLog {
        let start_timestamp = parea_types::Timestamp::from_micros(start_micros).unwrap();
        TraceLog { start_timestamp, latency, ..TraceLog::default() }
    }

    proptest! {
        #[test]
        fn no_bar_leaves_the_axis(spans in prop::collection::vec((any::<i32>(), prop::option::of(prop::num::f64::ANY)), 1..8)) {
            let logs: Vec<TraceLog> = spans.iter().map(|(start, latency)| log(i64::from(*start), *latency)).collect();
            let axis = Axis::new(&logs);
            for log in &logs {
                let Bar { left, width, .. } = axis.bar(log);
                let right = left.0 + width.map_or(0.0, |width| width.0);
                prop_assert!(left.0 >= 0.0 && right <= 100.001, "{left:?} {width:?}");
            }
            prop_assert!(axis.ticks().iter().all(|tick| tick.at.0 > 0.0 && tick.at.0 < 100.0));
        }
    }

    #[test]
    fn ticks_are_round() {
        let labels = |seconds: f64| {
            let ticks = Axis::new(&[log(0, Some(seconds))]).ticks();
            ticks.into_iter().map(|tick| tick.label).collect::<Vec<_>>()
        };
        assert_eq!(labels(3.2), ["1 s", "2 s", "3 s"]);
        assert_eq!(labels(0.002), ["500 µs", "1 ms", "1.5 ms"]);
        assert_eq!(labels(1_000.0), ["4m 10s", "8m 20s", "12m 30s"]);
    }
}
