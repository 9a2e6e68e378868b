#[parea::trace(boxed)]
fn plain() -> u8 {
    1
}

#[parea::trace(boxed)]
fn returned() -> impl Future<Output = u8> {
    async { 1 }
}

fn main() {}
