#![deny(warnings)]

#[parea::trace]
async fn plain() {}

#[must_use = "think of it"]
#[parea::trace]
async fn important() -> u32 {
    1
}

#[tokio::main(flavor = "current_thread")]
#[parea::trace]
async fn under_another_macro() -> u32 {
    important().await
}

#[parea::trace]
#[tokio::main(flavor = "current_thread")]
async fn above_another_macro() -> u32 {
    important().await
}

fn main() {
    drop(plain());
    assert_eq!(under_another_macro(), 1);
    let (one, traces) = parea::testing::capture(above_another_macro);
    assert_eq!(one, 1);
    assert_eq!(traces.tree(), "above_another_macro (ok)\n└─ important (ok)\n");
}
