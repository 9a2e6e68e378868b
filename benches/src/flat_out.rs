//! Two threads that do nothing but trace: CPU time by thread, and what is lost. Or one that takes its time, for the
//! background's part alone.

use std::{fs, thread, time::Instant};

use cpu_time::{ProcessTime, ThreadTime};

use crate::{case, work::Library};

const THREADS: u32 = 2;
/// Of each thread, and a root for every hundred.
const CALLS: u32 = 200_000;

pub fn run<L: Library>() {
    run_by::<L>(THREADS, CALLS);
}

/// So few spans that all of them find room, whatever the background takes for each.
pub fn run_few<L: Library>() {
    run_by::<L>(1, CALLS / 4);
}

fn run_by<L: Library>(threads: u32, calls: u32) {
    let begun = L::finish();
    let (start, cpu) = (Instant::now(), ProcessTime::now());
    let application: u64 = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(move || {
                    let cpu = ThreadTime::now();
                    case::run::<L>("args", calls);
                    cpu.elapsed().as_nanos() as u64
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_default()).sum()
    });
    let seconds = start.elapsed().as_secs_f64();
    let exported = L::finish() - begun;
    // Of all threads, those that are gone too: some libraries make one for a flush.
    let background = (cpu.elapsed().as_nanos() as u64).saturating_sub(application);
    let spans = u64::from(threads * (calls + calls / 100));
    let peak = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = peak.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default().trim();
    println!(
        "spans {spans}\tapplication {} ns\tbackground {} ns\tlost {}\tpeak {peak}\tseconds {seconds:.3}",
        application / spans,
        background / spans,
        spans.saturating_sub(exported),
    );
}
