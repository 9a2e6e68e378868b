#![deny(warnings)]

#[path = "../off_and_on.rs"]
mod off_and_on;
use std::{convert::Infallible, error::Error, fmt, num::ParseIntError};

use off_and_on::{off_and_on, off_and_on_async, output};

#[derive(Debug, PartialEq)]
struct Outer(ParseIntError);

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bad number")
    }
}

impl Error for Outer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

type Outcome<T, E = Outer> = Result<T, E>;

#[parea::trace]
fn alias(text: &str) -> Outcome<u8> {
    text.parse().map_err(Outer)
}

#[parea::trace]
fn io() -> std::io::Result<()> {
    Err(std::io::ErrorKind::NotFound.into())
}

#[parea::trace]
async fn dynamic(text: &str) -> Result<u8, Box<dyn Error + Send + Sync>> {
    if text.is_empty() {
        return Err("empty".into());
    }
    Ok(alias(text)?)
}

#[parea::trace]
fn borrowed<'a>(text: &'a str) -> Result<u8, &'a str> {
    text.parse().map_err(|_| text)
}

#[derive(serde::Serialize)]
struct Coded {
    code: u16,
}

#[parea::trace]
fn only_json() -> Result<u8, Coded> {
    Err(Coded { code: 404 })
}

struct Nameless;

#[parea::trace]
fn only_a_name() -> Result<Nameless, Nameless> {
    Err(Nameless)
}

#[parea::trace]
fn unit_error() -> Result<(), ()> {
    Err(())
}

#[parea::trace]
fn nested(ok: bool) -> Result<Option<u8>, Result<u8, String>> {
    if ok { Ok(None) } else { Err(Ok(1)) }
}

#[parea::trace]
fn infallible() -> Result<u8, Infallible> {
    Ok(1)
}

#[parea::trace]
fn by_reference(result: &Result<u8, String>) -> &Result<u8, String> {
    result
}

#[parea::trace]
fn generic<T, E: Error>(result: Result<T, E>) -> Result<T, E> {
    result
}

/// Of the same name, and something else.
mod own {
    #[derive(Debug, PartialEq)]
    pub(crate) enum Result<T> {
        Good(T),
    }
}

#[parea::trace]
fn own_result() -> own::Result<u8> {
    own::Result::Good(1)
}

fn main() {
    off_and_on(|| alias("x").is_err(), true, "alias (error: bad number…)\n");
    let (_, traces) = parea::testing::capture(|| alias("x"));
    assert_eq!(traces.log("alias").error.as_deref(), Some("bad number\ncaused by: invalid digit found in string"));
    off_and_on(|| io().is_err(), true, "io (error: entity not found)\n");
    off_and_on_async(
        async || (dynamic("").await.is_err(), dynamic("x").await.is_err(), dynamic("1").await.unwrap()),
        (true, true, 1),
        "dynamic (error: empty)\ndynamic (error: bad number…)\n└─ alias (error: bad number…)\ndynamic (ok)\n└─ alias (ok)\n",
    );
    off_and_on(|| borrowed("y").unwrap_err().len(), 1, "borrowed (error: y)\n");
    off_and_on(|| only_json().is_err(), true, "only_json (error: {\"code\":404})\n");
    off_and_on(|| only_a_name().is_err(), true, "only_a_name (error: <Nameless>)\n");
    off_and_on(|| unit_error().is_err(), true, "unit_error (error: ())\n");
    let traces =
        off_and_on(|| (nested(true), nested(false)), (Ok(None), Err(Ok(1))), "nested (ok)\nnested (error: Ok(1))\n");
    assert_eq!(output(&traces, "nested"), "(none)");
    off_and_on(infallible, Ok(1), "infallible (ok)\n");
    // A reference to a result is a value that is passed on, not a failure of this function.
    off_and_on(|| by_reference(&Err("x".to_owned())).is_err(), true, "by_reference (ok)\n");
    off_and_on(|| generic(alias("x")).is_err(), true, "alias (error: bad number…)\ngeneric (error: bad number…)\n");
    let traces = off_and_on(own_result, own::Result::Good(1), "own_result (ok)\n");
    assert_eq!(output(&traces, "own_result"), "Good(1)");
}
