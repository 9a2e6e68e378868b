//! What a future or a stream is without us, it is with us.
#![deny(warnings)]

#[path = "../off_and_on.rs"]
mod off_and_on;
use std::rc::Rc;

use futures_util::{Stream, StreamExt as _, stream};
use off_and_on::off_and_on_async;

#[parea::trace]
async fn sends(text: String) -> usize {
    tokio::task::yield_now().await;
    text.len()
}

#[parea::trace]
async fn borrows(text: &str) -> usize {
    tokio::task::yield_now().await;
    text.len()
}

#[parea::trace]
async fn stays(n: Rc<u8>) -> u8 {
    tokio::task::yield_now().await;
    *n
}

/// Neither `Sync` nor shown: held by the future all the same.
#[parea::trace]
async fn receives(mut from: tokio::sync::mpsc::Receiver<u8>) -> Option<u8> {
    from.recv().await
}

#[parea::trace]
async fn generic<T: Send>(value: T) -> T {
    tokio::task::yield_now().await;
    value
}

#[parea::trace]
fn streams(cell: std::cell::Cell<u8>) -> impl Stream<Item = u8> + Send {
    stream::iter([1]).map(move |n| n + cell.get())
}

struct Session(std::cell::Cell<u8>);

impl Session {
    #[parea::trace(skip(self))]
    async fn next(&mut self) -> u8 {
        self.0.set(self.0.get() + 1);
        tokio::task::yield_now().await;
        self.0.get()
    }
}

fn sent<T: Send + 'static>(value: T) -> T {
    value
}

fn main() {
    off_and_on_async(
        async || {
            let one = tokio::spawn(parea::InCurrentSpan::in_current_span(sends("four".to_owned()))).await.unwrap();
            let two = parea::spawn(async { borrows("x").await }).await.unwrap();
            let local = tokio::task::LocalSet::new();
            let three = local.run_until(stays(Rc::new(1))).await;
            let (sender, receiver) = tokio::sync::mpsc::channel(1);
            sender.send(1).await.unwrap();
            let four = sent(receives(receiver)).await.unwrap();
            let five = sent(generic(vec![1])).await.len();
            let six = sent(streams(std::cell::Cell::new(1))).count().await;
            let mut session = Session(std::cell::Cell::new(0));
            let seven = sent(async move { session.next().await }).await;
            one + two + usize::from(three + four + seven) + five + six
        },
        4 + 1 + 1 + 1 + 1 + 1 + 1,
        "sends (ok)\nborrows (ok)\nstays (ok)\nreceives (ok)\ngeneric (ok)\nstreams (ok)\nnext (ok)\n",
    );
    // As large as the bodies, and little more.
    async fn plain(text: String) -> usize {
        tokio::task::yield_now().await;
        text.len()
    }
    let (plain, traced) = (size_of_val(&plain(String::new())), size_of_val(&sends(String::new())));
    assert!(traced <= plain + 64, "{plain} B without, {traced} B with");
}
