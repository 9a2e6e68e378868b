//! Traces that go to the exporter are built by the shortest ways there are. They are the same trees as in a capture.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod spooled;

use std::{collections::HashMap, thread, time::Duration};

use parea::{
    Context,
    testing::{Traces, capture},
    types::TraceLog,
};

/// A span of that name around `body`.
macro_rules! span {
    ($name:ident $(, $body:expr)*) => {{
        #[allow(non_snake_case, reason = "one letter a span")]
        #[parea::trace(log_omit_inputs)]
        fn $name(body: impl FnOnce()) {
            body();
        }
        $name(|| { $($body;)* })
    }};
}

/// Spans beside and inside of one another, another trace in the middle of theirs, and one that others get to know.
fn work() {
    span!(
        A,
        span!(B, span!(C)),
        assert_eq!(shape(capture(|| span!(X, span!(Y))).1.logs()), ["X 0/0 in X", "Y 1/1 in X"]),
        span!(D, span!(E)),
        span!(F, span!(G, known()), span!(J)),
        span!(K, with_input("a text"), span!(L))
    );
    span!(M, span!(N));
}

/// A span's place is taken along: from then on its trace is not this thread's alone.
fn known() {
    let here = Context::current();
    span!(H);
    thread::scope(|threads| threads.spawn(|| here.enter(|| span!(I))).join().unwrap());
}

#[parea::trace]
fn with_input(text: &str) -> usize {
    span!(inside);
    text.len()
}

/// `name depth/order in parent`, by root and order.
fn shape(logs: &[TraceLog]) -> Vec<String> {
    let names: HashMap<_, _> = logs.iter().map(|log| (&log.trace_id, log.trace_name.as_deref().unwrap())).collect();
    let mut logs: Vec<_> = logs.iter().collect();
    logs.sort_by_key(|log| (names[log.root_trace_id.as_ref().unwrap()], log.execution_order));
    let line = |log: &&TraceLog| {
        let parent = names[log.parent_trace_id.as_ref().unwrap()];
        format!("{} {}/{} in {parent}", log.trace_name.as_deref().unwrap(), log.depth, log.execution_order)
    };
    logs.iter().map(line).collect()
}

#[test]
fn they_are_the_trees_of_a_capture_before_the_clock_is_calibrated_and_after() {
    const ROUNDS: usize = 40;
    let ((), captured): ((), Traces) = capture(work);
    let expected = shape(captured.logs());
    assert!(expected.contains(&"inside 3/12 in with_input".to_owned()), "{expected:#?}");

    let folder = tempfile::tempdir().unwrap();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let guard = parea::builder().base_url(format!("http://{nobody}")).folder(folder.path()).init().unwrap();
    for _ in 0..ROUNDS {
        work();
        thread::sleep(Duration::from_millis(10));
    }
    drop(guard);
    let mut traces: HashMap<_, Vec<TraceLog>> = HashMap::new();
    for log in spooled::logs::<TraceLog>(folder.path()) {
        traces.entry(log.root_trace_id.clone().unwrap()).or_default().push(log);
    }
    let mut shapes: Vec<_> = traces.values().map(|logs| shape(logs)).collect();
    shapes.sort();
    shapes.dedup_by(|one, other| one == other);
    assert_eq!(traces.len(), 2 * ROUNDS);
    assert_eq!(shapes.concat(), expected);
}
