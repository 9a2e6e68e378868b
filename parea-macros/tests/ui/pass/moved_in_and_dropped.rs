#![deny(warnings)]

#[path = "../off_and_on.rs"]
mod off_and_on;
use std::cell::RefCell;

use off_and_on::{off_and_on, off_and_on_async};

thread_local! { static DROPPED: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) }; }

struct Noisy(&'static str);

impl Drop for Noisy {
    fn drop(&mut self) {
        DROPPED.with_borrow_mut(|dropped| dropped.push(self.0));
    }
}

/// Both sorts of each function, from the same tokens.
macro_rules! twice {
    ($($(#[$also:meta])* $function:item)+) => {
        mod plain {
            use super::*;
            $($function)+
        }
        mod traced {
            use super::*;
            $(#[parea::trace] $(#[$also])* $function)+
        }
    };
}

twice! {
    pub(super) fn never_named(_: Noisy, _unused: Noisy, (a, _): (Noisy, Noisy), last: Noisy) {
        let _local = Noisy("local");
        let _ = (&a, &last);
    }
    pub(super) fn early(a: Noisy, b: Noisy, leave: bool) -> Option<Noisy> {
        if leave {
            return Some(a);
        }
        drop(b);
        None
    }
    pub(super) async fn later(_: Noisy, (a, _): (Noisy, Noisy), _b: Noisy) {
        let _local = Noisy("local");
        tokio::task::yield_now().await;
        let _ = &a;
    }
    pub(super) fn temporaries(a: Noisy) -> usize {
        (Noisy("temporary"), &a).0.0.len()
    }
}

struct Holder(Noisy);

impl Holder {
    #[parea::trace]
    async fn consumed(self) {}

    #[parea::trace(skip(self))]
    fn consumed_now(self, _: Noisy) {}
}

fn drops(run: impl FnOnce()) -> Vec<&'static str> {
    run();
    DROPPED.take()
}

fn n(name: &'static str) -> Noisy {
    Noisy(name)
}

fn main() {
    let block_on = |future: &mut dyn FnMut() -> std::pin::Pin<Box<dyn Future<Output = ()>>>| {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future())
    };
    for on in [false, true] {
        let run = |body: &dyn Fn()| drops(|| if on { parea::testing::capture(body).0 } else { body() });
        assert_eq!(
            run(&|| traced::never_named(n("_"), n("unused"), (n("a"), n("rest")), n("last"))),
            run(&|| plain::never_named(n("_"), n("unused"), (n("a"), n("rest")), n("last")))
        );
        for leave in [false, true] {
            assert_eq!(
                run(&|| drop(traced::early(n("a"), n("b"), leave))),
                run(&|| drop(plain::early(n("a"), n("b"), leave)))
            );
        }
        assert_eq!(run(&|| _ = traced::temporaries(n("a"))), run(&|| _ = plain::temporaries(n("a"))));
        assert_eq!(
            run(&|| block_on(&mut || Box::pin(traced::later(n("_"), (n("a"), n("rest")), n("b"))))),
            run(&|| block_on(&mut || Box::pin(plain::later(n("_"), (n("a"), n("rest")), n("b")))))
        );
        // Never polled: the arguments go all the same.
        assert_eq!(
            run(&|| drop(traced::later(n("_"), (n("a"), n("rest")), n("b")))),
            run(&|| drop(plain::later(n("_"), (n("a"), n("rest")), n("b"))))
        );
    }
    off_and_on_async(async || Holder(n("held")).consumed().await, (), "consumed (ok)\n");
    off_and_on(|| Holder(n("held")).consumed_now(n("other")), (), "consumed_now (ok)\n");
    assert_eq!(DROPPED.take(), ["held", "held", "other", "held", "other", "held"]);
    assert_eq!(Holder(n("")).0.0, "");
}
