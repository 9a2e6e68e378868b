//! Ours, as users write it and with the defaults that they get.

use std::{hint::black_box, sync::OnceLock, time::Duration};

use crate::work::{Answer, Library, Options, Refused, YieldOnce, answer};

#[derive(Debug)]
pub struct Ours;

static GUARD: OnceLock<parea::Guard> = OnceLock::new();

#[parea::trace]
fn root(#[allow(unused)] body: impl FnOnce()) {
    body();
}

#[inline(never)]
#[parea::trace(log_omit_inputs, log_omit_outputs)]
fn bare(number: u32) -> u32 {
    black_box(number)
}

#[inline(never)]
#[parea::trace]
fn args(question: &str, number: u32, options: &Options) -> Answer {
    answer(question, number, options)
}

#[inline(never)]
#[parea::trace(log_omit_inputs)]
fn error(number: u32) -> Result<u32, Refused> {
    black_box(number);
    Err(Refused)
}

#[inline(never)]
#[parea::trace(log_omit_inputs, log_omit_outputs)]
fn nested(depth: u32) -> u32 {
    if depth == 0 { 0 } else { black_box(nested(depth - 1)) + 1 }
}

#[parea::trace]
async fn args_ready(question: &str, number: u32, options: &Options) -> Answer {
    answer(question, number, options)
}

#[parea::trace]
async fn args_yield(question: &str, number: u32, options: &Options) -> Answer {
    YieldOnce::default().await;
    answer(question, number, options)
}

impl Library for Ours {
    fn start() {
        let guard = parea::builder().discard().init();
        let _ = GUARD.set(guard.unwrap_or_else(|error| panic!("{error}")));
        // The clock is calibrated by then.
        std::thread::sleep(Duration::from_millis(400));
        root(|| {});
        std::thread::sleep(Duration::from_millis(400));
    }

    fn finish() -> u64 {
        let report = parea::flush(Duration::from_secs(60));
        assert_eq!(report.pending, 0, "{report}");
        report.delivered
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
        args_ready(question, number, options)
    }

    fn args_yield(question: &str, number: u32, options: &Options) -> impl Future<Output = Answer> {
        args_yield(question, number, options)
    }
}
