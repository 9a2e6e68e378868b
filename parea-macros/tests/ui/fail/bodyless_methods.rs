trait Model {
    #[parea::trace]
    fn alone(&self);

    #[parea::trace(name = "later")]
    async fn alone_later(&self) -> u8;
}

#[parea::trace]
trait Tool {
    fn fine(&self);

    #[trace(tags = ["own"])]
    fn with_its_own(&self);

    #[trace(skip)]
    fn left_out(&self);
}

unsafe extern "C" {
    #[parea::trace]
    fn foreign();
}

#[parea::trace]
unsafe extern "C" {
    fn foreign_too();
}

fn main() {}
