//! Ours, as users write it and with the defaults that they get.

use std::{env, hint::black_box, net::SocketAddr, sync::OnceLock, time::Duration};

use crate::work::{Answer, Library, Options, Refused, Yields, answer};

#[derive(Debug)]
pub struct Ours;

static GUARD: OnceLock<parea::Guard> = OnceLock::new();

// As the others' roots, it captures nothing.
#[parea::trace(log_omit_inputs, log_omit_outputs)]
fn root(body: impl FnOnce()) {
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

#[parea::trace(skip(yields))]
async fn args_yields(question: &str, number: u32, options: &Options, yields: u32) -> Answer {
    Yields(yields).await;
    answer(question, number, options)
}

/// What becomes of the records.
#[derive(Clone, Copy, Debug)]
pub enum Fate {
    /// They are dropped as they are.
    Dropped,
    /// They are made lines of JSON, searched for secrets, and dropped then.
    Encoded,
    /// They are sent to a server that takes everything.
    Sent(SocketAddr),
    /// There are none: no trace is in the sample.
    SampledOut,
}

/// Starts recording, and waits until the clock is calibrated.
pub fn start(fate: Fate) {
    let builder = parea::builder();
    let guard = match fate {
        Fate::Dropped => builder.discard().init(),
        Fate::Encoded => builder.discard_encoded().init(),
        Fate::Sent(address) => {
            builder.base_url(format!("http://{address}")).folder(env::temp_dir().join("parea-benches")).init()
        }
        Fate::SampledOut => builder.discard().sample_rate(0.0).init(),
    };
    let _ = GUARD.set(guard.unwrap_or_else(|error| panic!("{error}")));
    std::thread::sleep(Duration::from_millis(400));
    root(|| {});
    std::thread::sleep(Duration::from_millis(400));
}

impl Library for Ours {
    fn start() {
        start(Fate::Dropped);
    }

    fn start_sending(to: SocketAddr) {
        start(Fate::Sent(to));
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

    fn args_yields(question: &str, number: u32, options: &Options, yields: u32) -> impl Future<Output = Answer> {
        args_yields(question, number, options, yields)
    }
}
