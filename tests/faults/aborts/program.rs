//! A program that is compiled with `panic = "abort"`: no destructor runs, no guard, and nobody catches.

use std::thread;

#[parea::trace]
fn call(n: usize) -> usize {
    n
}

#[parea::trace]
fn fails() {
    fails_inside();
}

#[parea::trace]
fn fails_inside() {
    panic!("with nowhere to go")
}

struct Falls;

impl Drop for Falls {
    fn drop(&mut self) {
        fails();
    }
}

extern "C" fn called_from_c() {
    fails();
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let how = arguments.next().unwrap_or_default();
    let _parea = parea::builder().durable(arguments.next().is_some()).init().unwrap();
    for n in 0..100 {
        call(n);
    }
    match &*how {
        "main" => fails(),
        "thread" => thread::spawn(fails).join().unwrap(),
        "drop" => drop(Falls),
        "c" => called_from_c(),
        how => unreachable!("there is no way to end by {how}"),
    }
}
