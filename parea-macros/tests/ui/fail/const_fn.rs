#[parea::trace]
const fn constant(n: u32) -> u32 {
    n
}

struct S;

impl S {
    #[parea::trace(name = "constant")]
    pub const unsafe fn method(&self) -> u32 {
        1
    }
}

// Both are still there.
const ONE: u32 = constant(1);
const TWO: u32 = unsafe { S.method() };

fn main() {
    let _ = (ONE, TWO);
}
