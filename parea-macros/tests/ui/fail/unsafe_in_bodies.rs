#![deny(unsafe_op_in_unsafe_fn)]

unsafe fn read() -> u8 {
    1
}

#[parea::trace]
fn needs_unsafe() -> u8 {
    read()
}

#[parea::trace]
unsafe fn needs_a_block() -> u8 {
    read()
}

fn main() {}
