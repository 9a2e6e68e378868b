#![deny(warnings)]

#[path = "../off_and_on.rs"]
mod off_and_on;
use std::pin::Pin;

use futures_util::{
    Stream, StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream, FusedStream, LocalBoxStream},
};
use off_and_on::{off_and_on_async, output};

#[parea::trace]
fn step() {}

#[parea::trace]
fn opaque(count: usize) -> impl Stream<Item = &'static str> + Send + Unpin {
    stream::iter(["a", "b", "c"]).take(count).inspect(|_| step())
}

#[parea::trace]
fn boxed(text: &str) -> BoxStream<'_, char> {
    stream::iter(text.chars()).boxed()
}

#[parea::trace]
fn pinned<'a>(items: &'a [u8]) -> Pin<Box<dyn Stream<Item = &'a u8> + 'a>> {
    Box::pin(stream::iter(items))
}

#[parea::trace]
fn local(n: std::rc::Rc<u8>) -> Result<LocalBoxStream<'static, u8>, String> {
    if *n == 0 {
        return Err("zero".to_owned());
    }
    Ok(stream::iter([*n; 2]).boxed_local())
}

/// The usual shape of a call of a model.
#[parea::trace]
async fn call(prompt: &str) -> Result<impl Stream<Item = Result<String, std::fmt::Error>> + Send + use<>, String> {
    tokio::task::yield_now().await;
    if prompt.is_empty() {
        return Err("no prompt".to_owned());
    }
    let words: Vec<_> = prompt.split(' ').map(str::to_owned).collect();
    Ok(stream::iter(words).then(async |word| if word == "fail" { Err(std::fmt::Error) } else { Ok(word) }))
}

#[parea::trace]
async fn call_boxed(prompt: String) -> std::io::Result<BoxStream<'static, std::io::Result<String>>> {
    let prompt = prompt.parse::<u8>().map_err(std::io::Error::other)?;
    Ok(stream::iter([Ok(prompt.to_string())]).boxed())
}

#[parea::trace]
async fn plain_later() -> impl Stream<Item = u8> {
    stream::iter([1, 2])
}

/// An item of what only has a name.
struct Opaque;

struct Client(String);

impl Client {
    #[parea::trace(skip(self))]
    fn tokens(&self) -> impl Stream<Item = Opaque> {
        stream::iter(self.0.chars()).map(|_| Opaque)
    }
}

/// Its own bound cannot be met by a wrapper: a value.
#[parea::trace]
fn fused() -> impl FusedStream<Item = u8> + Unpin {
    stream::iter([1]).fuse()
}

fn is_send<T: Send>(value: T) -> T {
    value
}

fn main() {
    let traces = off_and_on_async(
        async || {
            let mut all = String::new();
            let mut stream = is_send(opaque(2));
            while let Some(text) = stream.next().await {
                all += text;
                step();
            }
            all
        },
        "ab".to_owned(),
        // Between the items it is the consumer's own span, which is none.
        "opaque (ok)\n├─ step (ok)\n└─ step (ok)\nstep (ok)\nstep (ok)\n",
    );
    assert_eq!(output(&traces, "opaque"), "ab");
    assert!(traces.log("opaque").time_to_first_token.is_some());

    let shown = |traces: &parea::testing::Traces| -> Vec<_> {
        traces.logs().iter().map(|log| log.output.clone().unwrap_or_default()).collect()
    };
    let traces = off_and_on_async(
        async || {
            let counts = boxed("xy").count().await + pinned(&[1, 2]).count().await;
            let counts = counts + local(1.into()).unwrap().count().await + plain_later().await.count().await;
            assert!(local(0.into()).is_err());
            let client = Client("ab".to_owned());
            counts + client.tokens().count().await + fused().count().await
        },
        2 + 2 + 2 + 2 + 2 + 1,
        "boxed (ok)\npinned (ok)\nlocal (ok)\nplain_later (ok)\nlocal (error: zero)\ntokens (ok)\nfused (ok)\n",
    );
    assert_eq!(shown(&traces)[..6], ["xy", "[1,2]", "[1,1]", "[1,2]", "", r#"["<Opaque>","<Opaque>"]"#]);
    assert!(shown(&traces)[6].contains("Fuse"), "{:?}", shown(&traces));

    let traces = off_and_on_async(
        async || {
            let good = is_send(call("one two")).await.unwrap().try_collect::<Vec<_>>().await.unwrap();
            assert!(call("").await.is_err());
            assert!(call("one fail two").await.unwrap().try_collect::<Vec<_>>().await.is_err());
            assert!(call_boxed("x".to_owned()).await.is_err());
            assert_eq!(call_boxed("1".to_owned()).await.unwrap().count().await, 1);
            // Left early, and never polled.
            let left = Box::pin(call("left early").await.unwrap()).next().await.unwrap().unwrap();
            drop(call("untouched").await.unwrap());
            (good.len(), left)
        },
        (2, "left".to_owned()),
        "call (ok)\ncall (error: no prompt)\ncall (error: an error occurred when formatting an argument)\ncall_boxed \
         (error: invalid digit found in string)\ncall_boxed (ok)\ncall (ok)\ncall (ok)\n",
    );
    assert_eq!(shown(&traces), ["onetwo", "", "one", "", "1", "left", ""]);
    let incomplete = |at: usize| traces.logs()[at].metadata.as_ref().unwrap().contains_key("stream_incomplete");
    assert_eq!([incomplete(0), incomplete(2), incomplete(5), incomplete(6)], [false, false, true, true]);
}
