#![deny(unused_must_use)]

#[parea::trace]
fn fallible() -> Result<u8, String> {
    Ok(1)
}

#[parea::trace]
async fn later() {}

#[parea::trace]
async fn fallible_later() -> Result<u8, String> {
    Ok(1)
}

#[parea::trace]
fn items() -> impl Iterator<Item = u8> {
    0..1
}

#[must_use = "look at it"]
#[parea::trace]
async fn important() -> u8 {
    1
}

#[parea::trace]
async fn body() {
    fallible();
    later();
    fallible_later().await;
    important().await;
    items();
}

fn main() {
    drop(body());
}
