//! `tracing`, with the cheapest layer that keeps what was captured, and with the one for OpenTelemetry.

use std::{
    fmt,
    hint::black_box,
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use opentelemetry::trace::TracerProvider as _;
use tracing::{
    Instrument as _,
    field::{Empty, Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer, Registry,
    layer::{Context, SubscriberExt as _},
    registry::LookupSpan,
};

use crate::{
    peer_otel,
    work::{Answer, Inputs, Library, Options, Refused, Yields, answer},
};

#[derive(Debug)]
pub struct Cheapest;

#[derive(Debug)]
pub struct ToOtel;

static CLOSED: AtomicU64 = AtomicU64::new(0);

struct Keeping;

struct Kept {
    start: Instant,
    texts: Vec<String>,
}

impl Visit for Kept {
    fn record_debug(&mut self, _field: &Field, value: &dyn fmt::Debug) {
        self.texts.push(format!("{value:?}"));
    }

    fn record_str(&mut self, _field: &Field, value: &str) {
        self.texts.push(value.to_owned());
    }
}

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Keeping {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut kept = Kept { start: Instant::now(), texts: Vec::new() };
        attributes.record(&mut kept);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(kept);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(kept) = span.extensions_mut().get_mut::<Kept>()
        {
            values.record(kept);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        if let Some(kept) = context.span(&id).and_then(|span| span.extensions_mut().remove::<Kept>()) {
            black_box((kept.start.elapsed(), kept.texts));
            CLOSED.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn set(subscriber: impl tracing::Subscriber + Send + Sync) {
    tracing::subscriber::set_global_default(subscriber).unwrap_or_else(|error| panic!("{error}"));
}

fn args_span(question: &str, number: u32, options: &Options) -> tracing::Span {
    tracing::info_span!("args", inputs = json(&Inputs { question, number, options }), output = Empty)
}

fn root(body: impl FnOnce()) {
    tracing::info_span!("root").in_scope(body);
}

#[inline(never)]
fn bare(number: u32) -> u32 {
    let _entered = tracing::info_span!("bare").entered();
    black_box(number)
}

#[inline(never)]
fn args(question: &str, number: u32, options: &Options) -> Answer {
    let span = args_span(question, number, options).entered();
    let answer = answer(question, number, options);
    span.record("output", json(&answer));
    answer
}

#[inline(never)]
fn error(number: u32) -> Result<u32, Refused> {
    let span = tracing::info_span!("error", error = Empty).entered();
    black_box(number);
    span.record("error", Refused.to_string());
    Err(Refused)
}

#[inline(never)]
fn nested(depth: u32) -> u32 {
    let _entered = tracing::info_span!("nested").entered();
    if depth == 0 { 0 } else { black_box(nested(depth - 1)) + 1 }
}

fn args_async(question: &str, number: u32, options: &Options, yields: u32) -> impl Future<Output = Answer> {
    let span = args_span(question, number, options);
    async move {
        if yields > 0 {
            Yields(yields).await;
        }
        let answer = answer(question, number, options);
        tracing::Span::current().record("output", json(&answer));
        answer
    }
    .instrument(span)
}

macro_rules! library {
    ($name:ident: $start:expr, $finish:expr $(, sending: $send:expr)?) => {
        impl Library for $name {
            fn start() {
                $start;
            }

            $(
                fn start_sending(to: SocketAddr) {
                    $send(to);
                    $start;
                }
            )?

            fn finish() -> u64 {
                $finish
            }

            fn root(body: impl FnOnce()) {
                root(body);
            }

            fn bare(number: u32) -> u32 {
                bare(number)
            }

            fn bare_root(number: u32) -> u32 {
                bare(number)
            }

            fn args(question: &str, number: u32, options: &Options) -> Answer {
                args(question, number, options)
            }

            fn args_root(question: &str, number: u32, options: &Options) -> Answer {
                args(question, number, options)
            }

            fn error(number: u32) -> Result<u32, Refused> {
                error(number)
            }

            fn nested(depth: u32) -> u32 {
                nested(depth)
            }

            fn args_ready(question: &str, number: u32, options: &Options) -> impl Future<Output = Answer> {
                args_async(question, number, options, 0)
            }

            fn args_yields(
                question: &str,
                number: u32,
                options: &Options,
                yields: u32,
            ) -> impl Future<Output = Answer> {
                args_async(question, number, options, yields)
            }
        }
    };
}

library!(Cheapest: set(Registry::default().with(Keeping)), CLOSED.load(Ordering::Relaxed));
library!(ToOtel: {
    let tracer = peer_otel::provider().tracer("benches");
    set(Registry::default().with(tracing_opentelemetry::layer().with_tracer(tracer)));
}, peer_otel::exported(), sending: peer_otel::send);
