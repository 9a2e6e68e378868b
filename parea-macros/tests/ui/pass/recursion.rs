#![deny(warnings)]

#[path = "../off_and_on.rs"]
mod off_and_on;
use off_and_on::{off_and_on, off_and_on_async};

#[parea::trace]
fn factorial(n: u64) -> u64 {
    if n == 0 { 1 } else { n * factorial(n - 1) }
}

#[parea::trace]
fn even(n: u32) -> bool {
    n == 0 || odd(n - 1)
}

#[parea::trace]
fn odd(n: u32) -> bool {
    n != 0 && even(n - 1)
}

#[parea::trace]
async fn later(n: u32) -> u32 {
    if n == 0 { 0 } else { 1 + Box::pin(later(n - 1)).await }
}

#[parea::trace]
async fn borrows(items: &[u32]) -> u32 {
    match items {
        [] => 0,
        [first, rest @ ..] => first + Box::pin(borrows(rest)).await,
    }
}

#[parea::trace]
fn sent(n: u32) -> std::pin::Pin<Box<dyn Future<Output = u32> + Send>> {
    Box::pin(async move { if n == 0 { 0 } else { 1 + sent(n - 1).await } })
}

struct Node(Vec<Node>);

impl Node {
    #[parea::trace(skip(self))]
    async fn size(&self) -> usize {
        let mut size = 1;
        for child in &self.0 {
            size += Box::pin(child.size()).await;
        }
        size
    }
}

fn main() {
    off_and_on(|| factorial(2), 2, "factorial (ok)\n└─ factorial (ok)\n   └─ factorial (ok)\n");
    off_and_on(|| even(2), true, "even (ok)\n└─ odd (ok)\n   └─ even (ok)\n");
    off_and_on_async(
        async || later(1).await + borrows(&[2]).await,
        3,
        "later (ok)\n└─ later (ok)\nborrows (ok)\n└─ borrows (ok)\n",
    );
    off_and_on_async(async || sent(1).await, 1, "sent (ok)\n└─ sent (ok)\n");
    let tree = Node(vec![Node(vec![]), Node(vec![])]);
    off_and_on_async(async || tree.size().await, 3, "size (ok)\n├─ size (ok)\n└─ size (ok)\n");
}
