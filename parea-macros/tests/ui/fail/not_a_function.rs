#[parea::trace]
struct S;

trait T {
    #[parea::trace]
    fn bodyless(&self);
}

#[parea::trace]
mod m {}

#[parea::trace]
const LIMIT: u32 = 1;

fn main() {}
