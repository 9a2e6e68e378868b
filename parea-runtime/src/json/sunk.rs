//! How deep the user's code has recursed: a value that refers to itself is shown for ever, and a stack that overflows ends
//! the process.

use std::{hint::black_box, ptr};

/// Where the stack stood when a value began to be shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surface(usize);

impl Surface {
    /// Most bytes of stack that showing a value may take: some hundred levels, and a small part of what a thread has.
    pub(crate) const MOST: usize = 128 * 1024;

    #[inline]
    pub(crate) fn here() -> Self {
        let local = 0_u8;
        Self(ptr::from_ref(black_box(&local)).addr())
    }

    /// Where a local lay that began to be used then, and has not been moved since: that costs nothing.
    #[inline]
    pub(crate) fn of<T>(local: &T) -> Self {
        Self(ptr::from_ref(local).addr())
    }

    /// Whether the stack has grown too far since.
    #[inline]
    pub(crate) fn is_far(self) -> bool {
        Self::here().0.abs_diff(self.0) > Self::MOST
    }
}
