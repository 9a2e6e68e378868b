#[parea::trace]
struct S;

#[parea::trace]
impl S {
    fn f(&self) {}
}

#[parea::trace]
trait T {
    #[parea::trace]
    fn bodyless(&self);
}

#[parea::trace]
mod m {}

fn main() {}
