#[parea::trace]
async fn endless(n: u32) -> u32 {
    if n == 0 { 0 } else { endless(n - 1).await }
}

#[parea::trace]
fn plain() -> impl Future<Output = ()> {
    async { plain().await }
}

fn main() {}
