//! The option `log_sample_rate`: decided once at the root, for the whole trace.
#![allow(clippy::unwrap_used, reason = "this is a test")]

use std::{
    panic::catch_unwind,
    sync::atomic::{AtomicU32, Ordering},
};

use futures::StreamExt as _;
use parea::testing::{capture, capture_async};

const HALF: f64 = 0.5;

#[parea::trace(log_sample_rate = 0.0)]
fn never(depth: u32) -> u32 {
    if depth == 0 { always() } else { never(depth - 1) }
}

#[parea::trace(log_sample_rate = 1)]
fn always() -> u32 {
    parea::current().tag("seen");
    7
}

#[parea::trace(log_sample_rate = HALF)]
fn half() -> u32 {
    never(0)
}

#[test]
fn the_root_decides_for_all() {
    let (value, traces) = capture(|| never(3));
    assert_eq!((value, traces.logs().len()), (7, 0));
    // In a trace that is kept, a rate of its own changes nothing.
    let kept = (0..1000).filter(|_| capture(half).1.tree() == "half (ok)\n└─ never (ok)\n   └─ always (ok)\n").count();
    let lost = (0..1000).filter(|_| capture(half).1.logs().is_empty()).count();
    assert!((300..700).contains(&kept) && (300..700).contains(&lost), "{kept} kept, {lost} left out");
}

#[test]
fn what_is_kept_says_its_rate_and_is_not_sampled_again() {
    #[parea::trace]
    fn plain() {}
    let (_, traces) = capture(always);
    let log = traces.log("always");
    assert_eq!(log.log_sample_rate, Some(1.0));
    assert_eq!(log.metadata.as_ref().unwrap()["sample_rate"], "1");
    let ((), traces) = capture(plain);
    assert_eq!(traces.log("plain").log_sample_rate, None);
    assert!(!traces.log("plain").metadata.as_ref().unwrap().contains_key("sample_rate"));
}

static SHOWN: AtomicU32 = AtomicU32::new(0);

#[derive(Clone, Debug)]
struct Loud;

impl serde::Serialize for Loud {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        SHOWN.fetch_add(1, Ordering::Relaxed);
        serializer.serialize_unit()
    }
}

fn loud() -> &'static str {
    SHOWN.fetch_add(1, Ordering::Relaxed);
    "loud"
}

#[parea::trace(log_sample_rate = 0.0, tags = [loud()], inputs(n = loud()), output = |_| loud())]
async fn silent(value: Loud) -> Loud {
    tokio::task::yield_now().await;
    flows(value.clone()).await.unwrap().map(|_| always()).collect::<Vec<_>>().await;
    iterates(value.clone()).for_each(drop);
    promises(value.clone()).await;
    parea::spawn(async { always() }).await.unwrap();
    assert!(parea::current().trace_id().is_none());
    value
}

#[parea::trace(output = |_| loud())]
async fn flows(value: Loud) -> Result<impl futures::Stream<Item = Loud>, Loud> {
    Ok(futures::stream::iter([value.clone(), value]))
}

#[parea::trace(log_sample_rate = 0.0)]
fn promises(value: Loud) -> impl Future<Output = Loud> {
    always();
    async move {
        tokio::task::yield_now().await;
        always();
        value
    }
}

#[parea::trace(log_sample_rate = 0.0)]
fn iterates(value: Loud) -> impl Iterator<Item = Loud> {
    (0..2).map(move |_| {
        always();
        value.clone()
    })
}

#[tokio::test]
async fn outside_of_the_sample_nothing_is_looked_at() {
    let (_, traces) = capture_async(silent(Loud)).await;
    assert_eq!(traces.logs().len(), 0, "{traces}");
    // A stream that starts a trace is left out with what its items call.
    let (count, traces) = capture(|| iterates(Loud).count());
    assert_eq!((count, traces.logs().len()), (2, 0), "{traces}");
    let (_, traces) = capture_async(async { promises(Loud).await }).await;
    assert_eq!(traces.logs().len(), 0, "{traces}");
    drop(capture_async(async { futures::poll!(std::pin::pin!(promises(Loud))) }).await);
    // And where nobody listens at all.
    silent(Loud).await;
    assert_eq!(SHOWN.load(Ordering::Relaxed), 0);
}

#[parea::trace(log_sample_rate = 0.0, log_omit_inputs)]
fn left_out(body: impl FnOnce()) {
    body();
}

#[parea::trace(log_sample_rate = 0.0)]
async fn left_out_later() {
    always();
    tokio::task::yield_now().await;
    always();
}

#[parea::trace]
async fn kept_later() {
    always();
    tokio::task::yield_now().await;
    always();
}

#[parea::trace]
fn around() -> parea::Context {
    parea::Context::current()
}

#[test]
fn what_is_left_out_ends_where_it_is_left() {
    let panics = || _ = catch_unwind(|| left_out(|| panic!("on purpose")));
    let ((), traces) = capture(|| {
        let (outside, inside) = (parea::Context::current(), around());
        left_out(|| {
            always();
            // Elsewhere, from in there: in a trace that is kept, and where traces start.
            inside.enter(|| {
                always();
                left_out(|| _ = always());
            });
            always();
            outside.enter(|| {
                left_out(|| _ = always());
                always();
            });
            left_out(|| _ = always());
            panics();
            always();
        });
        panics();
        always();
    });
    let tree = "around (ok)\n├─ always (ok)\n└─ left_out (ok)\n   └─ always (ok)\nalways (ok)\nalways (ok)\n";
    assert_eq!(traces.tree(), tree);
}

#[tokio::test]
async fn a_future_that_is_left_out_leaves_the_thread_to_others_while_it_waits() {
    let (_, traces) = capture_async(async { futures::join!(left_out_later(), kept_later(), left_out_later()) }).await;
    assert_eq!(traces.tree(), "kept_later (ok)\n├─ always (ok)\n└─ always (ok)\n");
}
