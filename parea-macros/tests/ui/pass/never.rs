#![deny(warnings)]

#[path = "../off_and_on.rs"]
mod off_and_on;
use std::{panic::catch_unwind, time::Duration};

use off_and_on::{off_and_on, off_and_on_async, silence_panics};

#[parea::trace]
fn panics(message: &str) -> ! {
    panic!("{message}")
}

#[parea::trace]
fn diverges_inside(stop: bool) -> u8 {
    if stop {
        panics("stopped")
    }
    unreachable!("was told to go on")
}

#[parea::trace]
async fn forever() -> ! {
    loop {
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[parea::trace]
fn todo_of_a_value() -> String {
    todo!()
}

fn main() {
    silence_panics();
    off_and_on(|| catch_unwind(|| panics("over")).is_err(), true, "panics (error: panicked: over)\n");
    off_and_on(
        || catch_unwind(|| diverges_inside(true)).is_err() && catch_unwind(todo_of_a_value).is_err(),
        true,
        "diverges_inside (error: panicked: stopped)\n└─ panics (error: panicked: stopped)\ntodo_of_a_value (error: \
         panicked: not yet implemented)\n",
    );
    off_and_on_async(
        async || tokio::time::timeout(Duration::from_millis(5), forever()).await.is_err(),
        true,
        "forever (error: cancelled: the future was dropped before it completed)\n",
    );
    let _: fn(&str) -> ! = panics;
}
