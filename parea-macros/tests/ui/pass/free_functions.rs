#![deny(warnings)]

#[path = "../off_and_on.rs"]
mod off_and_on;
use off_and_on::{input, off_and_on, off_and_on_async, output};

#[parea::trace]
fn plain(text: &str, number: u32) -> String {
    format!("{text}{number}")
}

#[parea::trace]
fn no_arguments() -> u8 {
    7
}

#[parea::trace]
fn nothing() {}

#[parea::trace]
fn expression_of_unit(out: &mut Vec<u8>) {
    out.push(1)
}

#[parea::trace()]
async fn later(text: String) -> usize {
    tokio::task::yield_now().await;
    text.len()
}

#[parea::trace]
async fn nothing_later() {}

pub(crate) mod inner {
    #[parea::trace]
    pub(in crate::inner) fn restricted() -> u8 {
        1
    }

    #[parea::trace]
    pub(super) async fn outward() -> u8 {
        restricted()
    }
}

fn main() {
    let traces = off_and_on(|| plain("a", 1), "a1".to_owned(), "plain (ok)\n");
    assert_eq!(
        (input(&traces, "plain", "text"), input(&traces, "plain", "number")),
        ("\"a\"".to_owned(), "1".to_owned())
    );
    assert_eq!(output(&traces, "plain"), "a1");
    let traces = off_and_on(no_arguments, 7, "no_arguments (ok)\n");
    assert_eq!(traces.log("no_arguments").inputs.as_ref().map(|inputs| inputs.len()), Some(0));
    let traces = off_and_on(nothing, (), "nothing (ok)\n");
    assert_eq!(output(&traces, "nothing"), "(none)");
    off_and_on(|| expression_of_unit(&mut Vec::new()), (), "expression_of_unit (ok)\n");
    let traces = off_and_on_async(async || later("four".to_owned()).await, 4, "later (ok)\n");
    assert_eq!(output(&traces, "later"), "4");
    off_and_on_async(nothing_later, (), "nothing_later (ok)\n");
    off_and_on_async(inner::outward, 1, "outward (ok)\n└─ restricted (ok)\n");
}
