//! Functions that return a future instead of being `async`.
#![allow(clippy::unwrap_used, reason = "this is a test")]

use std::{future::Future, pin::Pin};

use futures::future::{BoxFuture, FutureExt as _};
use parea::testing::capture_async;

#[parea::trace]
fn eager(n: u32) -> impl Future<Output = Result<u32, String>> + Send {
    let doubled = before(n);
    async move {
        tokio::task::yield_now().await;
        if doubled > 10 { Err(format!("{doubled} is too much")) } else { Ok(doubled) }
    }
}

#[parea::trace]
fn before(n: u32) -> u32 {
    n * 2
}

#[parea::trace]
fn boxed<'a>(text: &'a str) -> Pin<Box<dyn Future<Output = usize> + Send + 'a>> {
    Box::pin(async move { inner(text).await })
}

#[parea::trace]
async fn inner(text: &str) -> usize {
    text.len()
}

#[parea::trace]
fn alias(text: &str) -> BoxFuture<'_, usize> {
    async move { text.len() }.boxed()
}

#[async_trait::async_trait]
trait Model: Sync {
    async fn complete(&self, prompt: String) -> Result<String, std::fmt::Error>;

    #[parea::trace]
    async fn twice(&self, prompt: &str) -> Result<String, std::fmt::Error> {
        Ok(self.complete(prompt.to_owned()).await? + &self.complete(prompt.to_owned()).await?)
    }
}

struct Echo;

#[async_trait::async_trait]
impl Model for Echo {
    #[parea::trace(skip(self))]
    async fn complete(&self, prompt: String) -> Result<String, std::fmt::Error> {
        tokio::task::yield_now().await;
        Ok(prompt)
    }
}

struct Below;

#[parea::trace(skip(self), tags = ["block"])]
#[async_trait::async_trait]
impl Model for Below {
    async fn complete(&self, prompt: String) -> Result<String, std::fmt::Error> {
        Ok(prompt)
    }
}

fn is_send<T: Send>(value: T) -> T {
    value
}

#[tokio::test]
async fn the_span_lasts_until_the_future_is_ready() {
    let (_, traces) = capture_async(async {
        assert_eq!(eager(3).await, Ok(6));
        eager(9).await.unwrap_err();
        assert_eq!(boxed("four").await, 4);
        assert_eq!(alias("alias").await, 5);
        assert_eq!(Echo.twice("ab").await.unwrap(), "abab");
        assert_eq!(Below.complete("x".to_owned()).await.unwrap(), "x");
        drop(eager(1));
        is_send(eager(2)).await
    })
    .await;
    insta::assert_snapshot!(traces, @r"
    eager (ok)
    └─ before (ok)
    eager (error: 18 is too much)
    └─ before (ok)
    boxed (ok)
    └─ inner (ok)
    alias (ok)
    twice (ok)
    ├─ complete (ok)
    └─ complete (ok)
    Below::complete (ok)
    eager (error: cancelled: the future was dropped before it completed)
    └─ before (ok)
    eager (ok)
    └─ before (ok)
    ");
    assert_eq!(traces.log("eager").output.as_deref(), Some("6"));
    let complete = traces.log("complete");
    assert_eq!(complete.inputs.as_ref().unwrap()["prompt"], "ab");
    assert_eq!(complete.output.as_deref(), Some("ab"));
    assert_eq!(traces.log("Below::complete").tags.as_ref().unwrap(), &["block"]);
}
