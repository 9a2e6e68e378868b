#![deny(warnings, missing_docs)]
//! What lints say without the attribute, they say with it.

#[parea::trace]
pub fn undocumented() {}

#[parea::trace]
fn CamelCase(BadArgument: u8) {
    let BadLocal = BadArgument;
    let _ = BadLocal;
}

#[parea::trace]
async fn unreachable(n: u8) -> u8 {
    return n;
    n + 1
}

#[parea::trace]
fn needless(n: u8) -> u8 {
    (n);
    return (n);
}

#[parea::trace]
async fn shadowing(mut unused_mut: u8, assigned: u8) {
    let never_read;
    never_read = assigned;
    std::fs::remove_file("x");
}

#[deprecated]
#[parea::trace]
fn old() {}

#[must_use]
#[parea::trace]
fn needed() -> u8 {
    1
}

fn main() {
    undocumented();
    CamelCase(1);
    drop((unreachable(1), shadowing(1, 1)));
    needless(1);
    old();
    needed();
}
