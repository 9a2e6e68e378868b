//! What an annotated call costs, beside the peers. `cargo xtask bench` runs it and writes `BENCHMARKS.md`.
//!
//! `parea-benches time LIBRARY` and `… allocations LIBRARY` print a line per case; `… count LIBRARY CASE TIMES` is run
//! under callgrind, which counts only inside `measured`; `… flat-out LIBRARY` runs two threads. A word behind them says what
//! becomes of our records: `off`, `sampled-out`, `encoded`; or of anybody's: `sent`. With one of these `flat-out` runs one
//! thread for a while, and two as ever with `all` before it.

mod allocations;
mod case;
mod cases;
mod flat_out;
mod ours;
#[cfg(feature = "peers")]
mod peer_fastrace;
#[cfg(feature = "peers")]
mod peer_otel;
#[cfg(feature = "peers")]
mod peer_tracing;
mod sink;
mod work;

use std::{env, hint::black_box, time::Instant};

use ours::Fate;
use sink::Sink;
use work::Library;

/// Calls for one measure of time, and how often it is taken: the least counts.
const CALLS: u32 = 20_000;
const ROUNDS: usize = 15;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [what, library, rest @ ..] = arguments.as_slice() else {
        panic!("usage: parea-benches time|allocations|count|flat-out LIBRARY [CASE TIMES]");
    };
    if *what == "sink" {
        return sink::run().unwrap_or_else(|error| panic!("{error}"));
    }
    match *library {
        "plain" => measure::<work::Plain>(what, rest),
        "parea" => measure::<ours::Ours>(what, rest),
        #[cfg(feature = "peers")]
        "fastrace" => measure::<peer_fastrace::Fastrace>(what, rest),
        #[cfg(feature = "peers")]
        "opentelemetry_sdk" => measure::<peer_otel::Otel>(what, rest),
        #[cfg(feature = "peers")]
        "tracing" => measure::<peer_tracing::Cheapest>(what, rest),
        #[cfg(feature = "peers")]
        "tracing-opentelemetry" => measure::<peer_tracing::ToOtel>(what, rest),
        other => panic!("no library `{other}`"),
    }
}

fn measure<L: Library>(what: &str, rest: &[&str]) {
    // Lives as long as what sends to it.
    let mut sink = None;
    match rest.last() {
        Some(&"off") => {}
        Some(&"sampled-out") => ours::start(Fate::SampledOut),
        Some(&"encoded") => ours::start(Fate::Encoded),
        Some(&"sent") => {
            let sink = sink.insert(Sink::start().unwrap_or_else(|error| panic!("{error}")));
            L::start_sending(sink.address);
        }
        _ => L::start(),
    }
    match (what, rest) {
        ("time", _) => {
            for case in cases::CASES {
                let mut least = f64::INFINITY;
                for _ in 0..ROUNDS {
                    let start = Instant::now();
                    let calls = case::run::<L>(case, CALLS);
                    least = least.min(start.elapsed().as_secs_f64() * 1e9 / f64::from(calls));
                    L::finish();
                }
                println!("{case}\t{least:.1}");
            }
        }
        ("allocations", _) => {
            for case in cases::CASES {
                case::run::<L>(case, 2_000);
                L::finish();
                let before = allocations::made();
                let calls = case::run::<L>(case, 1_000);
                println!("{case}\t{:.2}", (allocations::made() - before) as f64 / f64::from(calls));
                L::finish();
            }
        }
        ("count", [case, times, ..]) => {
            let times = times.parse().unwrap_or_else(|error| panic!("TIMES: {error}"));
            case::run::<L>(case, 20_000);
            L::finish();
            case::run::<L>(case, 1_000);
            measured::<L>(case, times);
        }
        ("flat-out", [] | ["all", ..]) => flat_out::run::<L>(),
        ("flat-out", [_]) => flat_out::run_few::<L>(),
        _ => panic!("nothing to measure"),
    }
    L::finish();
}

/// Known to callgrind by its name.
#[inline(never)]
fn measured<L: Library>(case: &str, times: u32) {
    black_box(case::run::<L>(black_box(case), times));
}
