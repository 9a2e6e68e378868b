#[parea::trace]
enum Enum {}

#[parea::trace]
union Union {
    _one: u8,
}

#[parea::trace]
static STATIC: u8 = 1;

#[parea::trace]
type Alias = u8;

#[parea::trace]
use std::fmt;

macro_rules! nothing {
    () => {};
}

#[parea::trace]
nothing!();

#[parea::trace]
extern crate std as standard;

// All are still there.
fn main() {
    let _: (Alias, Option<Enum>, fmt::Error) = (STATIC, None, fmt::Error);
    let _ = Union { _one: 1 };
    standard::mem::drop(());
}
