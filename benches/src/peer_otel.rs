//! `opentelemetry_sdk` with its batch processor, values as JSON in attributes.

use std::{
    hint::black_box,
    net::SocketAddr,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use opentelemetry::{
    Context, KeyValue,
    trace::{FutureExt as _, Status, TraceContextExt as _, Tracer as _, TracerProvider as _},
};
use opentelemetry_otlp::{Protocol, WithExportConfig as _};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{SdkTracer, SdkTracerProvider, SpanData, SpanExporter},
};

use crate::work::{Answer, Inputs, Library, Options, Refused, Yields, answer};

#[derive(Debug)]
pub struct Otel;

static EXPORTED: AtomicU64 = AtomicU64::new(0);
static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();
static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// Counts what it has exported, or dropped where it exports nowhere.
#[derive(Debug)]
pub struct Counting(Option<opentelemetry_otlp::SpanExporter>);

impl SpanExporter for Counting {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len() as u64;
        if let Self(Some(exporter)) = self {
            exporter.export(batch).await?;
        }
        EXPORTED.fetch_add(spans, Ordering::Relaxed);
        Ok(())
    }
}

/// OTLP over HTTP, as protobuf, to that server.
pub fn otlp(to: SocketAddr) -> opentelemetry_otlp::SpanExporter {
    // Fails where there is one already, which will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let exporter = opentelemetry_otlp::SpanExporter::builder().with_http();
    let exporter = exporter.with_protocol(Protocol::HttpBinary).with_endpoint(format!("http://{to}/v1/traces"));
    exporter.build().unwrap_or_else(|error| panic!("{error}"))
}

fn made(exporter: Option<opentelemetry_otlp::SpanExporter>) -> SdkTracerProvider {
    SdkTracerProvider::builder().with_batch_exporter(Counting(exporter)).build()
}

/// From here on spans are sent there.
pub fn send(to: SocketAddr) {
    let _ = PROVIDER.set(made(Some(otlp(to))));
}

pub fn provider() -> &'static SdkTracerProvider {
    PROVIDER.get_or_init(|| made(None))
}

pub fn exported() -> u64 {
    let _ = provider().force_flush();
    EXPORTED.load(Ordering::Relaxed)
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn tracer() -> &'static SdkTracer {
    TRACER.get_or_init(|| provider().tracer("benches"))
}

fn traced_answer(context: &Context, question: &str, number: u32, options: &Options) -> Answer {
    let span = context.span();
    span.set_attribute(KeyValue::new("inputs", json(&Inputs { question, number, options })));
    let answer = answer(question, number, options);
    span.set_attribute(KeyValue::new("output", json(&answer)));
    answer
}

impl Library for Otel {
    fn start() {
        tracer();
    }

    fn start_sending(to: SocketAddr) {
        send(to);
        tracer();
    }

    fn finish() -> u64 {
        exported()
    }

    fn root(body: impl FnOnce()) {
        tracer().in_span("root", |_| body());
    }

    #[inline(never)]
    fn bare(number: u32) -> u32 {
        tracer().in_span("bare", |_| black_box(number))
    }

    fn bare_root(number: u32) -> u32 {
        Self::bare(number)
    }

    #[inline(never)]
    fn args(question: &str, number: u32, options: &Options) -> Answer {
        tracer().in_span("args", |context| traced_answer(&context, question, number, options))
    }

    fn args_root(question: &str, number: u32, options: &Options) -> Answer {
        Self::args(question, number, options)
    }

    #[inline(never)]
    fn error(number: u32) -> Result<u32, Refused> {
        tracer().in_span("error", |context| {
            black_box(number);
            context.span().set_status(Status::error(Refused.to_string()));
            Err(Refused)
        })
    }

    #[inline(never)]
    fn nested(depth: u32) -> u32 {
        tracer().in_span("nested", |_| if depth == 0 { 0 } else { black_box(Self::nested(depth - 1)) + 1 })
    }

    fn args_ready(question: &str, number: u32, options: &Options) -> impl Future<Output = Answer> {
        let context = Context::current_with_span(tracer().start("args"));
        async move { traced_answer(&Context::current(), question, number, options) }.with_context(context)
    }

    fn args_yields(question: &str, number: u32, options: &Options, yields: u32) -> impl Future<Output = Answer> {
        let context = Context::current_with_span(tracer().start("args"));
        async move {
            Yields(yields).await;
            traced_answer(&Context::current(), question, number, options)
        }
        .with_context(context)
    }
}
