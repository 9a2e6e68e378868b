//! Functions that return streams and iterators: the span goes on until they end.
#![allow(clippy::unwrap_used, reason = "this is a test")]

use std::pin::Pin;

use futures::{
    Stream, StreamExt as _,
    stream::{self, BoxStream},
};
use parea::testing::{capture, capture_async};

#[parea::trace]
fn step(name: &'static str) -> &'static str {
    name
}

/// `a`, `b`, with a span while polled before `b`.
#[parea::trace]
fn generate(count: usize) -> impl Stream<Item = &'static str> + Send {
    stream::iter(["a", "b", "c"]).take(count).map(|text| if text == "b" { step(text) } else { text })
}

#[parea::trace]
async fn ask(question: &str) -> Result<impl Stream<Item = Result<String, std::fmt::Error>> + use<>, String> {
    let question = question.to_owned();
    if question.is_empty() {
        return Err("nothing was asked".to_owned());
    }
    Ok(stream::iter([Ok(question), Ok("!".to_owned()), Err(std::fmt::Error), Ok("never seen".to_owned())]))
}

#[parea::trace]
async fn boxed(items: &[u8]) -> Result<BoxStream<'_, u8>, std::io::Error> {
    Ok(stream::iter(items).map(|item| item * 2).boxed())
}

#[parea::trace]
fn pinned<'a>(text: &'a str) -> Pin<Box<dyn Stream<Item = char> + Send + 'a>> {
    Box::pin(stream::iter(text.chars()))
}

#[parea::trace]
fn squares(limit: u32) -> impl DoubleEndedIterator<Item = u32> + ExactSizeIterator {
    (0..limit as u8).map(|n| u32::from(n) * u32::from(n))
}

#[parea::trace]
fn words(text: &str) -> Box<dyn Iterator<Item = String> + '_> {
    Box::new(text.split(' ').map(str::to_owned))
}

#[parea::trace]
fn lines(text: &str) -> Result<impl Iterator<Item = Result<u32, std::num::ParseIntError>>, String> {
    if text.is_empty() { Err("empty".to_owned()) } else { Ok(text.lines().map(str::parse)) }
}

/// Not what it is called: the written type is no stream.
#[parea::trace]
fn range() -> std::ops::Range<u8> {
    0..3
}

#[tokio::test]
async fn stream_of_a_consumer() {
    #[parea::trace]
    async fn consume() -> String {
        let mut all = String::new();
        let mut stream = std::pin::pin!(generate(2));
        while let Some(text) = stream.next().await {
            all += text;
            if text == "a" {
                step("between");
            }
        }
        all
    }
    let (all, traces) = capture_async(consume()).await;
    assert_eq!(all, "ab");
    // What happens between two items is the consumer's; what happens while the stream is polled is the stream's.
    insta::assert_snapshot!(traces, @r"
    consume (ok)
    ├─ generate (ok)
    │  └─ step (ok)
    └─ step (ok)
    ");
    let generate = traces.log("generate");
    assert_eq!(generate.output.as_deref(), Some("ab"));
    assert!(generate.time_to_first_token.unwrap() <= generate.latency.unwrap());
    assert_eq!(generate.inputs.as_ref().unwrap()["count"], 2);
}

#[tokio::test]
async fn stream_fails_after_some_items_or_before_any() {
    let ((), traces) = capture_async(async {
        assert_eq!(ask("why").await.unwrap().collect::<Vec<_>>().await.len(), 4);
        assert!(ask("").await.is_err());
    })
    .await;
    assert_eq!(traces.logs().len(), 2);
    let (late, early) = (&traces.logs()[0], &traces.logs()[1]);
    assert_eq!((late.output.as_deref(), late.error.as_deref()), (Some("why!"), Some(&*std::fmt::Error.to_string())));
    assert_eq!((early.output.as_deref(), early.error.as_deref()), (None, Some("nothing was asked")));
}

#[tokio::test]
async fn stream_left_early_is_no_failure() {
    let (first, traces) = capture_async(async { Box::pin(generate(3)).next().await }).await;
    assert_eq!(first, Some("a"));
    let log = traces.log("generate");
    assert_eq!((log.error.as_deref(), log.output.as_deref()), (None, Some("a")));
    assert_eq!(log.metadata.as_ref().unwrap()["stream_incomplete"], "true");
}

#[tokio::test]
async fn boxed_streams_and_iterators_of_every_kind() {
    let ((), traces) = capture_async(async {
        assert_eq!(boxed(&[1, 2]).await.unwrap().collect::<Vec<_>>().await, [2, 4]);
        assert_eq!(pinned("xy").collect::<String>().await, "xy");
        assert_eq!(squares(4).len(), 4);
        assert_eq!(squares(4).rev().collect::<Vec<_>>(), [9, 4, 1, 0]);
        assert_eq!(words("one two").count(), 2);
        assert_eq!(lines("1\n2").unwrap().sum::<Result<u32, _>>(), Ok(3));
        assert!(lines("1\nx").unwrap().sum::<Result<u32, _>>().is_err());
        assert!(lines("").is_err());
        assert_eq!(range().len(), 3);
    })
    .await;
    insta::assert_snapshot!(traces);
    let outputs: Vec<_> = traces.logs().iter().map(|log| log.output.as_deref()).collect();
    assert_eq!(
        outputs,
        [
            Some("[2,4]"),
            Some("xy"),
            None,
            Some("[9,4,1,0]"),
            Some("onetwo"),
            Some("[1,2]"),
            Some("[1]"),
            None,
            Some(r#"{"start":0,"end":3}"#)
        ]
    );
}

#[test]
fn a_panic_in_the_source_keeps_what_came_before() {
    #[parea::trace]
    fn breaks() -> impl Iterator<Item = u32> {
        (0..3).inspect(|n| assert!(*n < 2, "two is too much"))
    }
    let (_, traces) = capture(|| std::panic::catch_unwind(|| breaks().count()).unwrap_err());
    let log = traces.log("breaks");
    assert_eq!((log.output.as_deref(), log.error.as_deref()), (Some("[0,1]"), Some("panicked: two is too much")));
}

#[test]
fn what_is_kept_of_the_items_is_bounded() {
    #[parea::trace]
    fn long() -> impl Iterator<Item = String> {
        (0..1000).map(|_| "x".repeat(1000))
    }
    let (_, traces) = capture(|| long().count());
    let log = traces.log("long");
    assert!(log.output.as_ref().unwrap().len() <= 256 * 1024);
    assert_eq!(log.metadata.as_ref().unwrap()["stream_truncated"], "1000 items in all");
}
