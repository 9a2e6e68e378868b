#![deny(warnings)]

#[path = "../off_and_on.rs"]
mod off_and_on;
use off_and_on::{input, off_and_on, off_and_on_async};

#[parea::trace(skip(gone_and_skipped))]
fn here(#[cfg(all())] n: u8, #[cfg(any())] gone: NoSuchType, #[cfg(any())] gone_and_skipped: NoSuchType) -> u8 {
    n
}

#[parea::trace]
async fn later(
    #[cfg(any())] (gone, _): (NoSuchType, u8),
    #[cfg(not(any()))] (n, _): (u8, u8),
    #[allow(unused)] m: u8,
) -> u8 {
    #[cfg(any())]
    return gone;
    #[cfg(all())]
    n
}

struct S;

impl S {
    #[parea::trace]
    fn method(&self, #[cfg(any())] _: NoSuchType, #[cfg_attr(all(), allow(unused))] m: u8) -> u8 {
        3
    }
}

fn main() {
    let traces = off_and_on(|| here(1), 1, "here (ok)\n");
    assert_eq!((input(&traces, "here", "n").as_str(), input(&traces, "here", "gone").as_str()), ("1", "(none)"));
    let traces = off_and_on_async(async || later((2, 0), 0).await, 2, "later (ok)\n");
    assert_eq!(input(&traces, "later", "n"), "2");
    off_and_on(|| S.method(0), 3, "method (ok)\n");
}
