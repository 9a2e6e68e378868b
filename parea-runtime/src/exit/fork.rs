//! After a fork the child has none of the parent's threads, and may find its locks taken for ever.
//!
//! So the child touches nothing of the parent's client and logs: it starts its own when it first needs them, with ids of
//! its own. What had started before the fork is the parent's to report.

use std::{
    fs::File,
    ops::{Deref, DerefMut},
    sync::{
        OnceLock,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

#[cfg(unix)]
use super::unix;
use crate::clock::Moment;
#[cfg(unix)]
use crate::stack;

/// How many forks lie between this process and the one that started to record.
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// The moment of the last of them; 0 if there was none.
static FORKED: AtomicU64 = AtomicU64::new(0);

/// What each process has of its own. That of the parent may be locked for ever by threads that a child does not have.
#[derive(Debug)]
pub(crate) struct PerProcess<T> {
    own: T,
    fresh: fn() -> T,
    child: OnceLock<Box<Self>>,
}

impl<T> PerProcess<T> {
    /// `own` for this process, and `fresh` for each child.
    pub(crate) const fn new(own: T, fresh: fn() -> T) -> Self {
        Self { own, fresh, child: OnceLock::new() }
    }

    /// That of the running process.
    pub(crate) fn get(&'static self) -> &'static T {
        let mut process = self;
        for _ in 0..generation() {
            process = process.child.get_or_init(|| Box::new(Self::new((process.fresh)(), process.fresh)));
        }
        &process.own
    }
}

/// Has children know that they are.
#[cfg(unix)]
pub(super) fn install() {
    unix::at_fork(in_child);
}

/// Runs in the child before `fork` returns there. Takes no lock.
#[cfg(unix)]
extern "C" fn in_child() {
    FORKED.store(Moment::now().0, Ordering::Relaxed);
    GENERATION.fetch_add(1, Ordering::Relaxed);
    unix::close_unshared();
    stack::after_fork();
}

/// A file that forked children do not have: they would hold its lock for as long as they live, be it years after the
/// process is gone whose it is.
#[derive(Debug)]
pub(crate) struct Unshared(File);

impl Unshared {
    pub(crate) fn new(file: File) -> Self {
        #[cfg(unix)]
        unix::unshare(std::os::fd::AsRawFd::as_raw_fd(&file));
        Self(file)
    }
}

#[cfg(unix)]
impl Drop for Unshared {
    fn drop(&mut self) {
        unix::share_again(std::os::fd::AsRawFd::as_raw_fd(&self.0));
    }
}

impl Deref for Unshared {
    type Target = File;

    fn deref(&self) -> &File {
        &self.0
    }
}

impl DerefMut for Unshared {
    fn deref_mut(&mut self) -> &mut File {
        &mut self.0
    }
}

/// Which process this is: rises with each fork.
#[inline]
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// Whether a span that started then is one of the process that this one was forked from.
#[inline]
pub(crate) fn is_inherited(start: Moment) -> bool {
    start.0 < FORKED.load(Ordering::Relaxed)
}
