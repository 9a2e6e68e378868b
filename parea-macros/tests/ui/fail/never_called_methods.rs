#![deny(dead_code)]

struct Unused;

#[parea::trace]
impl Unused {
    fn method(&self) {}

    async fn later(&self) {}
}

struct Used;

#[parea::trace]
impl Used {
    fn called(&self) {}

    fn not_called(&self) -> impl Iterator<Item = u8> {
        0..1
    }
}

fn main() {
    Used.called();
}
