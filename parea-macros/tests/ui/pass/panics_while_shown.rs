#![deny(warnings)]

#[path = "../off_and_on.rs"]
mod off_and_on;
use std::fmt;

use off_and_on::{input, off_and_on, output, silence_panics};

struct Rude;

impl fmt::Debug for Rude {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("not shown")
    }
}

impl fmt::Display for Rude {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("not told")
    }
}

impl std::error::Error for Rude {}

struct Sent;

impl serde::Serialize for Sent {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("not sent")
    }
}

/// A `Serialize` that fails falls through to `Debug`.
#[derive(Debug)]
struct Falls;

impl serde::Serialize for Falls {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("not today"))
    }
}

struct Fails;

impl fmt::Debug for Fails {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Err(fmt::Error)
    }
}

#[parea::trace]
fn rude(rude: Rude, sent: Sent, falls: Falls, fine: u8, fails: Fails) -> Rude {
    let _ = (sent, falls, fine, fails);
    rude
}

#[parea::trace]
fn rude_error() -> Result<u8, Rude> {
    Err(Rude)
}

#[parea::trace(inputs(n = 10 / n, m = n), tags = [format!("{}", 1 / n)])]
fn rude_options(n: u8) -> u8 {
    n
}

fn main() {
    silence_panics();
    let traces = off_and_on(|| drop(rude(Rude, Sent, Falls, 1, Fails)), (), "rude (ok)\n");
    for (name, shown) in [
        ("rude", "\"<Rude: panicked: not shown>\""),
        ("sent", "\"<Sent: panicked: not sent>\""),
        ("falls", "\"Falls\""),
        ("fine", "1"),
    ] {
        assert_eq!(input(&traces, "rude", name), shown);
    }
    assert_eq!(output(&traces, "rude"), "<Rude: panicked: not shown>");
    off_and_on(|| rude_error().is_err(), true, "rude_error (error: <Rude: panicked: not told>)\n");
    let traces = off_and_on(|| rude_options(0), 0, "rude_options (ok)\n");
    assert_eq!(
        traces.log("rude_options").metadata.as_ref().unwrap()["capture_failed"],
        "<panicked: attempt to divide by zero>"
    );
}
