//! Every form of a function that is traced keeps its meaning, and is captured.
#![allow(clippy::unwrap_used, reason = "this is a test")]
#![allow(unsafe_code, reason = "unsafe functions are traced too")]

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, RwLock},
};

use parea::testing::{capture, capture_async};
use serde_json::{Value, json};

fn inputs(traces: &parea::testing::Traces, name: &str) -> Value {
    Value::Object(traces.log(name).inputs.clone().unwrap_or_default())
}

#[parea::trace]
fn free(question: &str, k: u32, ratio: f64, on: bool) -> String {
    format!("{question}{k}{ratio}{on}")
}

#[test]
fn inputs_are_captured_by_name_as_json_and_text_output_as_it_is() {
    let (value, traces) = capture(|| free("a \"b\"\n", 2, 0.5, true));
    assert_eq!(value, "a \"b\"\n20.5true");
    assert_eq!(inputs(&traces, "free"), json!({"question": "a \"b\"\n", "k": 2, "ratio": 0.5, "on": true}));
    assert_eq!(traces.log("free").output.as_deref(), Some("a \"b\"\n20.5true"));
}

struct Opaque;
#[derive(Debug)]
struct Shown(#[allow(dead_code, reason = "read by Debug")] u8);
#[derive(serde::Serialize)]
struct Sent {
    a: u8,
}

#[parea::trace]
fn ladder(
    opaque: Opaque,
    shown: Shown,
    sent: Sent,
    map: HashMap<(u8, u8), u8>,
    lock: Arc<Mutex<u8>>,
    nested: Option<Vec<Sent>>,
) {
    let _ = (opaque, shown, sent, map, lock, nested);
}

#[test]
fn no_bound_is_asked_of_the_types() {
    let lock = Arc::new(Mutex::new(7));
    let held = lock.lock().unwrap();
    let ((), traces) = capture(|| {
        ladder(
            Opaque,
            Shown(1),
            Sent { a: 2 },
            HashMap::from([((1, 2), 3)]),
            Arc::clone(&lock),
            Some(vec![Sent { a: 3 }]),
        );
    });
    drop(held);
    assert_eq!(
        inputs(&traces, "ladder"),
        json!({
            "opaque": "<Opaque>",
            "shown": "Shown(1)",
            "sent": {"a": 2},
            "map": "{(1, 2): 3}",
            "lock": "Mutex { data: \"<locked>\", poisoned: false, .. }",
            "nested": [{"a": 3}],
        })
    );
    assert_eq!(traces.log("ladder").output, None);
}

type Outcome<T> = Result<T, Failure>;

#[derive(Debug)]
enum Failure {
    Outer(std::num::ParseIntError),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the number is bad")
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let Self::Outer(inner) = self;
        Some(inner)
    }
}

#[parea::trace]
fn early(text: &str) -> Outcome<u32> {
    if text.is_empty() {
        return Ok(0);
    }
    let number = text.parse::<u32>().map_err(Failure::Outer)?;
    Ok(number)
}

#[parea::trace]
async fn boxed_error(text: &str) -> Result<u32, Box<dyn std::error::Error + Send + Sync>> {
    Ok(text.parse::<u32>()?)
}

#[test]
fn failure_is_told_by_type_with_its_sources() {
    let (value, traces) = capture(|| early("x"));
    assert!(value.is_err());
    let log = traces.log("early");
    assert_eq!(log.error.as_deref(), Some("the number is bad\ncaused by: invalid digit found in string"));
    assert_eq!((log.status, &log.output), (Some(parea::types::Status::Error), &None));
    let (_, traces) = capture(|| early(""));
    assert_eq!(traces.log("early").output.as_deref(), Some("0"));
    let (_, traces) = capture(|| futures::executor::block_on(boxed_error("x")));
    assert_eq!(traces.log("boxed_error").error.as_deref(), Some("invalid digit found in string"));
}

thread_local! { static DROPS: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) }; }

struct Noisy(&'static str);
impl Drop for Noisy {
    fn drop(&mut self) {
        DROPS.with_borrow_mut(|drops| drops.push(self.0));
    }
}

macro_rules! drop_order {
    ($(#[$attribute:meta])* $module:ident) => {
        mod $module {
            use super::Noisy;
            $(#[$attribute])*
            pub(crate) fn plain(a: Noisy, _: Noisy, (b, _): (Noisy, Noisy), _c: Noisy) {
                let _local = Noisy("local");
                let _ = (&a, &b);
            }
            $(#[$attribute])*
            pub(crate) async fn wait(a: Noisy, _: Noisy, (b, _): (Noisy, Noisy), _c: Noisy) {
                let _local = Noisy("local");
                let _ = (&a, &b);
            }
        }
    };
}
drop_order!(untraced);
drop_order!(
    #[parea::trace]
    traced
);
drop_order!(
    #[parea::trace(log_omit_inputs)]
    silent
);

#[test]
fn arguments_are_dropped_in_the_order_of_a_plain_function() {
    fn arguments() -> (Noisy, Noisy, (Noisy, Noisy), Noisy) {
        (Noisy("a"), Noisy("_"), (Noisy("b"), Noisy("rest")), Noisy("_c"))
    }
    let order = |run: &dyn Fn()| {
        run();
        DROPS.take()
    };
    let (a, b, c, d) = arguments();
    untraced::plain(a, b, c, d);
    let plain = DROPS.take();
    for run in [traced::plain, silent::plain] {
        for recorded in [true, false] {
            let drops = order(&|| {
                let (a, b, c, d) = arguments();
                if recorded {
                    capture(|| run(a, b, c, d));
                } else {
                    run(a, b, c, d);
                }
            });
            assert_eq!(drops, plain);
        }
    }
    let (a, b, c, d) = arguments();
    futures::executor::block_on(untraced::wait(a, b, c, d));
    let plain = DROPS.take();
    let drops = order(&|| {
        let (a, b, c, d) = arguments();
        futures::executor::block_on(capture_async(traced::wait(a, b, c, d)));
    });
    assert_eq!(drops, plain);
    let drops = order(&|| {
        let (a, b, c, d) = arguments();
        futures::executor::block_on(silent::wait(a, b, c, d));
    });
    assert_eq!(drops, plain);
}

struct Point {
    x: i32,
    y: i32,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "a reference pattern is what is tried")]
#[parea::trace]
fn patterns(
    Point { x, y: ref why }: Point,
    (a, mut b): (i32, i32),
    &c: &i32,
    [first, .., last]: [u8; 3],
    mut text: String,
    _: u8,
    r#type: u8,
) -> i32 {
    b += 1;
    text.push('!');
    x + why + a + b + c + i32::from(first + last + r#type) + i32::try_from(text.len()).unwrap()
}

#[test]
fn patterns_are_captured_by_the_names_they_bind() {
    let (sum, traces) = capture(|| patterns(Point { x: 1, y: 2 }, (3, 4), &5, [6, 7, 8], "nine".to_owned(), 0, 9));
    assert_eq!(sum, 1 + 2 + 3 + 5 + 5 + 14 + 9 + 5);
    assert_eq!(
        inputs(&traces, "patterns"),
        json!({"x": 1, "why": 2, "a": 3, "b": 4, "c": 5, "first": 6, "last": 8, "text": "nine", "type": 9})
    );
}

#[derive(Debug)]
struct Counter {
    count: u32,
}

impl Counter {
    #[parea::trace]
    fn bump(&mut self, by: u32) -> &mut u32 {
        self.count += by;
        &mut self.count
    }

    #[parea::trace(skip(self))]
    async fn read<'a>(&'a self, label: &'a str) -> (&'a str, u32) {
        (label, self.count)
    }

    #[parea::trace(name = "take")]
    fn into_count(self) -> u32 {
        self.count
    }

    #[parea::trace]
    async fn boxed(self: Box<Self>) -> Self {
        *self
    }

    #[parea::trace]
    fn associated() -> Self {
        Self { count: 0 }
    }
}

trait Ask {
    async fn ask(&self, question: String) -> usize;

    #[parea::trace]
    async fn twice(&self, question: String) -> usize
    where
        Self: Sync,
    {
        self.ask(question.clone()).await + self.ask(question).await
    }
}

impl Ask for Counter {
    #[parea::trace]
    async fn ask(&self, question: String) -> usize {
        tokio::task::yield_now().await;
        question.len()
    }
}

#[tokio::test]
async fn methods_of_every_receiver() {
    let ((), traces) = capture_async(async {
        let mut counter = Counter::associated();
        *counter.bump(2) += 1;
        assert_eq!(counter.read("now").await, ("now", 3));
        assert_eq!(counter.twice("four".to_owned()).await, 8);
        let counter = Box::new(counter).boxed().await;
        assert_eq!(counter.into_count(), 3);
    })
    .await;
    insta::assert_snapshot!(traces, @r"
    associated (ok)
    bump (ok)
    read (ok)
    twice (ok)
    ├─ ask (ok)
    └─ ask (ok)
    boxed (ok)
    take (ok)
    ");
    assert_eq!(inputs(&traces, "bump"), json!({"self": "Counter { count: 0 }", "by": 2}));
    assert_eq!(inputs(&traces, "read"), json!({"label": "now"}));
}

#[parea::trace]
fn generic<const N: usize, T: fmt::Debug + Clone>(
    items: [T; N],
    show: impl Fn(&T) -> String,
    known: &(dyn for<'a> Fn(&'a str) -> &'a str + Send),
) -> Vec<String> {
    items.iter().map(|item| known(&show(item)).to_owned()).collect()
}

#[parea::trace]
fn closure_result(n: u32) -> impl Fn(u32) -> u32 {
    move |m| n + m
}

#[parea::trace]
async fn shown_result(n: u32) -> impl fmt::Display + Send {
    n
}

#[parea::trace]
async fn recurse(n: u32) -> u32 {
    if n == 0 { 0 } else { 1 + Box::pin(recurse(n - 1)).await }
}

#[parea::trace]
async fn boxed_trait(yes: bool) -> Result<Box<dyn fmt::Debug + Send>, std::io::Error> {
    if yes {
        return Ok(Box::new(1));
    }
    Ok(Box::new("two"))
}

#[parea::trace]
unsafe fn dangerous(n: *const u32) -> u32 {
    unsafe { *n }
}

#[parea::trace]
extern "C" fn foreign(n: u32) -> u32 {
    n + 1
}

#[parea::trace]
fn never(message: &str) -> ! {
    panic!("{message}")
}

#[parea::trace]
async fn never_async() -> ! {
    std::future::pending().await
}

#[must_use]
#[parea::trace]
#[inline]
/// Documented.
async fn important() -> u32 {
    1
}

#[allow(non_snake_case, clippy::toplevel_ref_arg, reason = "names and patterns as mathematics and old code have them")]
#[parea::trace]
fn unusual(A: u8, ref mut b: u8, Pair(ref mut c, _): Pair) -> u8 {
    *b += 1;
    *c += 1;
    A + *b + *c
}

struct Pair(u8, #[allow(dead_code, reason = "a pattern leaves it")] u8);

#[test]
fn capital_names_are_captured_and_ref_mut_binds() {
    let (sum, traces) = capture(|| unusual(1, 2, Pair(3, 4)));
    assert_eq!(sum, 1 + 3 + 4);
    assert_eq!(inputs(&traces, "unusual"), json!({"A": 1, "b": 2, "c": 3}));
}

#[parea::trace]
async fn opaque_in_result(text: &str) -> Result<impl fmt::Display, Box<dyn std::error::Error>> {
    let number: u8 = text.parse()?;
    Ok(number)
}

#[parea::trace]
fn opaque_in_plain_result(text: &str) -> Result<impl Iterator<Item = u8> + use<>, Box<dyn std::error::Error>> {
    if text.is_empty() {
        return Err("nothing".into());
    }
    let number: u8 = text.parse()?;
    Ok(0..number)
}

#[parea::trace]
fn borrowing_error<'a>(text: &'a str) -> Result<u8, Box<dyn std::error::Error + 'a>> {
    #[derive(Debug)]
    struct Odd<'a>(&'a str);
    impl fmt::Display for Odd<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "odd: {}", self.0)
        }
    }
    impl std::error::Error for Odd<'_> {}
    Err(Box::new(Odd(text)))
}

#[test]
fn the_written_part_of_an_opaque_result_is_known_and_errors_may_borrow() {
    let ((), traces) = capture(|| {
        futures::executor::block_on(async {
            assert_eq!(opaque_in_result("7").await.unwrap().to_string(), "7");
            assert!(opaque_in_result("x").await.is_err());
        });
        assert_eq!(opaque_in_plain_result("3").unwrap().count(), 3);
        assert!(opaque_in_plain_result("").is_err());
        assert!(borrowing_error("x").is_err());
    });
    insta::assert_snapshot!(traces, @r"
    opaque_in_result (ok)
    opaque_in_result (error: invalid digit found in string)
    opaque_in_plain_result (ok)
    opaque_in_plain_result (error: nothing)
    borrowing_error (error: odd: x)
    ");
}

#[tokio::test]
async fn shapes_of_return_and_generics() {
    let ((), traces) = capture_async(async {
        assert_eq!(generic([1, 2], u32::to_string, &|text| text), ["1", "2"]);
        assert_eq!(closure_result(1)(2), 3);
        assert_eq!(shown_result(5).await.to_string(), "5");
        assert_eq!(recurse(3).await, 3);
        boxed_trait(true).await.unwrap();
        assert_eq!(foreign(1), 2);
        let n = 9;
        // SAFETY: the pointer is to a live local.
        let read = unsafe { dangerous(&raw const n) };
        assert_eq!(read, 9);
        assert_eq!(important().await, 1);
        let _ = tokio::time::timeout(std::time::Duration::from_millis(1), never_async()).await;
        std::panic::catch_unwind(|| never("over")).unwrap_err();
    })
    .await;
    insta::assert_snapshot!(traces);
}

#[derive(Debug, serde::Serialize)]
enum Nested {
    End,
    List([Box<Nested>; 1]),
    Pair(u8, Box<Nested>),
    Named { inner: Box<Nested> },
    Plain(Box<Nested>),
}

impl Nested {
    fn of(depth: usize) -> Self {
        (0..depth).fold(Self::End, |inner, at| {
            let inner = Box::new(inner);
            match at % 4 {
                0 => Self::List([inner]),
                1 => Self::Pair(0, inner),
                2 => Self::Named { inner },
                _ => Self::Plain(inner),
            }
        })
    }
}

#[parea::trace]
fn nested(value: &Nested) {
    let _ = value;
}

#[test]
fn what_is_nested_deeper_than_readers_go_is_cut() {
    // Seven brackets for four of them.
    for (depth, is_cut) in [(56, false), (57, false), (58, true), (600, true)] {
        let value = Nested::of(depth);
        let ((), traces) = capture(|| nested(&value));
        let shown = &traces.log("nested").inputs.as_ref().unwrap()["value"];
        assert_eq!(shown.is_string(), is_cut, "{depth}");
        if is_cut {
            assert!(shown.as_str().unwrap().ends_with(" …[cut at 100 levels]"), "{shown}");
        } else {
            assert_eq!(*shown, serde_json::to_value(&value).unwrap());
        }
    }
}

#[parea::trace(skip(texts), inputs(first = texts[0], all = texts))]
fn raw(texts: &[Box<serde_json::value::RawValue>]) {
    let _ = texts;
}

#[test]
fn raw_json_that_nobody_reads_is_a_text() {
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    for (text, is_text) in [
        ("{\n\t\"a\":\r\n1.50}", false),
        (r#"{"a":"\ud83e\udd80"}"#, false),
        (r#"{"a":"\ud83e"}"#, true),
        ("[1e999]", true),
        // There is one more around it in `all`.
        (deep.get(1..199).unwrap(), false),
        (deep.as_str(), true),
    ] {
        let texts = [serde_json::value::RawValue::from_string(text.to_owned()).unwrap()];
        let ((), traces) = capture(|| raw(&texts));
        let shown = &traces.log("raw").inputs.as_ref().unwrap()["all"][0];
        let expected = if is_text { text.into() } else { serde_json::from_str::<Value>(text).unwrap() };
        assert_eq!(*shown, expected);
    }
}

#[derive(Debug)]
struct Endless;

impl fmt::Display for Endless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        loop {
            f.write_str("and on ")?;
        }
    }
}

impl std::error::Error for Endless {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self)
    }
}

impl serde::Serialize for Endless {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[derive(serde::Serialize)]
struct Guarded {
    count: Mutex<u8>,
}

#[parea::trace(skip(guarded), inputs(guarded = guarded))]
fn waits_for_nothing(
    many: &[Mutex<u8>],
    by_name: &BTreeMap<&str, Box<RwLock<u8>>>,
    guarded: &Guarded,
    endless: Endless,
) {
    let _ = (many, by_name, guarded, endless);
}

#[parea::trace]
fn fails_without_end() -> Result<(), Endless> {
    Err(Endless)
}

#[test]
fn locks_in_containers_are_not_waited_for_and_texts_without_end_are_cut() {
    let (many, guarded) = ([Mutex::new(1), Mutex::new(2)], Guarded { count: Mutex::new(3) });
    let by_name = BTreeMap::from([("a", Box::new(RwLock::new(4)))]);
    let held = (many[0].lock().unwrap(), by_name["a"].write().unwrap(), guarded.count.lock().unwrap());
    let (_, traces) = capture(|| {
        waits_for_nothing(&many, &by_name, &guarded, Endless);
        fails_without_end()
    });
    drop(held);
    let inputs = traces.log("waits_for_nothing").inputs.as_ref().unwrap();
    assert_eq!(inputs["many"], json!(["<Mutex<u8>>", "<Mutex<u8>>"]));
    assert_eq!(inputs["by_name"], json!({"a": "<Box<RwLock<u8>>>"}));
    assert_eq!(inputs["guarded"], json!({"count": "<Mutex<u8>>"}));
    assert!(inputs["endless"].as_str().unwrap().ends_with(" …[cut at 262144 bytes]"));
    assert!(traces.log("fails_without_end").error.as_ref().unwrap().contains("bytes left out]"));
}
