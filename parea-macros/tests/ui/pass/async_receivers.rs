#![deny(warnings)]

#[path = "../off_and_on.rs"]
mod off_and_on;
use std::{pin::Pin, sync::Arc};

use off_and_on::off_and_on_async;

struct Counter(u32);

impl Counter {
    #[parea::trace]
    async fn by_reference(&self) -> &u32 {
        &self.0
    }

    #[parea::trace]
    async fn by_mutable_reference<'a>(&'a mut self, by: &u32) -> &'a mut u32 {
        self.0 += *by;
        &mut self.0
    }

    #[parea::trace]
    async fn by_mutable_value(mut self, (one, _): (u32, u32)) -> u32 {
        self.0 += one;
        tokio::task::yield_now().await;
        self.0
    }

    #[parea::trace]
    async fn shared(self: Arc<Self>) -> u32 {
        self.0
    }

    #[parea::trace]
    async fn pinned(mut self: Pin<&mut Self>) -> u32 {
        self.0 += 1;
        self.0
    }

    #[parea::trace]
    async fn boxed(self: Box<Self>) -> Self {
        *self
    }
}

fn main() {
    off_and_on_async(
        async || {
            let mut counter = Counter(1);
            *counter.by_mutable_reference(&1).await += 1;
            let sum = *counter.by_reference().await;
            let sum = sum + Pin::new(&mut counter).pinned().await;
            let counter = Box::new(counter).boxed().await;
            sum + Arc::new(Counter(10)).shared().await + counter.by_mutable_value((1, 2)).await
        },
        3 + 4 + 10 + 5,
        "by_mutable_reference (ok)\nby_reference (ok)\npinned (ok)\nboxed (ok)\nshared (ok)\nby_mutable_value (ok)\n",
    );
}
