#![deny(dead_code)]

#[parea::trace]
fn never_called() {}

struct S;

impl S {
    #[parea::trace]
    async fn never_called_either(&self) {}
}

fn main() {
    let _ = S;
}
