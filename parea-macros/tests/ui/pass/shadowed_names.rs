//! Whatever names are in scope, the expansion means its own.
#![deny(warnings)]
#![allow(dead_code, non_snake_case, unused_macros, non_camel_case_types, non_upper_case_globals)]

#[path = "../off_and_on.rs"]
mod off_and_on;

use off_and_on::{input, off_and_on, off_and_on_async, output};

mod core {}
mod std {}
mod alloc {}
struct Result;
struct Option;
struct String;
struct Vec;
struct Box;
struct Pin;
struct Recorder;
struct Wrap;
struct CallSite;
trait Future {}
trait Iterator {}
trait Stream {}
trait Send {}
trait Fn {}
trait Default {}
struct str;
struct bool;
#[allow(clippy::upper_case_acronyms)]
struct u32;
fn Some() {}
fn Ok() {}
fn Err() {}
fn None() {}
fn drop() {}
static __PAREA_SITE: () = ();
macro_rules! line {
    () => {
        compile_error!("not this one")
    };
}
macro_rules! file {
    () => {
        compile_error!("not this one")
    };
}
macro_rules! module_path {
    () => {
        compile_error!("not this one")
    };
}

/// Methods of everything, under the names that the expansion calls.
trait Meddles {
    fn parea_value(&self) -> ! {
        panic!("not this one")
    }
    fn parea_outcome(&self) -> ! {
        panic!("not this one")
    }
    fn parea_error(&self) -> ! {
        panic!("not this one")
    }
    fn write(&self) {}
    fn split(&self) {}
}

struct Meddler(::core::primitive::u32);

impl Meddles for Meddler {}

impl Meddler {
    fn parea_value(&self) -> ! {
        panic!("not this one")
    }
    fn write(&self) {}
}

type Number = ::core::primitive::u32;

#[parea::trace(tags = ["t"], metadata(k = value), target = recorder, inputs(end = output), output = |output| *output)]
fn sync(value: Number, recorder: Number, output: Number, slot: Number, error: Meddler) -> Number {
    let (end, hooks, site, look) = (value, recorder, output, slot);
    end + hooks + site + look + error.0
}

#[parea::trace]
async fn later(never: Number, __parea_never: Number, flow: Meddler) -> ::core::result::Result<Number, Meddler> {
    if never == 1 {
        return ::core::result::Result::Err(flow);
    }
    ::core::result::Result::Ok(never + __parea_never)
}

fn main() {
    let traces = off_and_on(|| sync(1, 2, 3, 4, Meddler(5)), 15, "sync (ok)\n");
    assert_eq!((output(&traces, "sync"), input(&traces, "sync", "error").as_ref()), ("15", "\"<Meddler>\""));
    assert_eq!(input(&traces, "sync", "end"), "3");
    off_and_on_async(async || later(0, 2, Meddler(0)).await.is_ok(), true, "later (ok)\n");
    off_and_on_async(async || later(1, 2, Meddler(0)).await.is_err(), true, "later (error: <Meddler>)\n");
}
