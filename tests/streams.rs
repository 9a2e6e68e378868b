//! The option `stream`: how items become one output, and boxes behind aliases.
#![allow(clippy::unwrap_used, reason = "this is a test")]

use std::pin::Pin;

use futures::{Stream, StreamExt as _, stream};
use parea::testing::{Traces, capture, capture_async};

type Tokens = Pin<Box<dyn Stream<Item = Result<String, std::fmt::Error>> + Send>>;
type Borrowed<'a, T> = Pin<Box<dyn Stream<Item = T> + 'a>>;
type Rows<'a> = Box<dyn Iterator<Item = u32> + Send + 'a>;

fn output<'a>(traces: &'a Traces, name: &str) -> Option<&'a str> {
    traces.log(name).output.as_deref()
}

#[parea::trace(stream(join))]
fn joined() -> impl Iterator<Item = u32> {
    [1, 20, 3].into_iter()
}

#[parea::trace(stream(collect))]
fn collected() -> impl Stream<Item = &'static str> + Send {
    stream::iter(["a", "b"])
}

#[parea::trace(stream(last))]
async fn last(so_far: &str) -> Result<impl Stream<Item = String> + use<>, String> {
    let so_far = so_far.to_owned();
    Ok(stream::iter(0..3).map(move |n| format!("{so_far}{n}")))
}

/// What a client of a model would make of its chunks.
#[derive(Debug, Default, serde::Serialize)]
struct Answer {
    text: String,
    tokens: u32,
}

struct Chunk {
    text: &'static str,
}

impl Answer {
    fn push(&mut self, chunk: &Chunk) {
        self.text += chunk.text;
        self.tokens += 1;
    }
}

#[parea::trace(stream(with = Answer::push), output_for_eval_metrics = |answer| answer.text.len())]
async fn taken_in(fails: bool) -> Result<impl Stream<Item = Result<Chunk, std::fmt::Error>>, std::fmt::Error> {
    let end = if fails { Err(std::fmt::Error) } else { Ok(Chunk { text: "o" }) };
    Ok(stream::iter([Ok(Chunk { text: "hell" }), end]))
}

#[parea::trace(stream(with = |longest: &mut usize, word| *longest = word.len().max(*longest)), output = |n| n * 10)]
fn longest(text: &str) -> impl Iterator<Item = &str> {
    text.split(' ')
}

#[parea::trace(stream(with = String::push_str))]
fn deref_is_as_in_a_call() -> Pin<Box<dyn Stream<Item = String> + Send>> {
    stream::iter(["x".to_owned(), "y".to_owned()]).boxed()
}

#[tokio::test]
async fn items_become_the_output_that_was_asked_for() {
    let ((), traces) = capture_async(async {
        assert_eq!(joined().sum::<u32>(), 24);
        assert_eq!(collected().count().await, 2);
        assert_eq!(last("s").await.unwrap().count().await, 3);
        assert_eq!(taken_in(false).await.unwrap().count().await, 2);
        assert_eq!(longest("a bcd ef").count(), 3);
        assert_eq!(deref_is_as_in_a_call().count().await, 2);
    })
    .await;
    assert_eq!(output(&traces, "joined"), Some("1203"));
    assert_eq!(output(&traces, "collected"), Some(r#"["a","b"]"#));
    assert_eq!(output(&traces, "last"), Some("s2"));
    assert_eq!(output(&traces, "taken_in"), Some(r#"{"text":"hello","tokens":2}"#));
    assert_eq!(traces.log("taken_in").output_for_eval_metrics.as_deref(), Some("5"));
    assert_eq!(output(&traces, "longest"), Some("30"));
    assert_eq!(output(&traces, "deref_is_as_in_a_call"), Some("xy"));

    // An error keeps what came before it.
    let (_, traces) = capture_async(async { taken_in(true).await.unwrap().count().await }).await;
    let log = traces.log("taken_in");
    assert_eq!(log.output.as_deref(), Some(r#"{"text":"hell","tokens":1}"#));
    assert_eq!(log.error.as_deref(), Some(&*std::fmt::Error.to_string()));
}

#[parea::trace(stream)]
async fn behind_an_alias(fails: bool) -> Result<Tokens, String> {
    if fails {
        return Err("refused".to_owned());
    }
    Ok(Box::pin(stream::iter([Ok("a".to_owned()), Ok("b".to_owned())])))
}

#[parea::trace(stream(collect))]
fn borrowing<'a>(items: &'a [u8]) -> Borrowed<'a, &'a u8> {
    Box::pin(stream::iter(items))
}

#[parea::trace(stream(last))]
fn rows(table: &[u32]) -> Rows<'_> {
    Box::new(table.iter().copied())
}

#[parea::trace(stream(with = |count: &mut u32, _| *count += 1))]
fn counted() -> Tokens {
    stream::iter([Ok(String::new()), Err(std::fmt::Error)]).boxed()
}

#[tokio::test]
async fn a_box_behind_an_alias_is_traced_by_choice() {
    let ((), traces) = capture_async(async {
        assert_eq!(behind_an_alias(false).await.unwrap().count().await, 2);
        assert!(behind_an_alias(true).await.is_err());
        assert_eq!(borrowing(&[1, 2]).count().await, 2);
        assert_eq!(rows(&[3, 4]).count(), 2);
        assert_eq!(counted().count().await, 2);
    })
    .await;
    insta::assert_snapshot!(traces, @r"
    behind_an_alias (ok)
    behind_an_alias (error: refused)
    borrowing (ok)
    rows (ok)
    counted (error: an error occurred when formatting an argument)
    ");
    let outputs: Vec<_> = traces.logs().iter().map(|log| log.output.as_deref()).collect();
    assert_eq!(outputs, [Some("ab"), None, Some("[1,2]"), Some("4"), Some("1")]);
}

#[test]
fn what_panics_while_items_are_taken_in_is_recorded_only() {
    #[parea::trace(stream(with = |sum: &mut u32, n: &u32| *sum += 10 / n))]
    fn divides() -> impl Iterator<Item = u32> {
        [5, 0].into_iter()
    }
    #[derive(Debug)]
    struct Never;
    impl Default for Never {
        fn default() -> Self {
            panic!("no default")
        }
    }
    #[parea::trace(stream(with = |_: &mut Never, _| ()))]
    fn no_default() -> impl Iterator<Item = u32> {
        0..2
    }
    let (count, traces) = capture(|| divides().count() + no_default().count());
    assert_eq!((count, traces.tree().as_str()), (4, "divides (ok)\nno_default (ok)\n"));
    assert_eq!(output(&traces, "divides"), Some("2"));
    assert_eq!(output(&traces, "no_default"), Some("<panicked: no default>"));
}

#[test]
fn what_is_called_while_an_item_is_shown_belongs_to_the_stream() {
    struct Item;
    impl serde::Serialize for Item {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_u32(inner())
        }
    }
    #[parea::trace]
    fn inner() -> u32 {
        1
    }
    #[parea::trace]
    fn items() -> impl Iterator<Item = Item> {
        [Item].into_iter()
    }
    let (_, traces) = capture(|| items().count());
    assert_eq!(traces.tree(), "items (ok)\n└─ inner (ok)\n");
}

#[async_trait::async_trait]
trait Model: Sync {
    async fn complete(&self, prompt: &str) -> Result<stream::BoxStream<'static, String>, String>;
}

struct Echo;

#[async_trait::async_trait]
impl Model for Echo {
    #[parea::trace(skip(self))]
    async fn complete(&self, prompt: &str) -> Result<stream::BoxStream<'static, String>, String> {
        tokio::task::yield_now().await;
        if prompt.is_empty() {
            return Err("no prompt".to_owned());
        }
        Ok(stream::iter([prompt.to_owned(), "!".to_owned()]).boxed())
    }
}

#[parea::trace(stream(collect))]
fn promised(prompt: &str) -> impl Future<Output = Result<impl Stream<Item = String>, String>> + Send {
    let prompt = prompt.to_owned();
    async move { Ok(stream::iter([prompt])) }
}

#[parea::trace(stream)]
fn promised_alias() -> futures::future::BoxFuture<'static, Tokens> {
    Box::pin(async { stream::iter([Ok("a".to_owned())]).boxed() })
}

#[tokio::test]
async fn a_stream_that_a_returned_future_is_ready_with_is_traced_to_its_end() {
    let ((), traces) = capture_async(async {
        assert_eq!(Echo.complete("why").await.unwrap().count().await, 2);
        assert!(Echo.complete("").await.is_err());
        assert_eq!(promised("p").await.unwrap().count().await, 1);
        assert_eq!(promised_alias().await.count().await, 1);
        drop(Echo.complete("cancelled"));
        drop(Echo.complete("left").await);
    })
    .await;
    insta::assert_snapshot!(traces, @r"
    complete (ok)
    complete (error: no prompt)
    promised (ok)
    promised_alias (ok)
    complete (error: cancelled: the future was dropped before it completed)
    complete (ok)
    ");
    let outputs: Vec<_> = traces.logs().iter().map(|log| log.output.as_deref()).collect();
    assert_eq!(outputs, [Some("why!"), None, Some("[\"p\"]"), Some("a"), None, None]);
}
