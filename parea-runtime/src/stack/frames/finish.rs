//! How spans end: each way is taken by what is usual more often than what the next one is for.

use std::{mem, sync::Arc, time::Duration};

use super::{
    Stack, Waiting,
    frame::{Open, What},
};
use crate::{
    clock::Moment,
    exit::fork,
    hooks::Captured,
    json::Buffer,
    record::{self, Ended, Failed, Finished, Head, SHORT_ERROR, Sections},
    scope::Sink,
    span::Span,
    stack::new_writer,
    thread_log::Count,
};

/// A buffer that was made while the thread's own was lent.
#[cold]
#[inline(never)]
fn drop_other(other: Box<Buffer>) {
    drop(other);
}

impl Stack {
    /// Ends the innermost span, if it has nothing at all but itself; else nothing has happened.
    #[inline]
    pub(in crate::stack) fn finish_bare(&mut self, now: Moment) -> bool {
        let Self { frames, children, writer: Some(writer), .. } = self else { return false };
        let Some(((open, What::Span), depth)) = frames.last_and_depth() else { return false };
        let Some(site) = open.bare_site(children) else { return false };
        // Much of what follows is known at compile time.
        let latency = now.nanos_since(open.begun.start);
        let sections = Sections::default();
        let ended = Ended { site, latency, sample_rate: None, children: 0, sections, body: 0 };
        let written = writer.append_words(&Head(&open.begun, &ended));
        *depth -= usize::from(written);
        written
    }

    /// The same of a span that has nothing but a short error.
    #[inline]
    pub(in crate::stack) fn finish_failed(&mut self, captured: &Captured, now: Moment) -> bool {
        let Self { frames, children, writer: Some(writer), .. } = self else { return false };
        let Some(((open, What::Span), depth)) = frames.last_and_depth() else { return false };
        let Some(site) = open.bare_site(children) else { return false };
        let latency = now.nanos_since(open.begun.start);
        let sections = Sections { error: captured.error.len() as u32, ..Sections::default() };
        let ended = Ended { site, latency, sample_rate: None, children: 0, sections, body: SHORT_ERROR };
        let Some(error) = captured.error.words() else { return false };
        let written = writer.append_words(&Failed(Head(&open.begun, &ended), error));
        *depth -= usize::from(written);
        written
    }

    /// The same of a span of which something was captured, in the buffer that is lent.
    #[inline]
    pub(in crate::stack) fn finish_lent(&mut self, captured: &mut Captured, now: Moment) -> bool {
        let Self { frames, buffer, children, writer: Some(writer), .. } = self else { return false };
        let Some(((open, What::Span), depth)) = frames.last_and_depth() else { return false };
        let (Some(site), Some(lent)) = (open.bare_site(children), &mut captured.buffer) else { return false };
        if lent.redacted > 0 {
            return false;
        }
        let latency = now.nanos_since(open.begun.start);
        let Sections { inputs, output, output_for_eval_metrics, error, .. } = captured.sections;
        let sections = Sections { inputs, output, output_for_eval_metrics, error, ..Sections::default() };
        let body = lent.steps_since(captured.start);
        let ended =
            Ended { site, latency, sample_rate: None, children: 0, sections, body: body.as_flattened().len() / 8 };
        let written = writer.append_usual(&Head(&open.begun, &ended), body);
        if written {
            *depth -= 1;
            lent.bytes.truncate(captured.start);
            if let Some(other) = mem::replace(buffer, captured.buffer.take()) {
                drop_other(other);
            }
        }
        written
    }

    /// Ends the innermost span, if it has nothing but what was captured; whether it was one.
    #[inline(never)]
    pub(in crate::stack) fn finish(&mut self, captured: Option<&mut Captured>, now: Moment) -> bool {
        match self.frames.last() {
            Some((open, What::Span)) if open.trace.is_plain() && self.writer.is_some() => {
                self.finish_captured(captured, now);
                true
            }
            _ => false,
        }
    }

    #[inline]
    fn finish_captured(&mut self, captured: Option<&mut Captured>, now: Moment) {
        let Self { frames, buffer, children, writer: Some(writer), .. } = self else { return };
        let Some((open, _)) = frames.last() else { return };
        let site = open.site.number();
        let (start, sections, buffer) = match captured {
            Some(Captured { buffer: lent @ Some(_), start, sections, .. }) => {
                *buffer = lent.take();
                (*start, *sections, buffer.get_or_insert_default())
            }
            captured => {
                let buffer = buffer.get_or_insert_default();
                let (start, inputs) = (open.start_in(buffer), open.inputs);
                let mut sections = Sections { inputs, ..Sections::default() };
                // What somebody else left, if anything.
                buffer.bytes.truncate(start + inputs as usize);
                if let Some(captured) = captured {
                    captured.push_error(buffer, &mut sections);
                }
                (start, sections, buffer)
            }
        };
        let (body, own) = (buffer.steps_since(start), children.since(open.children_start));
        let latency = now.nanos_since(open.begun.start);
        let ended = Ended {
            site,
            latency,
            sample_rate: None,
            children: own.len(),
            sections,
            body: body.as_flattened().len() / 8,
        };
        writer.append(&Head(&open.begun, &ended), own, body);
        buffer.bytes.truncate(start);
        if buffer.redacted > 0 {
            writer.count(Count::Redacted, u64::from(mem::take(&mut buffer.redacted)));
        }
        children.truncate(open.children_start);
        frames.pop_plain();
    }

    /// Ends whatever is innermost; `false` if it is no span.
    pub(in crate::stack) fn finish_any(&mut self, captured: &mut Captured, now: Moment) -> bool {
        let is_lent = captured.buffer.is_some();
        if let Some(buffer) = captured.buffer.take() {
            self.put_back(buffer);
        }
        match self.frames.last() {
            Some((open, What::Span | What::SpanWith(_))) if fork::is_inherited(open.begun.start) => {
                self.drop_open();
                return true;
            }
            Some((_, What::Scope(_) | What::Muted)) | None => return false,
            Some((_, What::Span | What::SpanWith(_) | What::Shared(_))) => {}
        }
        if !is_lent {
            self.take_inputs(captured);
        }
        let mut sections = captured.sections;
        captured.push_error(self.buffer(), &mut sections);
        if matches!(self.frames.last(), Some((_, What::SpanWith(rest))) if rest.is_evaluated()) {
            self.share_last();
        }
        let start = captured.start;
        if let Some((open, What::Span | What::SpanWith(_))) = self.frames.last() {
            let open = *open;
            self.finish_open(&open, start, sections, now);
        } else if let Some(What::Shared(span)) = self.frames.pop() {
            let latency = now.since(span.identity.start);
            self.finish_shared(&span, start, sections, latency);
        }
        self.buffer().bytes.truncate(start);
        true
    }

    /// Puts the inputs of the innermost span where [`lend`](Self::lend) has them, without lending.
    fn take_inputs(&mut self, captured: &mut Captured) {
        self.lend(captured);
        if let Some(buffer) = captured.buffer.take() {
            self.put_back(buffer);
        }
    }

    /// Leaves a span of the process that this one was forked from: that one ends it.
    fn drop_open(&mut self) {
        if let Some((open, _)) = self.frames.last() {
            let open = *open;
            self.children.truncate(open.children_start);
            let start = open.start_in(self.buffer());
            self.buffer().bytes.truncate(start);
            self.frames.pop();
        }
    }

    fn finish_open(&mut self, open: &Open, start: usize, mut sections: Sections, now: Moment) {
        let Self { frames, buffer, children, writer, waiting, .. } = self;
        let (scope, sample_rate) = match frames.get(open.base) {
            Some((_, What::SpanWith(rest))) => (rest.scope.as_ref(), rest.sample_rate),
            Some((_, What::Shared(span))) => (span.trace.scope.as_ref(), span.trace.sample_rate),
            Some((_, What::Span | What::Scope(_) | What::Muted)) | None => (None, None),
        };
        let experiment = scope.and_then(|scope| scope.experiment.as_deref());
        let (draft, target) = match frames.last() {
            Some((_, What::SpanWith(rest))) => (rest.draft.as_deref(), rest.target.as_deref()),
            _ => (None, None),
        };
        let buffer = buffer.get_or_insert_default();
        record::push_rest(buffer, &mut sections, draft, target, experiment);
        let body = buffer.steps_since(start);
        let own = children.since(open.children_start);
        let Open { site, begun, .. } = open;
        let site = site.number();
        let latency = now.nanos_since(begun.start);
        let ended =
            Ended { site, latency, sample_rate, children: own.len(), sections, body: body.as_flattened().len() / 8 };
        let writer = writer.get_or_insert_with(new_writer);
        match scope.map(|scope| &scope.sink) {
            None | Some(Sink::Exporter) => _ = writer.append(&Head(begun, &ended), own, body),
            Some(sink) => waiting.push(Waiting::Aside(sink.clone(), record::to_bytes(begun, &ended, own, body))),
        }
        let redacted = mem::take(&mut buffer.redacted);
        if redacted > 0 {
            writer.count(Count::Redacted, u64::from(redacted));
        }
        children.truncate(open.children_start);
        frames.pop();
    }

    /// Ends a shared span, wherever it is, with what stands in the buffer from `start`.
    pub(in crate::stack) fn finish_shared(
        &mut self,
        span: &Arc<Span>,
        start: usize,
        mut sections: Sections,
        latency: Duration,
    ) {
        let Some((known, target)) = span.close() else { return };
        if fork::is_inherited(span.identity.start) {
            return;
        }
        let redacted = mem::take(&mut self.buffer().redacted);
        if redacted > 0 {
            self.writer().count(Count::Redacted, u64::from(redacted));
        }
        let failed = sections.error != 0;
        if known.draft.as_ref().is_some_and(|draft| draft.wants_evaluation(failed)) {
            let captured = self.buffer().since(start).to_vec();
            let finished = Finished { span: Arc::clone(span), latency, known, target, sections, captured };
            return self.waiting.push(Waiting::Evaluated(Box::new(finished)));
        }
        let Self { buffer, writer, waiting, .. } = self;
        let buffer = buffer.get_or_insert_default();
        let scope = span.trace.scope.as_ref();
        let experiment = scope.and_then(|scope| scope.experiment.as_deref());
        record::push_rest(buffer, &mut sections, known.draft.as_deref(), target.as_deref(), experiment);
        let body = buffer.steps_since(start);
        let (begun, own) = (record::Begun::of_span(span), &known.children);
        let (site, latency, sample_rate) =
            (span.identity.site.number(), latency.as_nanos() as u64, span.trace.sample_rate);
        let ended =
            Ended { site, latency, sample_rate, children: own.len(), sections, body: body.as_flattened().len() / 8 };
        match span.trace.sink() {
            Sink::Exporter => {
                writer.get_or_insert_with(new_writer).append(&Head(&begun, &ended), own, body);
            }
            sink => waiting.push(Waiting::Aside(sink.clone(), record::to_bytes(&begun, &ended, own, body))),
        }
    }
}
