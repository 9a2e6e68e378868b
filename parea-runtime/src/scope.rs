//! Where traces start, and where their records go.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{cell::Watch, evaluation::Tally, sampling::Undecided, stack};

/// What holds for every trace that starts in a place. Decided at the root and kept by the whole trace.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) sink: Sink,
    /// Uuid of the run of an experiment to which the trace belongs.
    pub(crate) experiment: Option<Box<str>>,
    /// What callers in other processes said of the whole trace, to be passed on.
    pub(crate) baggage: Option<Arc<str>>,
    /// What other systems said of it.
    pub(crate) state: Option<Arc<str>>,
}

impl Scope {
    /// One that only says where records go.
    pub(crate) fn of(sink: Sink) -> Self {
        Self { sink, experiment: None, baggage: None, state: None }
    }
}

/// Where the records of a trace go.
#[derive(Clone, Debug)]
pub(crate) enum Sink {
    /// To the exporter.
    Exporter,
    /// To a test that looks at them.
    Capture(Arc<Capture>),
    /// On to another one, by way of the experiment that looks at them.
    Watched(Arc<Watch>),
    /// To the exporter, if the trace turns out to be in the sample.
    Undecided(Arc<Undecided>),
    /// To nobody: the trace is not in the sample.
    Nowhere,
}

impl Sink {
    /// Whether the exporter gets the records, by whatever way, so that they stand in its books. What is undecided is
    /// counted when it is decided.
    pub(crate) fn is_exported(&self) -> bool {
        match self {
            Self::Exporter => true,
            Self::Capture(_) | Self::Undecided(_) | Self::Nowhere => false,
            Self::Watched(watch) => watch.inner().is_some_and(Self::is_exported),
        }
    }

    /// Takes one record as bytes.
    pub(crate) fn finished(&self, record: Vec<u8>) {
        match self {
            Self::Exporter => stack::append(&record),
            Self::Capture(capture) => capture.push(record),
            Self::Watched(watch) => watch.finished(record),
            Self::Undecided(trace) => trace.finished(record),
            Self::Nowhere => {}
        }
    }

    /// Those who wait for the evaluations of what goes here.
    pub(crate) fn tallies(&self, visit: &mut dyn FnMut(&Tally)) {
        match self {
            Self::Exporter | Self::Undecided(_) | Self::Nowhere => {}
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
    records: Mutex<Vec<Vec<u8>>>,
    pub(crate) evaluating: Tally,
}

impl Capture {
    fn push(&self, record: Vec<u8>) {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).push(record);
    }

    pub(crate) fn take(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut *self.records.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
