#![deny(warnings)]

#[path = "../off_and_on.rs"]
mod off_and_on;
use std::{pin::Pin, rc::Rc, sync::Arc};

use off_and_on::{input, off_and_on};

#[derive(Clone, Debug, PartialEq)]
struct Counter(u32);

impl Counter {
    #[parea::trace]
    fn by_reference(&self) -> u32 {
        self.0
    }

    #[parea::trace]
    fn by_mutable_reference(&mut self, by: u32) -> &mut u32 {
        self.0 += by;
        &mut self.0
    }

    #[parea::trace]
    fn by_value(self) -> u32 {
        self.0
    }

    #[parea::trace]
    fn by_mutable_value(mut self) -> Self {
        self.0 += 1;
        self
    }

    #[parea::trace]
    fn boxed(self: Box<Self>) -> u32 {
        self.0
    }

    #[parea::trace]
    fn counted(self: Rc<Self>) -> Rc<Self> {
        self
    }

    #[parea::trace]
    fn shared(self: Arc<Self>) -> usize {
        Arc::strong_count(&self)
    }

    #[parea::trace]
    fn shared_by_reference(self: &Arc<Self>) -> u32 {
        self.0
    }

    #[parea::trace]
    fn pinned(mut self: Pin<&mut Self>) -> u32 {
        self.0 += 1;
        self.get_mut().0
    }

    #[parea::trace]
    fn spelled<'a>(self: &'a Self, _other: &u32) -> &'a u32 {
        &self.0
    }

    #[parea::trace]
    fn associated(start: u32) -> Self {
        Self(start)
    }
}

fn main() {
    let run = || {
        let mut counter = Counter::associated(1);
        *counter.by_mutable_reference(2) += 1;
        let mut sum = counter.by_reference() + counter.clone().by_value() + counter.clone().by_mutable_value().0;
        sum += Box::new(counter.clone()).boxed() + Rc::new(counter.clone()).counted().0;
        let shared = Arc::new(counter.clone());
        sum += shared.shared_by_reference();
        assert_eq!(shared.shared(), 1);
        sum + Pin::new(&mut counter).pinned() + counter.spelled(&0)
    };
    let traces = off_and_on(
        run,
        4 + 4 + 5 + 4 + 4 + 4 + 5 + 5,
        "associated (ok)\nby_mutable_reference (ok)\nby_reference (ok)\nby_value (ok)\nby_mutable_value (ok)\nboxed \
         (ok)\ncounted (ok)\nshared_by_reference (ok)\nshared (ok)\npinned (ok)\nspelled (ok)\n",
    );
    for method in ["by_reference", "by_value", "boxed", "shared", "pinned"] {
        assert_eq!(input(&traces, method, "self"), "\"Counter(4)\"", "{method}");
    }
}
