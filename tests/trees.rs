//! How a trace tree is built: identity, depth, execution order, children, inheritance, and how spans end.
#![allow(clippy::unwrap_used, reason = "this is a test")]

use std::{
    cell::RefCell,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind, panic_any},
    pin::Pin,
    task::{self, Poll, Waker},
    thread,
    time::Duration,
};

use parea::{
    prelude::*,
    testing::{Traces, capture, capture_async},
    types::{Status, TraceLog},
};

/// `name(parent,root) depth/order [children]`, in execution order; spans by their names.
fn shape(traces: &Traces) -> String {
    let name = |id: &str| {
        let log = traces.logs().iter().find(|log| log.trace_id == id);
        log.and_then(|log| log.trace_name.clone()).unwrap_or_else(|| "?".to_owned())
    };
    let mut logs: Vec<&TraceLog> = traces.logs().iter().collect();
    logs.sort_by_key(|log| (log.start_timestamp, log.execution_order));
    let lines = logs.iter().map(|log| {
        let children: Vec<_> = log.children.iter().flatten().map(|id| name(id)).collect();
        format!(
            "{}({},{}) {}/{} [{}]",
            log.trace_name.as_deref().unwrap(),
            name(log.parent_trace_id.as_deref().unwrap()),
            name(log.root_trace_id.as_deref().unwrap()),
            log.depth,
            log.execution_order,
            children.join(",")
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A span of that name around `body`.
macro_rules! span {
    ($name:ident $(, $body:expr)*) => {{
        #[allow(non_snake_case, reason = "one letter a span, as the rules are written down")]
        #[parea::trace]
        fn $name(body: impl FnOnce()) {
            body();
        }
        $name(|| { $($body;)* })
    }};
}

#[test]
fn root_only() {
    let ((), traces) = capture(|| span!(A));
    assert_eq!(shape(&traces), "A(A,A) 0/0 []");
}

#[test]
fn nested() {
    let ((), traces) = capture(|| span!(A, span!(B, span!(C))));
    assert_eq!(shape(&traces), "A(A,A) 0/0 [B]\nB(A,A) 1/1 [C]\nC(B,A) 2/2 []");
}

#[test]
fn siblings() {
    let ((), traces) = capture(|| span!(A, span!(B), span!(C)));
    assert_eq!(shape(&traces), "A(A,A) 0/0 [B,C]\nB(A,A) 1/1 []\nC(A,A) 1/2 []");
}

#[test]
fn nephew() {
    let ((), traces) = capture(|| span!(A, span!(B, span!(D)), span!(C)));
    assert_eq!(shape(&traces), "A(A,A) 0/0 [B,C]\nB(A,A) 1/1 [D]\nD(B,A) 2/2 []\nC(A,A) 1/3 []");
}

#[tokio::test(start_paused = true)]
async fn joined_at_once() {
    #[parea::trace]
    async fn sleeper(millis: u64) {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
    #[parea::trace]
    async fn parent() {
        futures::join!(sleeper(30), sleeper(20), sleeper(10));
    }
    let ((), traces) = capture_async(parent()).await;
    // Sent in the order of their ends, numbered in that of their starts.
    let orders: Vec<_> = traces.logs().iter().map(|log| log.execution_order).collect();
    assert_eq!(orders, [3, 2, 1, 0]);
    assert!(traces.logs()[..3].iter().all(|log| log.depth == 1));
    let started: Vec<_> = traces.logs()[..3].iter().rev().map(|log| log.trace_id.clone()).collect();
    assert_eq!(traces.log("parent").children, Some(started));
}

#[test]
fn two_roots_at_once() {
    let threads: Vec<_> = (0..2).map(|_| thread::spawn(|| capture(|| span!(A, span!(B))).1)).collect();
    let traces: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    for traces in &traces {
        assert_eq!(shape(traces), "A(A,A) 0/0 [B]\nB(A,A) 1/1 []");
    }
    assert_ne!(traces[0].log("A").trace_id, traces[1].log("A").trace_id);
}

#[parea::trace]
fn fails() -> Result<(), String> {
    Err("the fault".to_owned())
}

#[test]
fn error_is_caught() {
    #[parea::trace]
    fn catches() -> u32 {
        fails().map_or(7, |()| 0)
    }
    let (_, traces) = capture(catches);
    assert_eq!(traces.tree(), "catches (ok)\n└─ fails (error: the fault)\n");
    let failed = traces.log("fails");
    assert_eq!(
        (failed.status, failed.error.as_deref(), &failed.output),
        (Some(Status::Error), Some("the fault"), &None)
    );
    assert_eq!(traces.log("catches").status, Some(Status::Success));
}

#[test]
fn error_passes_through() {
    #[parea::trace]
    fn passes() -> Result<(), String> {
        fails().map_err(|fault| format!("passed on: {fault}"))
    }
    let (_, traces) = capture(passes);
    assert_eq!(traces.tree(), "passes (error: passed on: the fault)\n└─ fails (error: the fault)\n");
    assert!(traces.logs().iter().all(|log| log.scores.is_none()));
}

#[test]
fn ids_are_version_7_of_the_start() {
    let ((), traces) = capture(|| span!(A));
    let log = traces.log("A");
    assert_eq!(&log.trace_id[14..15], "7");
    let millis = u64::from_str_radix(&log.trace_id.replace('-', "")[..12], 16).unwrap();
    assert_eq!(i64::try_from(millis).unwrap(), log.start_timestamp.micros() / 1000);
    let latency = log.end_timestamp.unwrap().seconds_since(log.start_timestamp);
    assert!((latency - log.latency.unwrap()).abs() < 2e-6);
}

#[test]
fn target_is_inherited_and_labels_are_not() {
    #[parea::trace(target = format!("to {goal}"), tags = ["t", goal], metadata(length = goal.len(), "a key" = [1, 2]),
                   session_id = 7, end_user_identifier = goal)]
    fn outer(goal: &str) {
        span!(inner);
        parea::current().target("new");
        span!(later);
    }
    let ((), traces) = capture(|| outer("Rome"));
    let outer = traces.log("outer");
    assert_eq!(outer.tags.as_deref(), Some(&["t".to_owned(), "Rome".to_owned()][..]));
    let metadata = outer.metadata.as_ref().unwrap();
    assert_eq!((&metadata["length"], &metadata["a key"]), (&"4".into(), &"[1,2]".into()));
    assert!(metadata["code.function.name"].as_str().unwrap().ends_with("outer"));
    assert_eq!((outer.session_id.as_deref(), outer.end_user_identifier.as_deref()), (Some("7"), Some("Rome")));
    assert_eq!(traces.log("inner").target.as_deref(), Some("to Rome"));
    assert_eq!(traces.log("later").target.as_deref(), Some("new"));
    assert_eq!(outer.target.as_deref(), Some("new"));
    for name in ["inner", "later"] {
        let log = traces.log(name);
        assert!(log.tags.is_none() && log.session_id.is_none() && log.end_user_identifier.is_none());
    }
}

#[test]
fn the_current_span_is_reached_from_below() {
    fn below() {
        let current = parea::current();
        current.score("accuracy", 0.1).score("accuracy", 0.8).score_with_reason("ok", true, "because");
        current.metadata("k", serde_json::json!({"a": 1})).metadata("s", "text").tag("x").tag("x");
        current.session("s1").end_user("u1").error("first").score("nan", f64::NAN);
        assert_eq!(current.root_trace_id(), current.trace_id());
    }
    #[parea::trace(log_omit_inputs, log_omit_outputs)]
    fn outer(_secret: &str) -> Result<u8, &'static str> {
        below();
        Err("second")
    }
    let (_, traces) = capture(|| outer("hidden"));
    let log = traces.log("outer");
    let scores: Vec<_> = log.scores.iter().flatten().map(|s| (s.name.as_str(), s.score, s.reason.as_deref())).collect();
    assert_eq!(scores, [("accuracy", 0.8, None), ("ok", 1.0, Some("because"))]);
    let metadata = log.metadata.as_ref().unwrap();
    assert_eq!(
        (&metadata["k"], &metadata["s"], &metadata["score_refused"]),
        (&r#"{"a":1}"#.into(), &"text".into(), &"nan = NaN".into())
    );
    assert_eq!((log.tags.as_deref(), log.session_id.as_deref()), (Some(&["x".to_owned()][..]), Some("s1")));
    assert_eq!(log.error.as_deref(), Some(r#"["first","second"]"#));
    assert_eq!((log.inputs.as_ref().map(serde_json::Map::len), &log.output), (Some(0), &None));
    // Outside of a span nothing happens.
    assert_eq!(parea::current().score("a", 1).trace_id(), None);
}

#[test]
fn conversions_of_the_users_run_while_the_span_is_free() {
    struct Id;
    impl From<Id> for String {
        fn from(_: Id) -> Self {
            parea::current().tag("converted");
            "id".to_owned()
        }
    }
    #[parea::trace]
    fn outer() {
        parea::current().session(Id).end_user(Id).metadata(Id, u128::MAX);
    }
    let ((), traces) = capture(outer);
    let log = traces.log("outer");
    assert_eq!((log.session_id.as_deref(), log.end_user_identifier.as_deref()), (Some("id"), Some("id")));
    assert_eq!(log.metadata.as_ref().unwrap()["id"], u128::MAX.to_string());
    assert_eq!(log.tags.as_deref(), Some(&["converted".to_owned()][..]));
}

#[test]
fn a_panic_is_an_error_and_goes_on() {
    struct Guard;
    impl Drop for Guard {
        fn drop(&mut self) {
            span!(cleanup);
        }
    }
    #[parea::trace]
    fn breaks(number: u32) {
        let _guard = Guard;
        panic!("number {number}");
    }
    let ((), traces) = capture(|| {
        let payload = catch_unwind(|| breaks(5)).unwrap_err();
        assert_eq!(payload.downcast_ref::<String>().unwrap(), "number 5");
        span!(after);
    });
    assert_eq!(traces.tree(), "breaks (error: panicked: number 5)\n└─ cleanup (ok)\nafter (ok)\n");
}

#[tokio::test]
async fn cancellation_is_an_error_and_what_it_drops_finds_its_parent() {
    struct Guard;
    impl Drop for Guard {
        fn drop(&mut self) {
            span!(cleanup);
        }
    }
    #[parea::trace]
    async fn waits() {
        let _guard = Guard;
        std::future::pending::<()>().await;
    }
    let (_, traces) = capture_async(tokio::time::timeout(Duration::from_millis(1), waits())).await;
    assert_eq!(
        traces.tree(),
        "waits (error: cancelled: the future was dropped before it completed)\n└─ cleanup (ok)\n"
    );
    let ((), traces) = capture_async(async { drop(waits()) }).await;
    assert!(traces.logs().is_empty(), "a future that was never polled never ran");
}

#[tokio::test]
async fn an_async_panic_is_recorded_and_goes_on() {
    #[parea::trace]
    async fn breaks() {
        tokio::task::yield_now().await;
        panic!("late");
    }
    let (joined, traces) = capture_async(async { parea::spawn(breaks()).await }).await;
    assert!(joined.unwrap_err().is_panic());
    assert_eq!(traces.tree(), "breaks (error: panicked: late)\n");
}

#[test]
fn what_panics_or_fails_while_captured_is_recorded_as_such() {
    struct Bad;
    impl fmt::Debug for Bad {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("in Debug")
        }
    }
    struct Unserialisable;
    impl serde::Serialize for Unserialisable {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("will not"))
        }
    }
    struct Nested;
    impl serde::Serialize for Nested {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            span!(inside_serialize);
            parea::current().score("from_serialize", 1);
            serializer.serialize_str("nested")
        }
    }
    #[parea::trace]
    fn captures(_bad: Bad, _no: Unserialisable, _nested: Nested) -> Bad {
        Bad
    }
    let (_, traces) = capture(|| captures(Bad, Unserialisable, Nested));
    let log = traces.log("captures");
    assert_eq!(log.status, Some(Status::Success));
    assert_eq!(
        serde_json::Value::Object(log.inputs.clone().unwrap()),
        serde_json::json!({"_bad": "<Bad: panicked: in Debug>", "_no": "<Unserialisable: will not>", "_nested": "nested"})
    );
    assert_eq!(log.output.as_deref(), Some("<Bad: panicked: in Debug>"));
    assert_eq!(log.scores.as_ref().unwrap()[0].name, "from_serialize");
}

#[test]
fn what_panics_while_the_current_span_is_told_is_recorded_as_such() {
    struct Bad;
    impl fmt::Display for Bad {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("in Display")
        }
    }
    impl serde::Serialize for Bad {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            panic!("in Serialize")
        }
    }
    #[parea::trace]
    fn tells() {
        parea::current().metadata("k", Bad).target(Bad).error(Bad);
    }
    let ((), traces) = capture(tells);
    let log = traces.log("tells");
    assert_eq!(log.metadata.as_ref().unwrap()["k"], "<panicked: in Serialize>");
    assert_eq!(log.target.as_deref(), Some("<panicked: in Serialize>"));
    assert_eq!(log.error.as_deref(), Some("<panicked: in Display>"));
}

#[test]
fn off_the_wrapper_is_transparent() {
    #[parea::trace(tags = [panic_if_evaluated()])]
    fn quiet(n: u32) -> u32 {
        assert_eq!(parea::current().trace_id(), None);
        n + 1
    }
    fn panic_if_evaluated() -> String {
        panic!("an option was evaluated though nobody listens")
    }
    assert_eq!(quiet(1), 2);
    // Somebody else listens, but not to this thread's code.
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    let other = thread::spawn(move || capture(|| receiver.recv()).1);
    assert_eq!(quiet(1), 2);
    sender.send(()).unwrap();
    assert!(other.join().unwrap().logs().is_empty());
}

#[parea::trace]
async fn leaf(n: usize) -> usize {
    tokio::task::yield_now().await;
    n
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_concurrent_children_get_distinct_dense_orders() {
    #[parea::trace]
    async fn parent() {
        let tasks: Vec<_> = (0..1000).map(|n| parea::spawn(leaf(n))).collect();
        for task in tasks {
            task.await.unwrap();
        }
    }
    let ((), traces) = capture_async(parent()).await;
    let mut children: Vec<_> = traces.logs().iter().filter(|log| log.depth == 1).collect();
    children.sort_by_key(|log| log.execution_order);
    let orders: Vec<_> = children.iter().map(|log| log.execution_order).collect();
    assert_eq!(orders, (1..=1000).collect::<Vec<_>>());
    // `children` is in the order of the starts, which the numbers tell.
    let ids: Vec<_> = children.iter().map(|log| log.trace_id.clone()).collect();
    assert_eq!(traces.log("parent").children.as_ref(), Some(&ids));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_span_is_carried_to_tasks_threads_and_callbacks() {
    #[parea::trace]
    async fn parent() {
        parea::spawn(leaf(0)).await.unwrap();
        let mut set = tokio::task::JoinSet::new();
        set.spawn(leaf(1).in_current_span());
        set.join_all().await;
        let here = parea::Context::current();
        tokio::task::spawn_blocking(move || here.enter(|| span!(blocking))).await.unwrap();
        let callback = parea::Context::current().wrap(|()| span!(callback));
        thread::spawn(move || callback(())).join().unwrap();
        // Without being carried, a task stands alone, and here nobody listens to it.
        tokio::spawn(leaf(2)).await.unwrap();
    }
    let ((), traces) = capture_async(parent()).await;
    insta::assert_snapshot!(traces, @r"
    parent (ok)
    ├─ leaf (ok)
    ├─ leaf (ok)
    ├─ blocking (ok)
    └─ callback (ok)
    ");
}

#[tokio::test]
async fn a_child_may_outlive_its_parent() {
    #[allow(clippy::async_yields_async, reason = "the task is to outlive the span")]
    #[parea::trace]
    async fn parent() -> tokio::task::JoinHandle<usize> {
        parea::spawn(async {
            tokio::task::yield_now().await;
            leaf(1).await
        })
    }
    let ((), traces) = capture_async(async {
        let late = parent().await;
        assert_eq!(late.await.unwrap(), 1);
    })
    .await;
    assert_eq!(shape(&traces), "parent(parent,parent) 0/0 []\nleaf(parent,parent) 1/1 []");
}

#[test]
fn captures_of_parallel_tests_do_not_mix() {
    let threads: Vec<_> = (0..8)
        .map(|n| {
            thread::spawn(move || {
                let ((), traces) = capture(|| (0..100).for_each(|_| span!(A, (0..n).for_each(|_| span!(B)))));
                assert_eq!(traces.logs().len(), 100 * (n + 1));
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[tokio::test]
async fn select_and_early_ends_restore_the_context() {
    #[parea::trace]
    async fn racer(n: u64) -> u64 {
        tokio::time::sleep(Duration::from_millis(n * 50)).await;
        n
    }
    #[parea::trace]
    async fn race() -> u64 {
        let won = tokio::select! {
            won = racer(0) => won,
            won = racer(9) => won,
        };
        let broken = catch_unwind(AssertUnwindSafe(|| span!(panics, panic!("inner"))));
        assert!(broken.is_err());
        span!(last);
        won
    }
    let (won, traces) = capture_async(race()).await;
    assert_eq!(won, 0);
    assert_eq!(traces.log("race").children.as_ref().unwrap().len(), traces.logs().len() - 1);
    assert_eq!(traces.log("last").depth, 1);
}

/// Panics as it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("once more");
    }
}

struct Nasty;

impl fmt::Debug for Nasty {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic_any(Bomb)
    }
}

fn blow_up() -> u8 {
    panic_any(Bomb)
}

#[parea::trace(metadata(size = blow_up()))]
fn nasty(value: Nasty) -> Nasty {
    value
}

#[test]
fn what_a_capture_panics_with_may_panic_as_it_is_dropped() {
    let ((), traces) = capture(|| span!(A, assert!(matches!(nasty(Nasty), Nasty))));
    let log = traces.log("nasty");
    let shown = "<Nasty: panicked: (a value that is no text)>";
    assert_eq!(log.inputs.as_ref().unwrap()["value"], shown);
    assert_eq!(log.output.as_deref(), Some(shown));
    assert_eq!(log.metadata.as_ref().unwrap()["capture_failed"], "<panicked: (a value that is no text)>");
    assert_eq!(traces.tree(), "A (ok)\n└─ nasty (ok)\n");
}

type Held = Pin<Box<dyn Future<Output = u8>>>;

/// Does with a future what a thread's locals may do as they are dropped.
struct AtTheEnd(Option<Held>, fn(Held));

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        if let Some(held) = self.0.take() {
            (self.1)(held);
        }
    }
}

fn poll(held: &mut Held) -> Poll<u8> {
    held.as_mut().poll(&mut task::Context::from_waker(Waker::noop()))
}

#[parea::trace]
async fn half_way(fails: bool) -> u8 {
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
    assert!(!fails, "too late");
    7
}

/// The trees of a future that is polled once on a thread, and given to `end` when all else of the thread is gone.
fn at_the_end_of_a_thread(fails: bool, end: fn(Held)) -> Traces {
    thread_local! {
        static LAST: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) };
    }
    let ((), traces) = capture(|| {
        let here = parea::Context::current();
        let thread = thread::spawn(move || {
            // Before the first span, so that it is dropped after what the spans need.
            LAST.set(None);
            here.enter(|| {
                let mut held: Held = Box::pin(half_way(fails));
                assert!(poll(&mut held).is_pending());
                LAST.set(Some(AtTheEnd(Some(held), end)));
            });
        });
        thread.join().unwrap();
    });
    traces
}

#[test]
fn a_span_ends_where_its_thread_ends() {
    let dropped = at_the_end_of_a_thread(false, drop);
    assert_eq!(dropped.tree(), "half_way (error: cancelled: the future was dropped before it completed)\n");
    let polled = at_the_end_of_a_thread(false, |mut held| while poll(&mut held).is_pending() {});
    assert_eq!(polled.log("half_way").output.as_deref(), Some("7"));
    let failed = at_the_end_of_a_thread(true, |mut held| {
        let polled = catch_unwind(AssertUnwindSafe(|| while poll(&mut held).is_pending() {}));
        assert!(polled.is_err());
    });
    assert_eq!(failed.tree(), "half_way (error: panicked: too late)\n");
}

#[tokio::test]
async fn an_async_fn_that_is_kept_is_traced_like_any_other() {
    #[must_use]
    #[parea::trace]
    async fn kept(how: &str) -> u32 {
        let _last = Bell;
        tokio::task::yield_now().await;
        match how {
            "panics" => panic!("no"),
            "waits" => std::future::pending().await,
            _ => 1,
        }
    }

    struct Bell;

    impl Drop for Bell {
        fn drop(&mut self) {
            rings();
        }
    }

    #[parea::trace]
    fn rings() {}

    let ((), traces) = capture_async(async {
        assert_eq!(kept("returns").await, 1);
        let panicked = tokio::spawn(kept("panics").in_current_span()).await;
        assert!(panicked.is_err());
        let waited = tokio::time::timeout(Duration::from_millis(5), kept("waits")).await;
        assert!(waited.is_err());
        drop(kept("is never polled"));
    })
    .await;
    assert_eq!(
        traces.tree(),
        "kept (ok)\n└─ rings (ok)\nkept (error: panicked: no)\n└─ rings (ok)\n\
         kept (error: cancelled: the future was dropped before it completed)\n└─ rings (ok)\n"
    );
}
