//! Captured values as JSON: written once, straight into a buffer that the thread uses again, with a limit and without
//! what its key or its type says is secret.

mod bytes;
mod escape;
mod failure;
mod keys;
mod known;
mod raw;
mod sunk;
mod tail;
mod writer;

pub(crate) use bytes::{Bytes, Out, STEP, Step};
pub(crate) use escape::{Escaping, ceil, displayed, floor, left_out, push_text, push_text_body};
pub use keys::Key;
use keys::Keys;
pub(crate) use known::{Known, Room};
pub(crate) use sunk::Surface;
pub(crate) use writer::write;

/// Most bytes that one captured value may take. What is longer is cut, and a mark says how much there was.
pub(crate) const MOST_BYTES: usize = 256 * 1024;

/// Where values are written, one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    pub(crate) bytes: Bytes,
    /// Values that were left out because their key or their type says that they are secret.
    pub(crate) redacted: u32,
    /// A value was written as its `Debug` shows it or by its type's name: a text, but not one of the user's.
    pub(crate) described: bool,
    /// What is known of keys.
    keys: Keys,
}

impl Buffer {
    /// One that begins with these bytes.
    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        Self { bytes: bytes.into(), ..Self::default() }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// What was written from there on.
    #[inline]
    pub(crate) fn since(&self, start: usize) -> &[u8] {
        self.bytes.get(start..).unwrap_or_default()
    }

    /// The same in steps, with zeros behind it up to a whole one.
    #[inline]
    pub(crate) fn steps_since(&mut self, start: usize) -> &[Step] {
        self.bytes.steps_since(start)
    }

    /// Appends the key of a member that is known and no secret, behind `lead`; else nothing has happened.
    #[expect(clippy::inline_always, reason = "a few instructions, for each field")]
    #[inline(always)]
    pub(crate) fn push_plain_key(&mut self, lead: u8, key: &'static str) -> bool {
        self.keys.push_plain(&mut self.bytes, lead, key)
    }

    /// Appends the key of a member, behind `lead`: a comma or an opening brace. Whether its value is a secret.
    #[inline]
    pub(crate) fn push_key(&mut self, lead: u8, key: &'static str) -> bool {
        self.keys.push(&mut self.bytes, lead, key)
    }
}
