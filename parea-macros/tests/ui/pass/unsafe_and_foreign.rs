#![deny(warnings)]

#[path = "../off_and_on.rs"]
mod off_and_on;
use off_and_on::{off_and_on, off_and_on_async};

/// # Safety
/// The pointer is to a number.
#[parea::trace]
unsafe fn read(n: *const u32) -> u32 {
    unsafe { *n }
}

#[parea::trace]
async unsafe fn read_later(n: *const u32) -> u32 {
    unsafe { read(n) }
}

#[parea::trace]
extern "C" fn foreign(n: u32) -> u32 {
    n + 1
}

#[parea::trace]
pub unsafe extern "C" fn foreign_unsafe(n: *mut u32) {
    unsafe { *n += 1 }
}

#[parea::trace]
#[unsafe(no_mangle)]
extern "C-unwind" fn parea_ui_exported(n: u32) -> u32 {
    n
}

unsafe trait Trusted {
    #[parea::trace]
    unsafe fn trusted(&self) -> u8 {
        1
    }
}

unsafe impl Trusted for () {}

#[parea::trace]
unsafe impl Trusted for u8 {
    unsafe fn trusted(&self) -> u8 {
        *self
    }
}

fn main() {
    let n = 5;
    off_and_on(|| unsafe { read(&raw const n) }, 5, "read (ok)\n");
    off_and_on_async(async || unsafe { read_later(&raw const n).await }, 5, "read_later (ok)\n└─ read (ok)\n");
    off_and_on(|| foreign(1), 2, "foreign (ok)\n");
    off_and_on(
        || {
            let mut n = 1;
            unsafe { foreign_unsafe(&raw mut n) };
            n
        },
        2,
        "foreign_unsafe (ok)\n",
    );
    off_and_on(|| parea_ui_exported(1), 1, "parea_ui_exported (ok)\n");
    off_and_on(|| unsafe { ().trusted() + 2.trusted() }, 3, "trusted (ok)\nu8::trusted (ok)\n");
    let pointer: unsafe extern "C" fn(*mut u32) = foreign_unsafe;
    let _ = pointer;
}
