#![deny(warnings)]

#[parea::trace]
#[must_use]
async fn important() -> u32 {
    1
}

#[parea::trace]
fn unused_argument(left_alone: u32) {
    let mut needless = 1;
    let _ = needless;
}

#[allow(let_underscore_drop)]
async fn caller() {
    important().await;
    important();
}

fn main() {
    unused_argument(1);
    let _ = caller();
}
