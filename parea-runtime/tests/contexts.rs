//! The current span in everything that runs elsewhere, or later, or side by side.
#![allow(clippy::unwrap_used, reason = "this is a test")]

use std::{
    collections::BTreeSet,
    sync::{Barrier, Mutex, mpsc},
    thread,
};

use futures::{
    StreamExt as _,
    stream::{self, FuturesUnordered},
};
use parea::{
    Carried, Context, JoinSet,
    prelude::*,
    testing::{Traces, capture, capture_async},
};
use rayon::prelude::*;

#[parea::trace]
fn leaf(n: usize) -> usize {
    n
}

#[parea::trace]
async fn task(n: usize) -> usize {
    tokio::task::yield_now().await;
    leaf(n)
}

/// Every span but the root lies where it should, and the numbers are distinct and dense.
fn check(traces: &Traces, root: &str, children: usize) {
    let logs = traces.logs();
    let root = traces.log(root);
    let orders: BTreeSet<_> = logs.iter().map(|log| log.execution_order).collect();
    assert_eq!(orders, (0..logs.len() as i64).collect(), "distinct and dense");
    let mut direct: Vec<_> = logs
        .iter()
        .filter(|log| log.depth == 1)
        .inspect(|log| assert_eq!(log.parent_trace_id.as_ref(), Some(&root.trace_id)))
        .collect();
    direct.sort_by_key(|log| log.execution_order);
    let ids: Vec<_> = direct.iter().map(|log| log.trace_id.clone()).collect();
    assert_eq!((ids.len(), root.children.as_ref()), (children, Some(&ids)), "children in order of start");
    assert!(logs.iter().all(|log| log.root_trace_id.as_ref() == Some(&root.trace_id)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_children_of_every_kind_at_once() {
    #[parea::trace]
    async fn root() -> usize {
        let here = Context::current();
        let mut tasks = JoinSet::new();
        // 250 tasks and 150 blocking ones, which start while the threads and the pool below do.
        for n in 0..250 {
            tasks.spawn(task(n));
        }
        for n in 0..150 {
            tasks.spawn_blocking(move || leaf(n));
        }
        let ranks = here.clone();
        let pool = parea::spawn_blocking(move || {
            // 200 on the pool, 200 on scoped threads that begin together.
            let ranked: usize = (0..200_usize).into_par_iter().map(|n| ranks.enter(|| leaf(n))).map(|_| 1).sum();
            let gate = Barrier::new(8);
            thread::scope(|scope| {
                for thread in 0..8 {
                    let (gate, here) = (&gate, &here);
                    scope.spawn(move || {
                        gate.wait();
                        for n in 0..25 {
                            here.enter(|| leaf(thread * 25 + n));
                        }
                    });
                }
            });
            ranked
        });
        // 200 side by side on this task.
        let mut side_by_side: FuturesUnordered<_> = (0..200).map(task).collect();
        let mut done = 0;
        while side_by_side.next().await.is_some() {
            done += 1;
        }
        done + pool.await.unwrap() + tasks.join_all().await.len()
    }
    let (done, traces) = capture_async(root()).await;
    assert_eq!(done, 800);
    // 250 and 200 of the tasks have a leaf each.
    assert_eq!(traces.logs().len(), 1 + 1000 + 450);
    check(&traces, "root", 1000);
}

#[test]
fn threads_channels_callbacks_and_closures() {
    #[parea::trace]
    fn root() {
        // A thread of its own, by a closure; one that borrows; one that gets a message.
        thread::spawn((|| leaf(0)).in_current_span()).join().unwrap();
        let (sender, receiver) = mpsc::channel::<Carried<usize>>();
        let heard = Mutex::new(0);
        let here = Context::current();
        thread::scope(|scope| {
            scope.spawn(|| here.enter(|| *heard.lock().unwrap() += leaf(1)));
            scope.spawn(move || {
                for message in receiver {
                    message.enter(leaf);
                }
            });
            sender.send(Carried::new(2)).unwrap();
            inner(&sender);
            drop(sender);
        });
        // Callbacks: once, and often.
        let once = Context::current().wrap(leaf);
        let often = Context::current().wrap_fn(leaf);
        thread::spawn(move || {
            once(4);
            often(5);
            thread::scope(|scope| {
                scope.spawn(|| often(6));
            });
        })
        .join()
        .unwrap();
        leaf(7);
    }
    #[parea::trace(skip(sender))]
    fn inner(sender: &mpsc::Sender<Carried<usize>>) {
        sender.send(Carried::new(3)).unwrap();
    }
    let ((), traces) = capture(root);
    assert_eq!(traces.logs().len(), 10);
    check(&traces, "root", 8);
    let inner = traces.log("inner");
    let below = traces
        .logs()
        .iter()
        .find(|log| log.parent_trace_id.as_ref() == Some(&inner.trace_id) && log.depth == 2)
        .unwrap();
    assert_eq!(below.inputs.as_ref().unwrap()["n"], 3, "the message belongs to the span that sent it");
}

#[tokio::test]
async fn joins_selections_and_streams_within_one_task() {
    #[parea::trace]
    async fn root() -> usize {
        let (one, two) = futures::join!(task(1), task(2));
        // The slower one is dropped half-way.
        let first = tokio::select! {
            n = async { std::future::pending::<()>().await; 0 } => n,
            n = task(3) => n,
        };
        let buffered: Vec<_> = stream::iter(10..14).map(task).buffer_unordered(3).collect().await;
        one + two + first + buffered.len() + leaf(20)
    }
    let (sum, traces) = capture_async(root()).await;
    assert_eq!(sum, 30);
    assert_eq!(traces.logs().len(), 1 + 7 * 2 + 1);
    check(&traces, "root", 8);
    for task in traces.logs().iter().filter(|log| log.trace_name.as_deref() == Some("task")) {
        let below: Vec<_> =
            traces.logs().iter().filter(|log| log.parent_trace_id.as_ref() == Some(&task.trace_id)).collect();
        let [leaf] = &below[..] else { panic!("{below:?}") };
        assert_eq!(leaf.inputs, task.inputs, "side by side, each leaf lies below its own task");
    }
}

#[tokio::test]
async fn a_stream_runs_in_the_span_that_made_it_and_its_consumer_does_not() {
    #[parea::trace]
    fn producer() -> stream::BoxStream<'static, usize> {
        StreamInCurrentSpan::in_current_span(stream::iter(0..2).map(leaf)).boxed()
    }
    #[parea::trace]
    async fn consumer(items: stream::BoxStream<'static, usize>) -> usize {
        items.map(|n| leaf(n + 10)).collect::<Vec<_>>().await.len()
    }
    let (_, traces) = capture_async(async { consumer(producer()).await }).await;
    let below = |name: &str| -> Vec<_> {
        let id = &traces.log(name).trace_id;
        let below = traces.logs().iter().filter(|log| log.parent_trace_id.as_ref() == Some(id) && log.depth == 1);
        below.map(|log| log.inputs.as_ref().unwrap()["n"].clone()).collect()
    };
    assert_eq!(below("producer"), [0, 1]);
    assert_eq!(below("consumer"), [10, 11]);
}

#[tokio::test]
async fn local_tasks_and_what_a_carried_value_awaits() {
    #[parea::trace]
    async fn root() {
        let mut set = JoinSet::new();
        let carried = Carried::new(1);
        tokio::task::LocalSet::new()
            .run_until(async {
                let not_send = std::rc::Rc::new(2);
                parea::spawn_local(async move { task(*not_send).await }).await.unwrap();
                set.spawn_local(task(3));
                tokio::task::spawn_local(carried.run(task)).await.unwrap();
                set.join_next().await.unwrap().unwrap();
            })
            .await;
    }
    let ((), traces) = capture_async(root()).await;
    check(&traces, "root", 3);
}
