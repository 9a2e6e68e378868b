#[parea::trace]
fn sync(n: u8, text: &str) -> u8 {
    n + text.len() as u8
}

#[parea::trace]
async fn later(n: u8) -> u8 {
    n
}

trait Shape {
    fn area(&self, scale: u8) -> u8;
    async fn grow(&mut self);
}

struct Square;

impl Shape for Square {
    #[parea::trace]
    fn area(&self, scale: u16) -> u8 {
        scale as u8
    }

    #[parea::trace]
    async fn grow(&self) {}

    #[parea::trace]
    fn other(&self) {}
}

mod inner {
    #[parea::trace]
    fn private() {}
}

#[parea::trace]
unsafe fn dangerous() {}

fn main() {
    sync("1", "2");
    sync(1);
    let _: u16 = later(1).await;
    let _: u8 = later(1);
    inner::private();
    dangerous();
}
