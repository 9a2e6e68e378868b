#![deny(warnings)]

#[path = "../off_and_on.rs"]
mod off_and_on;
use off_and_on::{off_and_on, off_and_on_async};

#[parea::trace]
fn outer(n: u8) -> u8 {
    use std::ops::Add as _;

    const LIMIT: u8 = 1;
    static START: u8 = 2;

    #[parea::trace]
    fn inner(n: u8) -> u8 {
        #[parea::trace]
        fn innermost(n: u8) -> u8 {
            n + 1
        }
        innermost(n)
    }

    struct Local;
    #[parea::trace]
    impl Local {
        fn get(&self) -> u8 {
            LIMIT
        }
    }

    let closure = |n: u8| inner(n);
    closure(n).add(Local.get()) + START
}

#[parea::trace]
async fn outer_later(n: u8) -> u8 {
    #[parea::trace]
    async fn inner(n: u8) -> u8 {
        n
    }
    let block = async { inner(n).await };
    let closure = async |m: u8| inner(m).await;
    block.await + closure(1).await
}

const _: () = {
    #[allow(dead_code)]
    #[parea::trace]
    fn in_a_constant() {}
};

fn main() {
    off_and_on(|| outer(1), 5, "outer (ok)\n├─ inner (ok)\n│  └─ innermost (ok)\n└─ Local::get (ok)\n");
    off_and_on_async(async || outer_later(1).await, 2, "outer_later (ok)\n├─ inner (ok)\n└─ inner (ok)\n");

    #[parea::trace]
    fn in_main() -> u8 {
        1
    }
    off_and_on(in_main, 1, "in_main (ok)\n");
}
