#![deny(warnings)]
//! Re-exported under another name.

extern crate parea as hidden;

mod company {
    pub(crate) mod observability {
        pub(crate) use hidden::*;
    }
}

// Nobody may rely on the usual name.
#[allow(unused_imports)]
mod parea {}

#[crate::company::observability::trace(crate = crate::company::observability, name = "renamed")]
fn f(n: u8) -> u8 {
    n
}

fn main() {
    let (_, traces) = company::observability::testing::capture(|| f(1));
    assert_eq!(traces.log("renamed").output.as_deref(), Some("1"));
}
