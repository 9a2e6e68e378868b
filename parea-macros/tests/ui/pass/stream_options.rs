#![deny(warnings)]

#[path = "../off_and_on.rs"]
mod off_and_on;
use std::pin::Pin;

use futures_util::{Stream, StreamExt as _, stream};
use off_and_on::{off_and_on, off_and_on_async, output};

type Tokens = Pin<Box<dyn Stream<Item = Result<String, std::fmt::Error>> + Send>>;
type Lines<'a> = Box<dyn Iterator<Item = &'a str> + 'a>;

#[parea::trace(stream(join))]
fn joined() -> impl Iterator<Item = u32> {
    [1, 20].into_iter()
}

#[parea::trace(stream(collect))]
fn collected() -> impl Iterator<Item = char> {
    "ab".chars()
}

#[parea::trace(stream(last), output = |text| text.len())]
fn last() -> impl Iterator<Item = &'static str> {
    ["a", "ab", "abc"].into_iter()
}

#[derive(Debug, Default)]
struct Answer(String, usize);

impl Answer {
    fn push(&mut self, token: &str) -> usize {
        self.0 += token;
        self.1 += 1;
        self.1
    }
}

#[parea::trace(stream(with = Answer::push))]
async fn taken_in() -> Result<Tokens, String> {
    Ok(stream::iter([Ok("a".to_owned()), Ok("b".to_owned())]).boxed())
}

#[parea::trace(stream(with = |sum: &mut u32, n| *sum += *n), output = |sum| sum + 1)]
fn summed() -> impl Iterator<Item = u32> {
    1..4
}

#[parea::trace(stream)]
async fn alias() -> Result<Tokens, String> {
    taken_in().await
}

#[parea::trace(stream(collect))]
fn lines(text: &str) -> Lines<'_> {
    Box::new(text.lines())
}

fn main() {
    let count = async || alias().await.unwrap().count().await;
    let traces = off_and_on_async(count, 2, "alias (ok)\n└─ taken_in (ok)\n");
    assert_eq!((output(&traces, "alias"), output(&traces, "taken_in")), ("ab", "Answer(\"ab\", 2)"));
    let traces = off_and_on(
        || joined().count() + collected().count() + last().count() + summed().count() + lines("a\nb").count(),
        2 + 2 + 3 + 3 + 2,
        "joined (ok)\ncollected (ok)\nlast (ok)\nsummed (ok)\nlines (ok)\n",
    );
    let shown = ["joined", "collected", "last", "summed", "lines"].map(|name| output(&traces, name));
    assert_eq!(shown, ["120", "[\"a\",\"b\"]", "3", "7", "[\"a\",\"b\"]"]);
}
