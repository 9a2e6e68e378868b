#![deny(warnings)]

#[path = "../off_and_on.rs"]
mod off_and_on;
use std::{cell::RefCell, sync::Mutex};

use off_and_on::{off_and_on, off_and_on_async};

struct Cell(Mutex<Vec<u8>>);

impl Cell {
    #[parea::trace(skip(self))]
    fn last(self) -> Option<u8> {
        self.0.lock().unwrap().last().copied()
    }

    #[parea::trace(skip(self))]
    async fn length(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// A guard that borrows from `self`.
    #[parea::trace(skip(self))]
    fn guard(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap()
    }
}

#[parea::trace]
fn if_let(cell: &RefCell<Option<u8>>) -> u8 {
    if let Some(n) = *cell.borrow() {
        n
    } else {
        *cell.borrow_mut() = Some(1);
        0
    }
}

#[parea::trace]
fn matched(cell: RefCell<Vec<u8>>) -> u8 {
    match cell.borrow().first() {
        Some(n) => *n,
        None => 0,
    }
}

#[parea::trace]
async fn across(lock: &tokio::sync::Mutex<u8>) -> u8 {
    let mut guard = lock.lock().await;
    *guard += 1;
    tokio::task::yield_now().await;
    *guard
}

fn main() {
    let cell = || Cell(Mutex::new(vec![1, 2]));
    off_and_on(|| cell().last(), Some(2), "last (ok)\n");
    off_and_on_async(async || cell().length().await, 2, "length (ok)\n");
    let held = cell();
    off_and_on(|| held.guard().len(), 2, "guard (ok)\n");
    off_and_on(|| if_let(&RefCell::new(None)), 0, "if_let (ok)\n");
    off_and_on(|| matched(RefCell::new(vec![3])), 3, "matched (ok)\n");
    off_and_on_async(async || across(&tokio::sync::Mutex::new(1)).await, 2, "across (ok)\n");
}
