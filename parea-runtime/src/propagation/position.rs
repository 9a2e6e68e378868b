//! A span as far as another process has to know it.

use std::sync::Arc;

use uuid::Uuid;

/// Where in which trace a span stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Position {
    pub(crate) root_id: Uuid,
    pub(crate) id: Uuid,
    pub(crate) depth: u32,
    /// Its number in order of start.
    pub(crate) order: u32,
    /// With what chance the trace was kept, where that was asked.
    pub(crate) sample_rate: Option<f64>,
    /// Uuid of the run of an experiment to which the whole trace belongs.
    pub(crate) experiment: Option<Box<str>>,
    /// The expected output, which children inherit.
    pub(crate) target: Option<Arc<str>>,
    /// What earlier callers said in `baggage`, to be passed on as it came.
    pub(crate) baggage: Option<Arc<str>>,
    /// What other systems wrote in `tracestate`, likewise.
    pub(crate) state: Option<Arc<str>>,
}
