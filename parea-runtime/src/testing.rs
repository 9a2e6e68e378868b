//! Look at the traces of a piece of code, in a test.

use std::{fmt, sync::Arc, time::Duration};

use parea_types::TraceLog;

use crate::{
    carry::InCurrentSpan as _,
    context::{Context, Listener},
    record::Record,
    scope::{Capture, Scope, Sink},
    tree::{self, Detail},
};

/// How long [`capture`] waits for evaluations of the spans that ended in it.
const EVALUATIONS: Duration = Duration::from_secs(60);

/// The logs of every span that ended inside a [`capture`].
#[derive(Clone, Debug, Default)]
pub struct Traces {
    logs: Vec<TraceLog>,
}

impl Traces {
    #[expect(clippy::expect_used, reason = "a record that is no log is a fault of ours, which a test should show")]
    fn of(capture: &Capture) -> Self {
        let logs = capture.take().iter().map(|record| Record::log_of(record).expect("a record is a log")).collect();
        Self { logs }
    }

    /// The logs as they would go to the server, in the order in which their spans ended.
    pub fn logs(&self) -> &[TraceLog] {
        &self.logs
    }

    /// The first log of that name.
    ///
    /// # Panics
    ///
    /// When there is none; the message has the tree.
    #[track_caller]
    pub fn log(&self, name: &str) -> &TraceLog {
        let found = self.logs.iter().find(|log| log.trace_name.as_deref() == Some(name));
        found.unwrap_or_else(|| panic!("no span `{name}` in:\n{self}"))
    }

    /// The trees as text: names, status, errors, scores; without ids and times, so that it can be compared.
    pub fn tree(&self) -> String {
        tree::render(&self.logs, Detail::Shape)
    }
}

impl fmt::Display for Traces {
    /// The [`tree`](Self::tree).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.tree())
    }
}

/// Runs `body` and returns its value with the traces of what was annotated in it. Nothing is sent, `init` is not
/// needed, and captures of other tests that run at the same time are not mixed in.
///
/// Spans are found on other threads too, if the context was carried there ([`spawn`](crate::spawn),
/// [`Context`]). Spans that are still open when `body` returns are left out.
///
/// ```
/// #[parea::trace]
/// fn double(n: u32) -> u32 { n * 2 }
///
/// let (value, traces) = parea::testing::capture(|| double(21));
/// assert_eq!(value, 42);
/// assert_eq!(traces.log("double").output.as_deref(), Some("42"));
/// assert_eq!(traces.tree(), "double (ok)\n");
/// ```
pub fn capture<R>(body: impl FnOnce() -> R) -> (R, Traces) {
    let _listener = Listener::new();
    let capture = Arc::new(Capture::default());
    let value = captured(&capture).enter(body);
    capture.evaluating.wait(EVALUATIONS);
    (value, Traces::of(&capture))
}

/// [`capture`] for a future.
pub async fn capture_async<F: Future>(future: F) -> (F::Output, Traces) {
    let _listener = Listener::new();
    let capture = Arc::new(Capture::default());
    let value = future.in_context(captured(&capture)).await;
    capture.evaluating.waited().await;
    (value, Traces::of(&capture))
}

/// Where traces go to the capture.
fn captured(capture: &Arc<Capture>) -> Context {
    Context::scope(Scope::of(Sink::Capture(Arc::clone(capture))))
}
