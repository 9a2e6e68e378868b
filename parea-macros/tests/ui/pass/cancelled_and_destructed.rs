#![deny(warnings)]

#[path = "../off_and_on.rs"]
mod off_and_on;
use std::{future::pending, pin::pin, time::Duration};

use off_and_on::{off_and_on, off_and_on_async, silence_panics};

struct Calls(&'static str);

impl Drop for Calls {
    fn drop(&mut self) {
        destructor(self.0);
    }
}

#[parea::trace(name = "destructor")]
fn destructor(_of: &str) {}

#[parea::trace]
fn calls_at_the_end(_argument: Calls, stop: bool) -> u8 {
    let _local = Calls("local");
    if stop {
        panic!("stopped")
    }
    1
}

#[parea::trace]
async fn waits(_argument: Calls) {
    let _local = Calls("local");
    pending::<()>().await;
}

#[parea::trace]
async fn chooses() -> u8 {
    tokio::select! {
        biased;
        () = waits(Calls("argument")) => 0,
        n = quick() => n,
    }
}

#[parea::trace]
async fn quick() -> u8 {
    tokio::task::yield_now().await;
    1
}

#[parea::trace]
async fn joins() -> u8 {
    let (one, two) = tokio::join!(quick(), quick());
    one + two
}

const CANCELLED: &str = "(error: cancelled: the future was dropped before it completed)";

fn main() {
    silence_panics();
    off_and_on(
        || calls_at_the_end(Calls("argument"), false),
        1,
        "calls_at_the_end (ok)\n├─ destructor (ok)\n└─ destructor (ok)\n",
    );
    off_and_on(
        || std::panic::catch_unwind(|| calls_at_the_end(Calls("argument"), true)).is_err(),
        true,
        "calls_at_the_end (error: panicked: stopped)\n├─ destructor (ok)\n└─ destructor (ok)\n",
    );
    let waits_cancelled = format!("waits {CANCELLED}\n├─ destructor (ok)\n└─ destructor (ok)\n");
    off_and_on_async(
        async || tokio::time::timeout(Duration::from_millis(2), waits(Calls("argument"))).await.is_err(),
        true,
        &waits_cancelled,
    );
    let indented = waits_cancelled.replace("\n├", "\n│  ├").replace("\n└", "\n│  └");
    off_and_on_async(chooses, 1, &format!("chooses (ok)\n├─ {indented}└─ quick (ok)\n"));
    off_and_on_async(joins, 2, "joins (ok)\n├─ quick (ok)\n└─ quick (ok)\n");
    // Polled once and dropped, and never polled: only the first has a span.
    off_and_on_async(
        async || {
            let mut waiting = pin!(Some(waits(Calls("argument"))));
            assert!(futures_util::poll!(waiting.as_mut().as_pin_mut().unwrap()).is_pending());
            waiting.set(None);
        },
        (),
        &waits_cancelled,
    );
    off_and_on_async(async || drop(quick()), (), "");
    // After a panic or a cancellation the place is as before.
    off_and_on_async(quick, 1, "quick (ok)\n");
}
