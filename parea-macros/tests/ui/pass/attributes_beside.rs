//! Other attributes, above and below, keep what they mean.
#![deny(warnings)]
#![deny(missing_docs)]

#[path = "../off_and_on.rs"]
mod off_and_on;

use off_and_on::{off_and_on, off_and_on_async};

/// Above.
#[must_use = "it is the answer"]
#[parea::trace]
#[inline]
/// Below.
pub fn important() -> u8 {
    1
}

/// Cold.
#[parea::trace]
#[cold]
#[inline(never)]
#[allow(clippy::unused_async, unused_variables)]
pub async fn cold(left_alone: u8) -> u8 {
    let also_alone = 2;
    2
}

/// Old.
#[deprecated = "there is a better one"]
#[parea::trace]
pub fn old() {}

#[expect(dead_code)]
#[parea::trace]
fn never_called() {}

#[expect(unused_variables)]
#[parea::trace]
async fn expected(unused: u8) -> u8 {
    3
}

#[cfg(any())]
#[parea::trace]
fn not_here() -> NoSuchType {}

#[cfg_attr(all(), parea::trace(name = "by cfg_attr"))]
fn conditional() {}

#[parea::trace]
#[cfg_attr(all(), must_use)]
async fn conditional_below() -> u8 {
    4
}

/// Inside of the body.
#[parea::trace]
fn inner_attributes(unused: u8) -> u8 {
    #![allow(unused_variables)]
    //! More words.
    let nobody = 1;
    5
}

#[parea::trace]
#[parea::trace(name = "outer")]
fn twice() {}

#[parea::trace]
#[track_caller]
fn tracked() -> &'static str {
    std::panic::Location::caller().file()
}

fn main() {
    off_and_on(important, 1, "important (ok)\n");
    off_and_on_async(async || cold(0).await, 2, "cold (ok)\n");
    #[allow(deprecated)]
    off_and_on(old, (), "old (ok)\n");
    off_and_on_async(async || expected(0).await, 3, "expected (ok)\n");
    off_and_on(conditional, (), "by cfg_attr (ok)\n");
    off_and_on_async(conditional_below, 4, "conditional_below (ok)\n");
    off_and_on(|| inner_attributes(0), 5, "inner_attributes (ok)\n");
    off_and_on(twice, (), "outer (ok)\n└─ twice (ok)\n");
    off_and_on(|| tracked().ends_with(".rs"), true, "tracked (ok)\n");
}
