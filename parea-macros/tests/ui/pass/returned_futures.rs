#![deny(warnings)]

#[path = "../off_and_on.rs"]
mod off_and_on;
use std::pin::Pin;

use futures_util::future::{BoxFuture, FutureExt as _, LocalBoxFuture};
use off_and_on::{off_and_on_async, output};

#[parea::trace]
fn before(n: u32) -> u32 {
    n * 2
}

#[parea::trace]
fn eager(n: u32) -> impl Future<Output = Result<u32, String>> + Send {
    let doubled = before(n);
    async move {
        tokio::task::yield_now().await;
        if doubled > 10 {
            return Err(format!("{doubled} is too much"));
        }
        Ok(before(doubled))
    }
}

#[parea::trace]
fn boxed<'a>(text: &'a str) -> Pin<Box<dyn Future<Output = usize> + Send + 'a>> {
    if text.is_empty() {
        return Box::pin(std::future::ready(0));
    }
    Box::pin(async move { text.len() })
}

#[parea::trace]
fn alias(text: &str) -> BoxFuture<'_, Result<usize, String>> {
    async move { if text.is_empty() { Err("empty".to_owned()) } else { Ok(text.len()) } }.boxed()
}

#[parea::trace]
fn local(n: std::rc::Rc<u32>) -> LocalBoxFuture<'static, u32> {
    async move { *n }.boxed_local()
}

struct Held(u32);

impl Held {
    #[parea::trace(skip(self))]
    fn borrows(&self, by: u32) -> impl Future<Output = u32> + use<'_> {
        async move { self.0 + by }
    }
}

trait Promise {
    #[parea::trace]
    fn promise(&self) -> impl Future<Output = u32> + Send {
        async { 5 }
    }
}

impl Promise for Held {}

/// What is ready at once is a future like any other.
#[parea::trace]
fn ready() -> impl Future<Output = &'static str> + Send + Unpin {
    std::future::ready("now")
}

fn is_send<T: Send>(value: T) -> T {
    value
}

fn main() {
    let traces = off_and_on_async(
        async || {
            let mut sum = is_send(eager(2)).await.unwrap() as usize;
            assert!(eager(6).await.is_err());
            sum += is_send(boxed("four")).await + boxed("").await + is_send(alias("five!")).await.unwrap();
            assert!(alias("").await.is_err());
            sum += local(std::rc::Rc::new(1)).await as usize + Held(1).borrows(2).await as usize;
            sum += Held(1).promise().await as usize + ready().await.len();
            // Never polled.
            drop(eager(1));
            sum
        },
        8 + 4 + 5 + 1 + 3 + 5 + 3,
        "eager (ok)\n├─ before (ok)\n└─ before (ok)\neager (error: 12 is too much)\n└─ before (ok)\nboxed (ok)\nboxed \
         (ok)\nalias (ok)\nalias (error: empty)\nlocal (ok)\nborrows (ok)\npromise (ok)\nready (ok)\neager (error: \
         cancelled: the future was dropped before it completed)\n└─ before (ok)\n",
    );
    assert_eq!(output(&traces, "eager"), "8");
    assert_eq!(output(&traces, "ready"), "now");
}
