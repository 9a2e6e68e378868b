struct S;

#[parea::trace(name = "block")]
impl S {
    fn f(&self) {}
}

#[parea::trace(tag = ["one"])]
impl S {
    const fn g(&self) {}
}

#[parea::trace(skip(never_there))]
impl S {
    #[trace(skip)]
    const fn left_out(&self) {}

    const fn constant(&self) {}

    #[trace(skip(word))]
    fn skips(&self, words: u32) {
        let _ = words;
    }
}

#[parea::trace]
trait T {
    fn default(&self) -> u32 {
        "text"
    }
}

fn main() {}
