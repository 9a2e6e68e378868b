//! What is measured, for any library.

use std::hint::black_box;

use crate::work::{Library, OPTIONS, QUESTION, block_on};

/// Calls in a trace, where a call is not its own.
const IN_A_TRACE: u32 = 100;

/// Runs a case so often; the number of calls that were made.
pub fn run<L: Library>(case: &str, times: u32) -> u32 {
    let in_traces = |call: &dyn Fn(u32)| {
        for _ in 0..times / IN_A_TRACE {
            L::root(|| (0..IN_A_TRACE).for_each(call));
        }
        times / IN_A_TRACE * IN_A_TRACE
    };
    match case {
        "bare" => in_traces(&|n| _ = black_box(L::bare(n))),
        "args" => in_traces(&|n| _ = black_box(L::args(QUESTION, n, &OPTIONS))),
        "error" => in_traces(&|n| _ = black_box(L::error(n).is_err())),
        "async ready" => in_traces(&|n| _ = black_box(block_on(L::args_ready(QUESTION, n, &OPTIONS)))),
        "async yield" => in_traces(&|n| _ = black_box(block_on(L::args_yields(QUESTION, n, &OPTIONS, 1)))),
        // Ten further polls.
        "async yields" => in_traces(&|n| _ = black_box(block_on(L::args_yields(QUESTION, n, &OPTIONS, 11)))),
        "bare root" => (0..times).map(|n| black_box(L::bare_root(n))).count() as u32,
        "args root" => (0..times).map(|n| black_box(L::args_root(QUESTION, n, &OPTIONS))).count() as u32,
        "nested 10" => nested::<L>(times, 10),
        "nested 100" => nested::<L>(times, 100),
        _ => panic!("no case `{case}`"),
    }
}

/// In calls: each level is one.
fn nested<L: Library>(times: u32, depth: u32) -> u32 {
    for _ in 0..times / depth {
        L::root(|| _ = black_box(L::nested(depth - 1)));
    }
    times / depth * depth
}
