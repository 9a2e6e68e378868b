//! Every shape is run twice: with tracing off, where it must be as if we were not there, and inside a capture, where its
//! tree must be the one that is expected.

use std::fmt::Debug;

use parea::testing::{Traces, capture, capture_async};

/// Runs it off and on: the value is the same, and the tree is this.
#[track_caller]
#[allow(dead_code)]
pub fn off_and_on<T: PartialEq + Debug>(run: impl Fn() -> T, value: T, tree: &str) -> Traces {
    assert_eq!(run(), value, "off");
    let (on, traces) = capture(run);
    assert_eq!(on, value, "on");
    assert_eq!(traces.tree(), tree);
    traces
}

/// [`off_and_on`] for futures, each on a runtime of one thread.
#[allow(dead_code)]
pub fn off_and_on_async<T: PartialEq + Debug>(run: impl AsyncFn() -> T, value: T, tree: &str) -> Traces {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    assert_eq!(runtime().block_on(run()), value, "off");
    let (on, traces) = runtime().block_on(capture_async(run()));
    assert_eq!(on, value, "on");
    assert_eq!(traces.tree(), tree);
    traces
}

/// An input as JSON.
#[allow(dead_code)]
pub fn input(traces: &Traces, name: &str, input: &str) -> String {
    traces.log(name).inputs.as_ref().unwrap().get(input).map_or_else(|| "(none)".to_owned(), ToString::to_string)
}

/// The output as text.
#[allow(dead_code)]
pub fn output<'a>(traces: &'a Traces, name: &str) -> &'a str {
    traces.log(name).output.as_deref().unwrap_or("(none)")
}

/// Panics that are wanted say nothing; assertions do.
#[allow(dead_code)]
pub fn silence_panics() {
    let speak = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload_as_str().is_some_and(|text| text.contains("assertion")) {
            speak(panic);
        }
    }));
}
