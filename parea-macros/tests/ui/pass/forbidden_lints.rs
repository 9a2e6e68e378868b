#![forbid(unsafe_code, unused_imports, unused_variables, unused_mut, unused_qualifications)]
#![deny(warnings)]

#[path = "../off_and_on.rs"]
mod off_and_on;

use off_and_on::{off_and_on, off_and_on_async};

#[parea::trace(tags = ["only an option"], log_omit_inputs, log_omit_outputs)]
fn sync(n: u8) -> u8 {
    n
}

#[parea::trace(log_omit_outputs)]
async fn later((n, mut m): (u8, u8)) -> Result<u8, String> {
    m += n;
    Ok(m)
}

#[parea::trace(stream(with = |sum: &mut u8, n| *sum += n), log_omit_inputs)]
fn items() -> impl Iterator<Item = u8> {
    0..3
}

fn main() {
    off_and_on(|| sync(1), 1, "sync (ok)\n");
    off_and_on_async(async || later((1, 2)).await, Ok(3), "later (ok)\n");
    off_and_on(|| items().count(), 3, "items (ok)\n");
    let (_, traces) = parea::testing::capture(|| items().count());
    assert_eq!(
        (off_and_on::output(&traces, "items"), off_and_on::input(&traces, "items", "n")),
        ("3", "(none)".to_owned())
    );
    off_and_on::silence_panics();
}
