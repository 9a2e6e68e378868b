//! One run of an experiment's function over one row: a trace that knows its experiment, and that is looked at when done.

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use parea_types::TraceLog;
use serde_json::{Map, Value};

use crate::{
    context::{Context, Listener},
    evaluation::{Evaluator, Tally},
    record::{Outcome, Record},
    scope::{Scope, Sink},
    site::site_of,
    span::Span,
};

/// The logs of one cell as they end, on their way to where logs go anyway.
#[derive(Debug)]
pub(crate) struct Watch {
    /// `None` before `init`: then nothing is sent, and the experiment runs all the same.
    inner: Option<Sink>,
    logs: Mutex<Vec<TraceLog>>,
    pub(crate) evaluating: Tally,
}

impl Watch {
    pub(crate) fn inner(&self) -> Option<&Sink> {
        self.inner.as_ref()
    }

    pub(crate) fn finished(&self, record: Vec<u8>) {
        // A record that is no log is a fault of ours, and costs the report a row, not the experiment.
        if let Ok(log) = Record::log_of(&record) {
            self.logs.lock().unwrap_or_else(PoisonError::into_inner).push(log);
        }
        if let Some(inner) = &self.inner {
            inner.finished(record);
        }
    }
}

/// What a cell is started with.
#[derive(Default)]
pub struct CellStart<'a> {
    /// The name of its root span.
    pub name: &'a str,
    /// Uuid of the run, which every span of the trace carries.
    pub experiment_uuid: &'a str,
    /// The row's columns.
    pub inputs: Map<String, Value>,
    /// The expected output, which the spans below inherit.
    pub target: Option<String>,
    /// The root's metadata.
    pub metadata: Map<String, Value>,
    /// The root's tags.
    pub tags: Vec<String>,
    /// What scores the root once it has ended.
    pub evaluators: Vec<Arc<dyn Evaluator>>,
}

/// A root span whose trace belongs to a run of an experiment. Dropping it unfinished ends it as cancelled.
#[derive(Debug)]
pub struct Cell {
    span: Arc<Span>,
    watch: Arc<Watch>,
    _listener: Listener,
}

impl Cell {
    /// Starts the trace, always as a root. Its logs go where those of the running code would go.
    pub fn start(start: CellStart<'_>) -> Self {
        let listener = Listener::new();
        let inner = Context::current().sink();
        let watch = Arc::new(Watch { inner, logs: Mutex::default(), evaluating: Tally::default() });
        let sink = Sink::Watched(Arc::clone(&watch));
        let scope = Scope { experiment: Some(start.experiment_uuid.into()), ..Scope::of(sink) };
        let span = Span::root_of(site_of(start.name), Arc::new(scope));
        let inputs = serde_json::to_vec(&start.inputs).unwrap_or_default();
        if let Some(target) = start.target {
            span.set_target(target.into());
        }
        span.update_all(|known| {
            known.inputs = inputs;
            let draft = known.draft.get_or_insert_default();
            draft.metadata = start.metadata;
            draft.tags = start.tags;
            draft.evaluators.0.extend(start.evaluators);
        });
        Self { span, watch, _listener: listener }
    }

    /// Id of the root's log.
    pub fn trace_id(&self) -> String {
        self.span.identity.id.to_string()
    }

    /// The place inside the root span.
    pub fn context(&self) -> Context {
        Context::inside(Arc::clone(&self.span))
    }

    /// Ends the root with its output, one JSON value, or with its error.
    pub fn finish(&self, result: Result<Vec<u8>, String>) {
        self.span.finish(match result {
            Ok(output) => Outcome { output, ..Outcome::default() },
            Err(error) => Outcome { error: Some(error), ..Outcome::default() },
        });
    }

    /// The logs of the trace that have ended, evaluations awaited; the root's is the last of those that were made before
    /// it ended. Call it once, after [`finish`](Self::finish).
    pub async fn logs(&self) -> Vec<TraceLog> {
        self.watch.evaluating.waited().await;
        mem::take(&mut *self.watch.logs.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        // Does nothing to one that has ended.
        self.finish(Err("cancelled".to_owned()));
    }
}
