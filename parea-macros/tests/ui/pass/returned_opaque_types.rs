#![deny(warnings)]

#[path = "../off_and_on.rs"]
mod off_and_on;
use std::{fmt, future::Future, pin::Pin};

use off_and_on::{off_and_on, off_and_on_async, output};

#[parea::trace]
fn function(n: u32) -> impl Fn(u32) -> u32 + Clone {
    move |m| n + m
}

#[parea::trace]
fn display<'a>(text: &'a str) -> impl fmt::Display + use<'a> {
    text
}

#[parea::trace]
async fn display_later(n: u32) -> impl fmt::Display + Send {
    n
}

#[parea::trace]
async fn in_result(text: &str) -> Result<impl fmt::Display, Box<dyn std::error::Error>> {
    let number: u8 = text.parse()?;
    Ok(number)
}

#[parea::trace]
async fn coerced(yes: bool) -> Result<Box<dyn fmt::Debug + Send>, std::io::Error> {
    if yes {
        return Ok(Box::new(1));
    }
    Ok(Box::new("two"))
}

#[parea::trace]
fn coerced_now(yes: bool) -> Option<&'static dyn fmt::Debug> {
    if yes {
        return Some(&1);
    }
    Some(&"two")
}

#[parea::trace]
fn boxes(n: u8) -> Vec<Box<dyn Fn() -> u8>> {
    vec![Box::new(move || n), Box::new(|| 2)]
}

#[parea::trace]
fn pointers() -> (fn(u8) -> u8, &'static str) {
    (|n| n, "text")
}

#[parea::trace]
fn future_of_opaque(n: u8) -> impl Future<Output = impl fmt::Display> {
    async move { n }
}

#[parea::trace]
async fn future_of_future(n: u8) -> Pin<Box<dyn Future<Output = u8> + Send>> {
    Box::pin(async move { n })
}

#[parea::trace]
async fn never_type_inside(n: u8) -> Result<u8, std::convert::Infallible> {
    Ok(n)
}

#[parea::trace]
fn array_of_references<'a, const N: usize>(items: &'a [u8; N]) -> [&'a u8; N] {
    items.each_ref()
}

fn main() {
    off_and_on(|| function(1).clone()(2), 3, "function (ok)\n");
    off_and_on(|| display("x").to_string(), "x".to_owned(), "display (ok)\n");
    let traces = off_and_on_async(async || display_later(5).await.to_string(), "5".to_owned(), "display_later (ok)\n");
    assert_eq!(output(&traces, "display_later"), "5");
    off_and_on_async(
        async || (in_result("7").await.unwrap().to_string(), in_result("x").await.is_err()),
        ("7".to_owned(), true),
        "in_result (ok)\nin_result (error: invalid digit found in string)\n",
    );
    off_and_on_async(async || format!("{:?}", coerced(false).await.unwrap()), "\"two\"".to_owned(), "coerced (ok)\n");
    off_and_on(|| format!("{:?}", coerced_now(true).unwrap()), "1".to_owned(), "coerced_now (ok)\n");
    off_and_on(|| boxes(1).iter().map(|get| get()).sum::<u8>(), 3, "boxes (ok)\n");
    off_and_on(|| pointers().0(4), 4, "pointers (ok)\n");
    off_and_on_async(async || future_of_opaque(1).await.to_string(), "1".to_owned(), "future_of_opaque (ok)\n");
    off_and_on_async(async || future_of_future(1).await.await, 1, "future_of_future (ok)\n");
    off_and_on_async(async || never_type_inside(1).await, Ok(1), "never_type_inside (ok)\n");
    off_and_on(|| *array_of_references(&[1, 2])[1], 2, "array_of_references (ok)\n");
}
