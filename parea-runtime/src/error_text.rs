//! The text of an error as it is being captured: raw, for its escapes can wait until the record becomes a line.

use std::{
    borrow::Cow,
    error::Error,
    fmt::{self, Write},
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::{
    hooks::{End, ErrorSlot},
    json::{Bytes, MOST_BYTES, Out as _, Surface, floor, push_text},
    ladder::Slot,
};

/// The first byte of a section that is raw text. JSON has no such byte.
pub(crate) const RAW: u8 = 0;

/// Most bytes of a short text, with that first byte.
const SHORT: usize = 96;

/// A text that is short. It lies with what captures, so that no buffer is lent for it.
#[derive(Debug)]
pub(crate) struct Short {
    /// [`RAW`], the text, and zeros.
    bytes: [u8; SHORT],
    /// 0 as long as there is no text, not even an empty one; [`MOVED`](Self::MOVED) if it has become a long one.
    len: usize,
}

impl Default for Short {
    #[inline]
    fn default() -> Self {
        Self { bytes: [RAW; SHORT], len: 0 }
    }
}

impl Short {
    const MOVED: usize = usize::MAX;

    /// Whether there is none.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len.wrapping_add(1) <= 1
    }

    /// Bytes of the section.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        if self.is_empty() { 0 } else { self.len }
    }

    /// The section.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len()).unwrap_or_default()
    }

    /// So many words of it, if that is all of it.
    #[inline]
    pub(crate) fn words<const N: usize>(&self) -> Option<&[[u8; 8]; N]> {
        self.bytes.as_chunks().0.first_chunk().filter(|_| self.len() <= N * 8)
    }

    /// Appends a piece, if there is room for it.
    #[inline]
    fn push(&mut self, text: &str) -> bool {
        let Some(end) = self.len.checked_add(text.len()) else { return false };
        let Some(room) = self.bytes.get_mut(self.len..end) else { return false };
        copy(room, text.as_bytes());
        self.len = end;
        true
    }
}

/// Copies what is mostly a few bytes: by the first and the last of them, which is less than to ask how.
#[inline]
fn copy(room: &mut [u8], text: &[u8]) {
    fn ends<const N: usize>(room: &mut [u8], text: &[u8]) -> Option<()> {
        *room.first_chunk_mut()? = *text.first_chunk::<N>()?;
        *room.last_chunk_mut()? = *text.last_chunk::<N>()?;
        Some(())
    }
    let copied = match text.len() {
        4..8 => ends::<4>(room, text),
        8..=16 => ends::<8>(room, text),
        17..=32 => ends::<16>(room, text),
        _ => None,
    };
    if copied.is_none() {
        room.copy_from_slice(text);
    }
}

/// Where the text goes as it is being formatted.
struct Told<'a> {
    end: &'a mut End,
    /// Where in the section it begins, and most bytes of it.
    from: usize,
    most: usize,
    cut: bool,
}

impl Write for Told<'_> {
    #[inline]
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.end.captured.error.push(text) { Ok(()) } else { self.push_long(text) }
    }
}

impl Told<'_> {
    #[cold]
    #[inline(never)]
    fn push_long(&mut self, text: &str) -> fmt::Result {
        // Only then it is known where that begins.
        self.end.long_error();
        if Surface::of(self).is_far() {
            self.cut = true;
            return Err(fmt::Error);
        }
        let limit = self.end.mark + self.from + self.most;
        let bytes = self.end.long_error();
        let room = limit.saturating_sub(bytes.len());
        let end = if text.len() <= room { text.len() } else { floor(text, room) };
        bytes.extend(&text.as_bytes()[..end]);
        self.cut |= end < text.len();
        // There is no more to be had: the formatting may stop.
        if self.cut { Err(fmt::Error) } else { Ok(()) }
    }
}

impl<'a> ErrorSlot<'a> {
    /// Room for JSON instead.
    pub(crate) fn json(self) -> Slot<'a> {
        self.0.error_as_json()
    }

    /// A text that is there.
    #[inline]
    pub(crate) fn text(self, text: &str) {
        self.0.captured.error.len = 1;
        if !self.0.captured.error.push(text) {
            self.long_text(text);
        }
    }

    #[cold]
    #[inline(never)]
    fn long_text(self, text: &str) {
        // It is not formatted, so it cannot fail.
        self.shown(format_args!("{text}"), "str");
    }

    /// What is formatted, with what an error was caused by. If it fails or panics, the name of its type and why.
    #[inline(never)]
    pub(crate) fn told(self, text: fmt::Arguments<'_>, source: Option<&(dyn Error + 'static)>, name: &'static str) {
        match source {
            None => self.shown(text, name),
            Some(source) => self.chain(text, source, name),
        }
    }

    #[inline]
    fn shown(self, text: fmt::Arguments<'_>, name: &'static str) {
        let Self(end) = self;
        end.captured.error.len = 1;
        match catch_unwind(AssertUnwindSafe(|| write(end, text, MOST_BYTES))) {
            Ok(Ok(false)) => {}
            Ok(Ok(true)) => {
                let mark = format!(" …[cut at {MOST_BYTES} bytes]");
                end.long_error().extend(mark.as_bytes());
            }
            failed => end.untold(name, failed.map(|_| ())),
        }
    }

    /// The text, then a line for each cause whose text the line above does not already end with.
    #[inline(never)]
    fn chain(self, text: fmt::Arguments<'_>, source: &(dyn Error + 'static), name: &'static str) {
        let Self(end) = self;
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| write_chain(end, text, source))) {
            end.untold(name, Err(payload));
        }
    }
}

/// Formats into the text; whether it was cut.
#[inline]
fn write(end: &mut End, text: fmt::Arguments<'_>, most: usize) -> Result<bool, fmt::Error> {
    let mut told = Told { end, from: 1, most, cut: false };
    let formatted = fmt::write(&mut told, text);
    if told.cut { Ok(true) } else { formatted.map(|()| false) }
}

fn write_chain(end: &mut End, text: fmt::Arguments<'_>, source: &(dyn Error + 'static)) {
    /// A chain that is longer than this goes in circles.
    const LONGEST: usize = 64;
    /// A little more than a value may be, so that it is seen to be cut.
    const MOST: usize = MOST_BYTES + 4096;
    // An error is the limit's; where it is that of the user's code, what came before it stands.
    end.captured.error.len = 1;
    let _ = write(end, text, MOST);
    let mut source = Some(source);
    for _ in 0..LONGEST {
        let Some(error) = source else { break };
        let before = end.long_error().len();
        end.long_error().extend(b"\ncaused by: ");
        let line = end.long_error().len();
        let from = line - end.mark;
        let mut told = Told { from, most: MOST, end: &mut *end, cut: false };
        let _ = write!(told, "{error}");
        let first = end.mark + 1;
        let whole = end.long_error();
        if whole[first..before].ends_with(&whole[line..]) {
            whole.truncate(before);
        }
        source = error.source();
    }
    let start = end.mark;
    let whole = end.long_error();
    if whole.len() - start > MOST_BYTES {
        let text = String::from_utf8_lossy(&whole[start + 1..]).into_owned();
        whole.truncate(start);
        push_text(whole, &text);
    }
}

impl End {
    /// The bytes that a long text lies at the end of, behind [`RAW`]. A short one becomes one.
    fn long_error(&mut self) -> &mut Bytes {
        let short = &mut self.captured.error;
        if short.len == Short::MOVED {
            return &mut self.captured.buffer.get_or_insert_default().bytes;
        }
        let (bytes, len) = (short.bytes, short.len());
        short.len = Short::MOVED;
        let bytes = bytes.get(..len).unwrap_or_default();
        let buffer = self.error_as_json().into_buffer();
        buffer.bytes.extend(bytes);
        &mut buffer.bytes
    }

    #[cold]
    fn untold(&mut self, name: &'static str, failed: std::thread::Result<()>) {
        let why = match failed {
            Ok(()) => fmt::Error.to_string(),
            Err(payload) => crate::hooks::swallowed(payload),
        };
        if self.captured.error.len == Short::MOVED {
            let start = self.mark;
            self.long_error().truncate(start);
        }
        self.captured.error = Short::default();
        self.error_as_json().named(name, Some(&why));
    }
}

/// The text of an error's section, which is raw or JSON.
pub(crate) fn raw(section: &[u8]) -> Option<Cow<'_, str>> {
    match section {
        [RAW, text @ ..] => Some(String::from_utf8_lossy(text)),
        _ => None,
    }
}
