//! Where the records of a trace go.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{queue::Queue, record::Record};

/// Decided at the root and held by the whole trace.
#[derive(Clone, Debug)]
pub(crate) enum Sink {
    /// To the exporter.
    Queue(Arc<Queue>),
    /// To a test that looks at them.
    Capture(Arc<Capture>),
}

impl Sink {
    pub(crate) fn opened(&self) {
        if let Self::Queue(queue) = self {
            queue.opened();
        }
    }

    pub(crate) fn finished(&self, record: Record) {
        match self {
            Self::Queue(queue) => queue.push(record),
            Self::Capture(capture) => capture.push(record),
        }
    }
}

/// The records of one [`capture`](crate::testing::capture).
#[derive(Debug, Default)]
pub(crate) struct Capture {
    records: Mutex<Vec<Record>>,
}

impl Capture {
    fn push(&self, record: Record) {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).push(record);
    }

    pub(crate) fn take(&self) -> Vec<Record> {
        std::mem::take(&mut *self.records.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
