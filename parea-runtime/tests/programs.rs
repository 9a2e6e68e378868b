//! Programs made by chance, whose every call knows who called it: whatever they do with futures, threads, panics and contexts, the
//! trees say the same.
#![allow(clippy::unwrap_used, reason = "this is a test")]

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use futures::{FutureExt as _, Stream, StreamExt as _, future::BoxFuture, stream, stream::FuturesUnordered};
use parea::{
    Context,
    prelude::*,
    testing::{Traces, capture_async},
};

/// What all calls of a program share.
#[derive(Clone, Default)]
struct Program {
    state: Arc<Mutex<fastrand::Rng>>,
    /// Contexts that were kept, with the spans that they are in.
    kept: Arc<Mutex<Vec<(String, Context)>>>,
    /// Tasks that have not ended.
    tasks: Arc<AtomicUsize>,
}

impl Program {
    fn below(&self, limit: usize) -> usize {
        self.state.lock().unwrap().usize(..limit)
    }

    fn keep(&self) {
        self.kept.lock().unwrap().push((here(), Context::current()));
    }

    fn kept(&self) -> (String, Context) {
        let kept = self.kept.lock().unwrap();
        if kept.is_empty() { (here(), Context::current()) } else { kept[self.below(kept.len())].clone() }
    }
}

fn here() -> String {
    parea::current().trace_id().unwrap()
}

#[parea::trace]
fn leaf(caller: String, n: usize) -> usize {
    let _ = caller;
    n
}

#[parea::trace]
async fn yields(caller: String, n: usize) -> usize {
    let _ = caller;
    tokio::task::yield_now().await;
    n
}

#[parea::trace]
fn iterates(caller: String) -> impl Iterator<Item = usize> {
    let (_, here) = (caller, here());
    (0..3).map(move |n| leaf(here.clone(), n))
}

#[parea::trace]
fn streams(caller: String) -> impl Stream<Item = usize> + Send {
    let (_, here) = (caller, here());
    stream::iter(0..3).then(move |n| yields(here.clone(), n))
}

#[parea::trace(skip(program))]
fn panics(caller: String, program: &Program, depth: usize) {
    let _ = caller;
    calls(here(), program, depth);
    panic!("on purpose")
}

#[parea::trace(skip(program))]
fn calls(caller: String, program: &Program, depth: usize) {
    let _ = caller;
    for _ in 0..if depth == 0 { 0 } else { program.below(3) } {
        match program.below(5) {
            0 => calls(here(), program, depth - 1),
            1 => drop(catch_unwind(AssertUnwindSafe(|| panics(here(), program, depth - 1)))),
            2 => {
                let (span, context) = program.kept();
                context.enter(|| calls(span, program, depth - 1));
            }
            3 => program.keep(),
            _ => {
                let here = here();
                let body = (|| calls(here.clone(), program, depth - 1)).in_current_span();
                thread::scope(|scope| scope.spawn(body).join().unwrap());
                iterates(here.clone()).take(program.below(4)).for_each(|n| _ = leaf(here.clone(), n));
            }
        }
    }
}

#[parea::trace(skip(program))]
async fn awaits(caller: String, program: Program, depth: usize) {
    let _ = caller;
    steps(program, depth).await;
}

#[parea::trace(skip(program))]
fn boxed(caller: String, program: Program, depth: usize) -> BoxFuture<'static, ()> {
    let _ = caller;
    Box::pin(steps(program, depth))
}

#[parea::trace(skip(program))]
async fn awaits_and_panics(caller: String, program: Program, depth: usize) {
    let _ = caller;
    steps(program, depth).await;
    panic!("on purpose")
}

fn fails(caller: String, program: Program, depth: usize) -> BoxFuture<'static, ()> {
    awaits_and_panics(caller, program, depth).boxed()
}

/// A call below the span `caller`, which begins when it is first polled.
fn call(caller: &str, program: &Program, depth: usize) -> BoxFuture<'static, ()> {
    let (caller, program) = (caller.to_owned(), program.clone());
    async move {
        if program.below(2) == 0 {
            awaits(caller, program, depth - 1).await;
        } else {
            boxed(caller, program, depth - 1).await;
        }
    }
    .boxed()
}

async fn steps(program: Program, depth: usize) {
    let (here, mut begun) = (here(), Vec::new());
    for _ in 0..if depth == 0 { 0 } else { program.below(4) } {
        let call = || call(&here, &program, depth);
        match program.below(12) {
            0 => call().await,
            1 => drop(futures::future::join_all([call(), call(), call()]).await),
            2 => drop(futures::future::select(call(), call()).await),
            3 => {
                let (tasks, call) = (Arc::clone(&program.tasks), call());
                tasks.fetch_add(1, Ordering::SeqCst);
                let task = async move {
                    call.await;
                    tasks.fetch_sub(1, Ordering::SeqCst);
                };
                parea::spawn(task).await.unwrap();
            }
            4 => {
                let (span, context) = program.kept();
                let call = self::call(&span, &program, depth);
                InCurrentSpan::in_context(call, context).await;
            }
            5 => {
                let call = fails(here.clone(), program.clone(), depth - 1);
                drop(AssertUnwindSafe(call).catch_unwind().await);
            }
            6 => {
                // Begun here, and awaited or dropped later, somewhere between other calls.
                let mut call = call();
                if futures::poll!(&mut call).is_pending() {
                    begun.push(call);
                }
            }
            7 => {
                let mut items = std::pin::pin!(streams(here.clone()).take(program.below(4)));
                while let Some(n) = items.next().await {
                    leaf(here.clone(), n);
                }
            }
            8 => calls(here.clone(), &program, depth - 1),
            9 => program.keep(),
            10 => {
                let mut some: FuturesUnordered<_> = (0..4).map(|_| call()).collect();
                for _ in 0..program.below(5) {
                    some.next().await;
                    leaf(here.clone(), 0);
                }
            }
            _ => match begun.pop() {
                Some(call) if program.below(2) == 0 => call.await,
                call => drop(call),
            },
        }
    }
}

/// What the trees say against what the calls know.
fn check(traces: &Traces, seed: u64) {
    let logs: HashMap<_, _> = traces.logs().iter().map(|log| (log.trace_id.as_str(), log)).collect();
    let mut orders: HashMap<_, Vec<_>> = HashMap::new();
    for log in traces.logs() {
        let caller = log.inputs.as_ref().unwrap()["caller"].as_str().unwrap();
        let (parent, root) = (log.parent_trace_id.as_deref().unwrap(), log.root_trace_id.as_deref().unwrap());
        orders.entry(root).or_default().push(log.execution_order);
        if caller.is_empty() {
            assert_eq!((parent, root, log.depth), (&*log.trace_id, &*log.trace_id, 0), "seed {seed}\n{traces}");
            continue;
        }
        assert_eq!(parent, caller, "seed {seed}: {:?}\n{traces}", log.trace_name);
        let parent = logs[parent];
        assert_eq!((Some(root), log.depth), (parent.root_trace_id.as_deref(), parent.depth + 1), "seed {seed}");
        assert!(log.execution_order > parent.execution_order, "seed {seed}\n{traces}");
    }
    for orders in orders.values_mut() {
        orders.sort_unstable();
        assert!((0..).zip(orders.iter()).all(|(dense, order)| dense == *order), "seed {seed}: {orders:?}");
    }
}

#[test]
fn every_call_is_below_its_caller() {
    std::panic::set_hook(Box::new(|panic| {
        if panic.payload_as_str() != Some("on purpose") {
            eprintln!("{panic}");
        }
    }));
    let mut logs = 0;
    for seed in 0..400 {
        let runtime = if seed % 2 == 0 {
            tokio::runtime::Builder::new_current_thread().build()
        } else {
            tokio::runtime::Builder::new_multi_thread().worker_threads(3).build()
        };
        let program = Program { state: Arc::new(Mutex::new(fastrand::Rng::with_seed(seed))), ..Program::default() };
        let body = async {
            let root = || awaits(String::new(), program.clone(), 6);
            tokio::join!(root(), root());
            while program.tasks.load(Ordering::SeqCst) > 0 {
                tokio::task::yield_now().await;
            }
        };
        let ((), traces) = runtime.unwrap().block_on(capture_async(body));
        check(&traces, seed);
        logs += traces.logs().len();
    }
    assert!(logs > 4_000, "{logs}");
}
