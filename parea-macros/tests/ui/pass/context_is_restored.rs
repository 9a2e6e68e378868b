//! Work that changes hands comes back to its own span.
#![deny(warnings)]

#[path = "../off_and_on.rs"]
mod off_and_on;
use std::time::Duration;

use off_and_on::{off_and_on, off_and_on_async, silence_panics};
use parea::{Context, InCurrentSpan as _};

#[parea::trace]
fn leaf(_n: u8) {}

#[parea::trace]
async fn waits(n: u8) {
    leaf(n);
    tokio::time::sleep(Duration::from_millis(1)).await;
    leaf(n);
}

#[parea::trace]
async fn interleaves() {
    tokio::join!(waits(1), waits(2));
    leaf(3);
}

#[parea::trace]
async fn recovers() -> bool {
    let failed = tokio::spawn(fails().in_current_span()).await.is_err();
    leaf(1);
    failed
}

#[parea::trace]
async fn fails() {
    tokio::task::yield_now().await;
    panic!("failed");
}

#[parea::trace]
fn threads() {
    let here = Context::current();
    std::thread::scope(|scope| {
        scope.spawn(|| here.enter(|| leaf(1)));
    });
    leaf(2);
}

fn main() {
    silence_panics();
    let waits = "waits (ok)\n│  ├─ leaf (ok)\n│  └─ leaf (ok)\n";
    off_and_on_async(interleaves, (), &format!("interleaves (ok)\n├─ {waits}├─ {waits}└─ leaf (ok)\n"));
    off_and_on_async(recovers, true, "recovers (ok)\n├─ fails (error: panicked: failed)\n└─ leaf (ok)\n");
    off_and_on(threads, (), "threads (ok)\n├─ leaf (ok)\n└─ leaf (ok)\n");
    off_and_on(|| leaf(0), (), "leaf (ok)\n");
}
