//! The work that every library traces, without any.

use std::{hint::black_box, net::SocketAddr, pin::Pin, task};

use serde::Serialize;

/// 64 characters.
pub const QUESTION: &str = "Which of our documents say how long a session token stays valid?";

#[derive(Clone, Debug, Serialize)]
pub struct Options {
    pub model: &'static str,
    pub top_k: u32,
    pub stream: bool,
    pub stop: &'static str,
}

pub const OPTIONS: Options = Options { model: "small-1", top_k: 20, stream: false, stop: "###" };

#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    pub text: &'static str,
    pub tokens: u32,
}

/// What libraries without capture of their own are given: 166 bytes of JSON with the question and the number.
#[cfg(feature = "peers")]
#[derive(Serialize)]
pub struct Inputs<'a> {
    pub question: &'a str,
    pub number: u32,
    pub options: &'a Options,
}

#[derive(Debug)]
pub struct Refused;

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("refused")
    }
}

impl std::error::Error for Refused {}

pub fn answer(question: &str, number: u32, options: &Options) -> Answer {
    black_box((question, options));
    Answer { text: "thirty minutes", tokens: black_box(number) }
}

/// Pending so often, and woken at once each time.
#[derive(Debug)]
pub struct Yields(pub u32);

impl Future for Yields {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> task::Poll<()> {
        if self.0 == 0 {
            return task::Poll::Ready(());
        }
        self.0 -= 1;
        task.waker().wake_by_ref();
        task::Poll::Pending
    }
}

/// Polls until it is done.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut task = task::Context::from_waker(task::Waker::noop());
    loop {
        if let task::Poll::Ready(value) = future.as_mut().poll(&mut task) {
            return value;
        }
    }
}

/// One way to trace the work. Everything is called inside a trace, except for `*_root`, which starts one.
pub trait Library {
    /// Starts recording, with an exporter that drops.
    fn start();
    /// Starts recording, with an exporter that sends to that server and counts what it has taken.
    fn start_sending(to: SocketAddr) {
        panic!("it sends nothing, not even to {to}");
    }
    /// Waits until all is exported; how many spans were.
    fn finish() -> u64;
    fn root(body: impl FnOnce());
    fn bare(number: u32) -> u32;
    fn bare_root(number: u32) -> u32;
    fn args(question: &str, number: u32, options: &Options) -> Answer;
    fn args_root(question: &str, number: u32, options: &Options) -> Answer;
    fn error(number: u32) -> Result<u32, Refused>;
    fn nested(depth: u32) -> u32;
    fn args_ready(question: &str, number: u32, options: &Options) -> impl Future<Output = Answer>;
    fn args_yields(question: &str, number: u32, options: &Options, yields: u32) -> impl Future<Output = Answer>;
}

/// Nothing traced: what the others are compared with.
#[derive(Debug)]
pub struct Plain;

impl Library for Plain {
    fn start() {}

    fn finish() -> u64 {
        0
    }

    fn root(body: impl FnOnce()) {
        body();
    }

    #[inline(never)]
    fn bare(number: u32) -> u32 {
        black_box(number)
    }

    fn bare_root(number: u32) -> u32 {
        Self::bare(number)
    }

    #[inline(never)]
    fn args(question: &str, number: u32, options: &Options) -> Answer {
        answer(question, number, options)
    }

    fn args_root(question: &str, number: u32, options: &Options) -> Answer {
        Self::args(question, number, options)
    }

    #[inline(never)]
    fn error(number: u32) -> Result<u32, Refused> {
        black_box(number);
        Err(Refused)
    }

    #[inline(never)]
    fn nested(depth: u32) -> u32 {
        if depth == 0 { 0 } else { black_box(Self::nested(depth - 1)) + 1 }
    }

    async fn args_ready(question: &str, number: u32, options: &Options) -> Answer {
        answer(question, number, options)
    }

    async fn args_yields(question: &str, number: u32, options: &Options, yields: u32) -> Answer {
        Yields(yields).await;
        answer(question, number, options)
    }
}
