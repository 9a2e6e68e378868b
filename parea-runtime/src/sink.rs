//! Where the records of a trace go.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{cell::Watch, evaluation::Tally, queue::Queue, record::Record};

/// Decided at the root and held by the whole trace.
#[derive(Clone, Debug)]
pub(crate) enum Sink {
    /// To the exporter.
    Queue(Arc<Queue>),
    /// To a test that looks at them.
    Capture(Arc<Capture>),
    /// On to another one, by way of the experiment that looks at them.
    Watched(Arc<Watch>),
    /// To nobody: the trace is not in the sample.
    Nowhere,
}

impl Sink {
    pub(crate) fn opened(&self) {
        match self {
            Self::Queue(queue) => queue.opened(),
            Self::Capture(_) | Self::Nowhere => {}
            Self::Watched(watch) => {
                if let Some(inner) = watch.inner() {
                    inner.opened();
                }
            }
        }
    }

    pub(crate) fn finished(&self, record: Record) {
        match self {
            Self::Queue(queue) => queue.push(record),
            Self::Capture(capture) => capture.push(record),
            Self::Watched(watch) => watch.finished(record),
            Self::Nowhere => {}
        }
    }

    /// Those who wait for the evaluations of what goes here.
    pub(crate) fn tallies(&self, visit: &mut dyn FnMut(&Tally)) {
        match self {
            Self::Queue(_) | Self::Nowhere => {}
            Self::Capture(capture) => visit(&capture.evaluating),
            Self::Watched(watch) => {
                visit(&watch.evaluating);
                if let Some(inner) = watch.inner() {
                    inner.tallies(visit);
                }
            }
        }
    }
}

/// The records of one [`capture`](crate::testing::capture).
#[derive(Debug, Default)]
pub(crate) struct Capture {
    records: Mutex<Vec<Record>>,
    pub(crate) evaluating: Tally,
}

impl Capture {
    fn push(&self, record: Record) {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).push(record);
    }

    pub(crate) fn take(&self) -> Vec<Record> {
        std::mem::take(&mut *self.records.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
