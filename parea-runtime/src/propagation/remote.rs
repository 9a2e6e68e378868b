//! In: a caller's span from the headers of what was received.

use uuid::Uuid;

use super::{
    BAGGAGE, TRACEPARENT, TRACESTATE, baggage,
    carrier::Carrier,
    position::Position,
    traceparent::Traceparent,
    tracestate::{self, Entry},
};
use crate::{context::Context, span::Span};

/// The span of another process from which this one was called.
///
/// Reading it is to trust it: see the [module](super).
#[derive(Clone, Debug)]
pub struct Remote {
    entry: Entry,
}

impl Remote {
    /// Reads `traceparent`, `tracestate` and `baggage`; `None` without a valid `traceparent`.
    ///
    /// Of a caller that sends `traceparent` alone, such as another tracing system or a Parea client on whose list this host
    /// is not, no more is known than the trace: spans that start here hang below its root. They do so whether or not such a
    /// caller says that it records the trace, which tells nothing of the logs here.
    pub fn extract(carrier: &(impl Carrier + ?Sized)) -> Option<Self> {
        let parents = carrier.values(TRACEPARENT);
        // Two of them are none.
        let [parent] = parents[..] else { return None };
        let parent = Traceparent::parse(parent)?;
        let (states, bags) = (carrier.values(TRACESTATE), carrier.values(BAGGAGE));
        let mut entry = Entry::find(&states).unwrap_or_else(|| {
            let root_id = Uuid::from_u128(parent.trace_id);
            Entry::Inside(Position {
                root_id,
                id: root_id,
                depth: 0,
                order: 0,
                sample_rate: None,
                experiment: None,
                target: None,
                baggage: None,
                state: None,
            })
        });
        if let Entry::Inside(position) = &mut entry {
            position.target = baggage::target(&bags);
            position.baggage = baggage::foreign(&bags);
            position.state = tracestate::foreign(&states);
        }
        Some(Self { entry })
    }

    /// Id of the trace: that of its root's log. `None` if the caller does not record this trace.
    pub fn root_trace_id(&self) -> Option<String> {
        self.position().map(|position| position.root_id.to_string())
    }

    /// Id of the log of the caller's span.
    pub fn trace_id(&self) -> Option<String> {
        self.position().map(|position| position.id.to_string())
    }

    /// What the callers said in `baggage` under this key.
    pub fn baggage(&self, key: &str) -> Option<String> {
        baggage::value(&[self.position()?.baggage.as_deref()?], key)
    }

    /// The place inside the caller's span. Spans that start there are its children; if the caller does not record this
    /// trace, none start.
    ///
    /// Their logs go where those of the code that asks would go.
    pub fn context(&self) -> Context {
        match &self.entry {
            Entry::Off => Context::off(),
            Entry::Inside(position) => {
                let here = Context::current();
                match here.sink() {
                    Some(sink) => Context::inside(Span::remote(position.clone(), sink)),
                    // Nothing is recorded here.
                    None => here,
                }
            }
        }
    }

    fn position(&self) -> Option<&Position> {
        match &self.entry {
            Entry::Inside(position) => Some(position),
            Entry::Off => None,
        }
    }
}
