#![deny(warnings)]

#[path = "../off_and_on.rs"]
mod off_and_on;
use std::fmt::{Debug, Display};

use off_and_on::{input, off_and_on, off_and_on_async};

#[parea::trace]
fn takes_closures(
    call: impl Fn(u32) -> u32,
    mut change: impl FnMut(),
    once: Box<dyn FnOnce() -> String>,
    pointer: fn(u32) -> u32,
    object: &dyn Fn(&str) -> usize,
) -> String {
    change();
    change();
    format!("{}{}{}{}", call(1), once(), pointer(2), object("abc"))
}

#[parea::trace]
fn opaque(shown: impl Display + Debug, any: impl Sized, items: impl IntoIterator<Item = impl Into<u64>>) -> u64 {
    drop(any);
    shown.to_string().len() as u64 + items.into_iter().map(Into::into).sum::<u64>()
}

#[parea::trace]
async fn opaque_later(shown: &impl Display, call: impl AsyncFn(u32) -> u32) -> String {
    format!("{shown}{}", call(1).await)
}

#[parea::trace]
async fn callback<F, R>(call: F) -> R
where
    F: FnOnce(u32) -> R,
{
    call(3)
}

#[parea::trace]
fn makes_closures(n: u32) -> impl Fn(u32) -> u32 {
    move |m| n + m
}

fn main() {
    let traces = off_and_on(
        || {
            let mut changed = 0;
            let text =
                takes_closures(|n| n + 1, || changed += 1, Box::new(|| "x".to_owned()), |n| n, &|text| text.len());
            (text, changed)
        },
        ("2x23".to_owned(), 2),
        "takes_closures (ok)\n",
    );
    assert!(input(&traces, "takes_closures", "call").contains("closure"));
    off_and_on(|| opaque("four", || (), [1_u8, 2]), 7, "opaque (ok)\n");
    off_and_on(|| makes_closures(1)(2), 3, "makes_closures (ok)\n");
    off_and_on_async(
        async || opaque_later(&1, async |n| n + 1).await + &callback(|n| n.to_string()).await,
        "123".to_owned(),
        "opaque_later (ok)\ncallback (ok)\n",
    );
}
