//! Bytes that grow at their end.

use std::{io, ops::Deref};

/// Bytes that are handed over together, four words: by as many, the loop over them is short.
pub(crate) type Step = [u8; STEP];
pub(crate) const STEP: usize = 32;

/// Where JSON is written to.
pub(crate) trait Out {
    /// Has up to `N` bytes written, and keeps as many as `write` answers.
    fn put<const N: usize>(&mut self, write: impl Fn(&mut [u8; N]) -> usize);

    /// Room for `N` bytes behind the rest, if there is some already. What is written there counts once it is said to be
    /// [`used`](Self::used).
    fn room<const N: usize>(&mut self) -> Option<&mut [u8; N]>;

    /// So many bytes of the [`room`](Self::room) for `N` are in use.
    fn used<const N: usize>(&mut self, bytes: usize);

    /// Appends bytes of any number.
    fn extend(&mut self, bytes: &[u8]);

    /// Appends one byte.
    #[inline]
    fn put_byte(&mut self, byte: u8) {
        self.put::<1>(move |room| {
            room[0] = byte;
            1
        });
    }
}

impl Out for Vec<u8> {
    #[inline]
    fn put<const N: usize>(&mut self, write: impl Fn(&mut [u8; N]) -> usize) {
        let at = self.len();
        self.extend_from_slice(&[0; N]);
        let written = self.last_chunk_mut().map_or(0, write);
        self.truncate(at + written);
    }

    #[inline]
    fn room<const N: usize>(&mut self) -> Option<&mut [u8; N]> {
        self.extend_from_slice(&[0; N]);
        self.last_chunk_mut()
    }

    #[inline]
    fn used<const N: usize>(&mut self, bytes: usize) {
        self.truncate(self.len() - N + bytes);
    }

    #[inline]
    fn extend(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// A buffer that is used again and again. Room that was written once stays written, so that to append is one look at how
/// much of it there is and then plain stores, where a `Vec` has to look with each piece.
#[derive(Debug, Default)]
pub(crate) struct Bytes {
    /// All the room there is.
    room: Vec<u8>,
    /// How much of it is in use; never more than there is.
    len: u32,
}

impl Bytes {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    #[inline]
    pub(crate) fn truncate(&mut self, len: usize) {
        if len < self.len() {
            self.len = len as u32;
        }
    }

    /// Takes out what is there from `at` on.
    pub(crate) fn split_off(&mut self, at: usize) -> Vec<u8> {
        let split = self.get(at..).unwrap_or_default().to_vec();
        self.truncate(at);
        split
    }

    /// What is there from `start` on in steps, with zeros behind it up to a whole one.
    #[inline]
    pub(crate) fn steps_since(&mut self, start: usize) -> &[Step] {
        self.put::<STEP>(move |room| {
            *room = [0; STEP];
            0
        });
        let steps = self.len().saturating_sub(start).div_ceil(STEP);
        self.room.get(start..).and_then(|room| room.as_chunks().0.get(..steps)).unwrap_or_default()
    }

    /// Sees to room for so many more; beyond 4 GB there is none.
    #[cold]
    #[inline(never)]
    fn grow(&mut self, more: usize) {
        let most = u32::MAX as usize;
        let needed = self.len() + more;
        if needed <= most {
            self.room.resize(needed.max(self.room.len() * 2).clamp(256, most), 0);
        }
    }

    #[cold]
    #[inline(never)]
    fn put_grown<const N: usize>(&mut self, write: impl Fn(&mut [u8; N]) -> usize) {
        self.grow(N);
        let at = self.len();
        if let Some(Ok(room)) = self.room.get_mut(at..at + N).map(<&mut [u8; N]>::try_from) {
            self.len += write(room).min(N) as u32;
        }
    }

    #[cold]
    #[inline(never)]
    fn extend_grown(&mut self, bytes: &[u8]) {
        self.grow(bytes.len());
        let at = self.len();
        if let Some(room) = self.room.get_mut(at..at + bytes.len()) {
            room.copy_from_slice(bytes);
            self.len += bytes.len() as u32;
        }
    }
}

impl Out for Bytes {
    #[expect(clippy::inline_always, reason = "what is written is known where it is called")]
    #[inline(always)]
    fn put<const N: usize>(&mut self, write: impl Fn(&mut [u8; N]) -> usize) {
        let at = self.len();
        if let Some(Ok(room)) = self.room.get_mut(at..at + N).map(<&mut [u8; N]>::try_from) {
            self.len += write(room) as u32;
        } else {
            self.put_grown(write);
        }
    }

    #[expect(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    fn room<const N: usize>(&mut self) -> Option<&mut [u8; N]> {
        let at = self.len();
        self.room.get_mut(at..at + N)?.try_into().ok()
    }

    #[expect(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    fn used<const N: usize>(&mut self, bytes: usize) {
        self.len += bytes as u32;
    }

    #[inline]
    fn extend(&mut self, bytes: &[u8]) {
        let at = self.len();
        if let Some(room) = self.room.get_mut(at..at + bytes.len()) {
            room.copy_from_slice(bytes);
            self.len += bytes.len() as u32;
        } else {
            self.extend_grown(bytes);
        }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.room.get(..self.len()).unwrap_or_default()
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(room: Vec<u8>) -> Self {
        Self { len: u32::try_from(room.len()).unwrap_or(u32::MAX), room }
    }
}

impl io::Write for Bytes {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_appended_whether_there_is_room_or_not() {
        let (mut bytes, mut vec) = (Bytes::default(), Vec::new());
        for n in 0..2_000_usize {
            let piece: Vec<u8> = (0..n % 61).map(|at| (at + n) as u8).collect();
            bytes.extend(&piece);
            Out::extend(&mut vec, &piece);
            let write = |room: &mut [u8; 7]| {
                *room = [n as u8; 7];
                n % 8
            };
            bytes.put(write);
            vec.put(write);
            if n % 97 == 0 {
                let words = bytes.steps_since(n % 11).as_flattened().to_vec();
                assert!(words.starts_with(&vec[n % 11..]) && words[vec.len() - n % 11..].iter().all(|byte| *byte == 0));
                assert_eq!(bytes.split_off(n / 2), vec.split_off(n / 2));
            }
            assert_eq!(*bytes, *vec);
        }
    }
}
