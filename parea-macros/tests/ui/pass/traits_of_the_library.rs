#![deny(warnings)]

#[path = "../off_and_on.rs"]
mod off_and_on;

use std::{
    fmt,
    ops::{Add, Deref, Index},
    pin::Pin,
    task::{Context, Poll},
};

use off_and_on::{input, off_and_on, off_and_on_async, output};

#[derive(Clone, Copy, PartialEq)]
struct Number(u8);

/// Whose own `Debug` is traced: to show `self` would show `self`, and so on.
#[parea::trace]
impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

impl Add for Number {
    type Output = Self;

    #[parea::trace(log_omit_inputs)]
    fn add(self, other: Self) -> Self::Output {
        Self(self.0 + other.0)
    }
}

#[parea::trace(log_omit_outputs, skip(self))]
impl Index<usize> for Number {
    type Output = u8;

    fn index(&self, _: usize) -> &Self::Output {
        &self.0
    }
}

struct Sent(u8);

impl serde::Serialize for Sent {
    #[parea::trace(skip(serializer))]
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.0)
    }
}

#[parea::trace]
fn sends(sent: Sent) -> u8 {
    sent.0
}

struct Countdown(u8);

impl Iterator for Countdown {
    type Item = u8;

    #[parea::trace(skip(self))]
    fn next(&mut self) -> Option<Self::Item> {
        self.0 = self.0.checked_sub(1)?;
        Some(self.0)
    }
}

impl Future for Countdown {
    type Output = &'static str;

    #[parea::trace(skip(self, task))]
    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        if self.next().is_none() {
            return Poll::Ready("done");
        }
        task.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Deref for Sent {
    type Target = u8;

    #[parea::trace(skip(self))]
    fn deref(&self) -> &u8 {
        &self.0
    }
}

impl Drop for Sent {
    #[parea::trace(skip(self))]
    fn drop(&mut self) {}
}

impl From<u8> for Number {
    #[parea::trace(log_omit_outputs)]
    fn from(n: u8) -> Self {
        Self(n)
    }
}

#[parea::trace]
fn matched((Ok(n) | Err(n)): Result<u8, u8>, pair @ (ref one, _): (u8, u8), &[ref first, ..]: &[String; 2]) -> usize {
    usize::from(n + one + pair.1) + first.len()
}

#[parea::trace]
fn generic_names<Result, Option: Into<u8>>(_result: Result, option: Option) -> u8 {
    option.into()
}

/// A box of ours is enough to recurse.
#[parea::trace(boxed)]
async fn boxed(n: u8) -> u8 {
    if n == 0 { 0 } else { 1 + Box::pin(boxed(n - 1)).await }
}

fn main() {
    let (shown, _) = parea::testing::capture(|| format!("{:?}", Number(1)));
    assert_eq!(shown, "n1");
    let traces = off_and_on(
        || Number(1) + Number(2) == Number(3),
        true,
        "add (ok)\n└─ Number::fmt (ok)\n   └─ Number::fmt (ok)\n      └─ Number::fmt (ok)\n",
    );
    assert_eq!(output(&traces, "add"), "n3");
    off_and_on(|| Number(4)[0], 4, "Number::index (ok)\n");
    off_and_on(|| Number::from(1).0, 1, "from (ok)\n");
    let (_, traces) = parea::testing::capture(|| sends(Sent(3)));
    assert_eq!((input(&traces, "sends", "sent").as_str(), output(&traces, "sends")), ("3", "3"));
    off_and_on(|| Countdown(1).count(), 1, "next (ok)\nnext (ok)\n");
    off_and_on_async(async || Countdown(1).await.len(), 4, "poll (ok)\n└─ next (ok)\npoll (ok)\n└─ next (ok)\n");
    let strings = ["a".to_owned(), String::new()];
    let traces = off_and_on(|| matched(Err(1), (2, 3), &strings), 7, "matched (ok)\n");
    assert_eq!((input(&traces, "matched", "n"), input(&traces, "matched", "pair")), ("1".into(), "[2,3]".into()));
    off_and_on(|| generic_names("", 5), 5, "generic_names (ok)\n");
    off_and_on_async(async || boxed(1).await, 1, "boxed (ok)\n└─ boxed (ok)\n");
}
