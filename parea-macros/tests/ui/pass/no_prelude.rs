#![no_implicit_prelude]
#![deny(warnings)]

mod shadows {
    #![allow(dead_code, non_snake_case)]
    pub(crate) struct Option;
    pub(crate) struct Box;
    pub(crate) struct String;
    pub(crate) struct Vec;
    pub(crate) type Result = ::core::primitive::u8;
    pub(crate) fn Some() {}
    pub(crate) fn Ok() {}
    pub(crate) fn Err() {}
    pub(crate) fn None() {}
    pub(crate) mod core {}
    pub(crate) mod std {}
}

use shadows::*;

#[::parea::trace(tags = ["t"], metadata(k = n), target = n)]
fn sync(n: ::core::primitive::u8, _o: Option, _b: Box, _s: String) -> Result {
    n
}

#[::parea::trace(session_id = n)]
async fn later(n: ::core::primitive::u8, _v: Vec) -> ::core::result::Result<::core::primitive::u8, ::core::fmt::Error> {
    if n > 1 {
        return ::core::result::Result::Err(::core::fmt::Error);
    }
    ::core::result::Result::Ok(n)
}

fn main() {
    Some();
    Ok();
    Err();
    None();
    let (n, traces) = ::parea::testing::capture(|| sync(3, Option, Box, String));
    ::core::assert_eq!(n, 3);
    ::core::assert_eq!(traces.tree(), "sync (ok)\n");
    ::core::mem::drop(later(1, Vec));
}
