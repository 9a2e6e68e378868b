//! fastrace: local spans, values as JSON in properties.

use std::{
    borrow::Cow,
    hint::black_box,
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use fastrace::{
    Span,
    collector::{Config, Reporter, SpanRecord},
    future::FutureExt as _,
    local::LocalSpan,
    prelude::SpanContext,
};
use fastrace_opentelemetry::OpenTelemetryReporter;
use opentelemetry::InstrumentationScope;
use opentelemetry_sdk::Resource;

use crate::{
    peer_otel,
    work::{Answer, Inputs, Library, Options, Refused, Yields, answer},
};

#[derive(Debug)]
pub struct Fastrace;

static REPORTED: AtomicU64 = AtomicU64::new(0);

/// Counts what it has reported, or dropped where it reports to nobody. Of what a server does not take the reporter says
/// nothing.
struct Counting(Option<OpenTelemetryReporter>);

impl Reporter for Counting {
    fn report(&mut self, spans: Vec<SpanRecord>) {
        let reported = spans.len() as u64;
        if let Self(Some(reporter)) = self {
            reporter.report(spans);
        }
        REPORTED.fetch_add(reported, Ordering::Relaxed);
    }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn traced_answer(question: &str, number: u32, options: &Options) -> Answer {
    LocalSpan::add_property(|| ("inputs", json(&Inputs { question, number, options })));
    let answer = answer(question, number, options);
    LocalSpan::add_property(|| ("output", json(&answer)));
    answer
}

impl Library for Fastrace {
    fn start() {
        fastrace::set_reporter(Counting(None), Config::default());
    }

    fn start_sending(to: SocketAddr) {
        let resource = Cow::Owned(Resource::builder().build());
        let scope = InstrumentationScope::builder("benches").build();
        let reporter = OpenTelemetryReporter::new(peer_otel::otlp(to), resource, scope);
        fastrace::set_reporter(Counting(Some(reporter)), Config::default());
    }

    fn finish() -> u64 {
        fastrace::flush();
        std::thread::sleep(Duration::from_millis(100));
        fastrace::flush();
        REPORTED.load(Ordering::Relaxed)
    }

    fn root(body: impl FnOnce()) {
        let root = Span::root("root", SpanContext::random());
        let _guard = root.set_local_parent();
        body();
    }

    #[inline(never)]
    fn bare(number: u32) -> u32 {
        let _span = LocalSpan::enter_with_local_parent("bare");
        black_box(number)
    }

    #[inline(never)]
    fn bare_root(number: u32) -> u32 {
        let _span = Span::root("bare", SpanContext::random());
        black_box(number)
    }

    #[inline(never)]
    fn args(question: &str, number: u32, options: &Options) -> Answer {
        let _span = LocalSpan::enter_with_local_parent("args");
        traced_answer(question, number, options)
    }

    #[inline(never)]
    fn args_root(question: &str, number: u32, options: &Options) -> Answer {
        let span = Span::root("args", SpanContext::random());
        let span = span.with_property(|| ("inputs", json(&Inputs { question, number, options })));
        let answer = answer(question, number, options);
        let _span = span.with_property(|| ("output", json(&answer)));
        answer
    }

    #[inline(never)]
    fn error(number: u32) -> Result<u32, Refused> {
        let _span = LocalSpan::enter_with_local_parent("error");
        black_box(number);
        LocalSpan::add_property(|| ("error", Refused.to_string()));
        Err(Refused)
    }

    #[inline(never)]
    fn nested(depth: u32) -> u32 {
        let _span = LocalSpan::enter_with_local_parent("nested");
        if depth == 0 { 0 } else { black_box(Self::nested(depth - 1)) + 1 }
    }

    fn args_ready(question: &str, number: u32, options: &Options) -> impl Future<Output = Answer> {
        async move { traced_answer(question, number, options) }.in_span(Span::enter_with_local_parent("args"))
    }

    fn args_yields(question: &str, number: u32, options: &Options, yields: u32) -> impl Future<Output = Answer> {
        async move {
            LocalSpan::add_property(|| ("inputs", json(&Inputs { question, number, options })));
            Yields(yields).await;
            let answer = answer(question, number, options);
            LocalSpan::add_property(|| ("output", json(&answer)));
            answer
        }
        .in_span(Span::enter_with_local_parent("args"))
    }
}
